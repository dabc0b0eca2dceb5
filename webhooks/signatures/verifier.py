"""Verifies all signature schemes (schemes.py).

Without clock and I/O: the arguments are bytes, headers and the time. Every malformed header is the same BadSignature.
"""

import base64
import binascii
import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache, lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from webhooks.ingress.errors import BadSignature, StaleTimestamp
from webhooks.ingress.source_types import Context, Request, Verified
from webhooks.signatures.schemes import Scheme

# int() and float() also accept " 1 ", "1_0", "nan" and Arabic digits, and thousands of digits.
_TIMESTAMP = re.compile(r"[0-9]{1,12}")
# A dot would move the boundary between id and timestamp; a comma joins repeated headers.
_ID = re.compile(r"[!-+\-/-~]{1,256}")
_ENCODED = {"hex": "[0-9a-f]+", "base64": "[A-Za-z0-9+/]+={0,2}"}
_MAX_SIGNATURES = 8
_PRIVATE = "whsk_"


class WeakSecret(ValueError):
    """A secret that is empty, too short or not in the scheme's form; the receiver refuses to start with it."""


def verify(
    scheme: Scheme,
    *,
    headers: Mapping[str, str],
    body: bytes,
    secrets: Sequence[str],
    now: datetime,
    tolerance: int,
) -> Verified:
    """Check a request's signature, then its timestamp. headers: names in lower case. tolerance: seconds.

    Raises BadSignature, StaleTimestamp; WeakSecret for a secret that `check_secret` would have refused.
    """
    delivery_id = _single(headers, scheme.id_header, _ID)
    header = headers.get(scheme.signature_header, "")
    timestamp = _single(headers, scheme.timestamp_header, _TIMESTAMP)
    if scheme.packed:
        timestamp, header = _unpacked(scheme.packed, header)
    signatures = _signatures(scheme, header)
    signed = _signed_bytes(scheme, delivery_id, timestamp, body)
    matching = [index for index, secret in enumerate(secrets) if _is_signed_with(scheme, secret, signatures, signed)]
    if not matching:
        raise BadSignature
    if timestamp is not None:
        _check_fresh(int(timestamp), now=now, tolerance=tolerance)
    return Verified(delivery_id, matching[0])


def verified(scheme: Scheme, request: Request, context: Context) -> Verified:
    """Verify a request of a source; most kinds' `verify` call this. Raises BadSignature, StaleTimestamp."""
    return verify(
        scheme,
        headers=request.headers,
        body=request.body,
        secrets=context.secrets,
        now=request.received_at,
        tolerance=context.config.tolerance,
    )


def sign(scheme: Scheme, secret: str, *, body: bytes, id: str, now: datetime) -> dict[str, str]:
    """Return the headers that `verify` checks. secret: for HMAC, or an ed25519 private key (whsk_ and base64).

    Raises WeakSecret for a public key. whsk_: https://github.com/standard-webhooks/standard-webhooks
    """
    timestamp = str(int(now.timestamp())) if scheme.timestamp_header or scheme.packed else None
    signed = _signed_bytes(scheme, id, timestamp, body)
    signature = _signature(scheme, secret, signed)
    if scheme.packed:
        signature, timestamp = scheme.packed.format(timestamp=timestamp, signature=signature), None
    optional = {scheme.timestamp_header: timestamp, scheme.id_header: id}
    return {scheme.signature_header: signature, **{name: value for name, value in optional.items() if name and value}}


def _signature(scheme: Scheme, secret: str, signed: bytes) -> str:
    if scheme.public and secret.startswith(_PRIVATE):
        key = _base64(secret.removeprefix(_PRIVATE))[:32]  # 64 bytes are the seed and the public half
        if len(key) < 32:
            raise WeakSecret("an ed25519 private key has 32 bytes, or 64 with its public half")
        raw = Ed25519PrivateKey.from_private_bytes(key).sign(signed)
        return scheme.public.prefix + (raw.hex() if scheme.encoding == "hex" else base64.b64encode(raw).decode())
    if _is_public(scheme, secret):
        raise WeakSecret("a public key can't sign: use the sender's private key, whsk_ and base64")
    return _mac(scheme, secret, signed).decode()


def check_secret(scheme: Scheme, secret: str) -> None:
    """Check a secret. Raises WeakSecret, whose message never contains the secret."""
    key = decode(scheme, secret)
    if _is_public(scheme, secret):
        _public_key(key)
    elif (length := len(key)) < scheme.min_key:
        raise WeakSecret(f"the secret's key has {length} bytes; at least {scheme.min_key} are needed")


def _is_public(scheme: Scheme, secret: str) -> bool:
    return scheme.public is not None and secret.startswith(scheme.public.key_prefix)


def _public_key(key: bytes) -> Ed25519PublicKey:
    try:
        return Ed25519PublicKey.from_public_bytes(key)
    except ValueError:
        raise WeakSecret("an ed25519 public key has 32 bytes") from None


def decode(scheme: Scheme, secret: str) -> bytes:
    """Decode a secret's text into its key, for HMAC or of ed25519. Raises WeakSecret."""
    if scheme.public and secret.startswith(scheme.public.key_prefix):
        text = secret.removeprefix(scheme.public.key_prefix)
        return _hex(text) if scheme.encoding == "hex" else _base64(text)
    if scheme.key == "raw":
        return secret.encode()
    if scheme.key == "hex":
        return _hex(secret)
    if scheme.key == "whsec" and not secret.startswith("whsec_"):
        raise WeakSecret("a Standard Webhooks secret starts with whsec_; `registrar secret --webhook` makes one")
    return _base64(secret.removeprefix("whsec_"))


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise WeakSecret("the secret is not base64") from None


def _hex(text: str) -> bytes:
    try:
        return binascii.unhexlify(text)
    except ValueError:
        raise WeakSecret("the key is not hexadecimal") from None


def _single(headers: Mapping[str, str], name: str | None, form: re.Pattern[str]) -> str | None:
    """Return a header that must be sent once. A repeated one arrives joined by a comma, which no form allows."""
    if name is None:
        return None
    if not form.fullmatch(value := headers.get(name, "")):
        raise BadSignature
    return value


def _unpacked(packed: str, header: str) -> tuple[str, str]:
    """Split a header that holds both timestamp and signature."""
    pattern = re.escape(packed).replace(r"\{timestamp\}", "([0-9]{1,12})").replace(r"\{signature\}", "([^,]+)")
    if not (match := re.fullmatch(pattern, header)):
        raise BadSignature
    return match[1], match[2]


def _signatures(scheme: Scheme, header: str) -> list[bytes]:
    """Return all signatures of the header, also of other versions. One malformed entry invalidates the header."""
    entries = header.split(scheme.separator) if scheme.separator else [header]
    repeated = len(set(entries)) < len(entries)  # as in a header that was sent twice
    form = _entry(scheme.prefix[-1:], scheme.encoding)
    if len(entries) > _MAX_SIGNATURES or repeated or not all(map(form.fullmatch, entries)):
        raise BadSignature
    return [entry.encode("ascii") for entry in entries]


@cache
def _entry(mark: str, encoding: str) -> re.Pattern[str]:
    """Return the pattern of any version's signature: v1,<base64>, sha256=<hex>. mark: the prefix's last character."""
    version = f"[A-Za-z0-9]{{1,8}}{re.escape(mark)}" if mark else ""
    return re.compile(version + _ENCODED[encoding])


def _signed_bytes(scheme: Scheme, delivery_id: str | None, timestamp: str | None, body: bytes) -> bytes:
    before, _, after = scheme.signed.partition("{body}")
    return before.format(id=delivery_id, timestamp=timestamp).encode() + body + after.encode()


def _is_signed_with(scheme: Scheme, secret: str, signatures: Sequence[bytes], signed: bytes) -> bool:
    """Return whether one of the signatures is this secret's. The key selects the algorithm, never the header."""
    if scheme.public and _is_public(scheme, secret):
        key, prefix = decode(scheme, secret), scheme.public.prefix.encode()
        return any(
            _is_signed_by(_public_key(key), scheme, each.removeprefix(prefix), signed)
            for each in signatures
            if each.startswith(prefix)
        )
    mac = _mac(scheme, secret, signed)
    return any(hmac.compare_digest(mac, each) for each in signatures)


def _is_signed_by(key: Ed25519PublicKey, scheme: Scheme, encoded: bytes, signed: bytes) -> bool:
    try:
        raw = binascii.unhexlify(encoded) if scheme.encoding == "hex" else base64.b64decode(encoded, validate=True)
        key.verify(raw, signed)
    except (InvalidSignature, binascii.Error):
        return False
    return True


def _mac(scheme: Scheme, secret: str, signed: bytes) -> bytes:
    code = _keyed(scheme, secret).copy()
    code.update(signed)
    mac = code.digest()
    encoded = mac.hex().encode() if scheme.encoding == "hex" else base64.b64encode(mac)
    return scheme.prefix.encode() + encoded


@lru_cache(maxsize=256)
def _keyed(scheme: Scheme, secret: str) -> hmac.HMAC:
    """Return a keyed HMAC to copy: OpenSSL's look-up of the digest takes longer than hashing a webhook."""
    return hmac.new(decode(scheme, secret), digestmod=scheme.digest)


def _check_fresh(timestamp: int, *, now: datetime, tolerance: int) -> None:
    off = int(now.timestamp()) - timestamp
    if abs(off) > tolerance:
        direction = "ago" if off > 0 else "in the future"
        raise StaleTimestamp(
            f"the request was signed {abs(off)} seconds {direction}, and {tolerance} are allowed; "
            "sign each attempt again, and check the sender's clock"
        )
