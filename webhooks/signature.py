"""The signature schemes as data, and the one verifier for all of them.

Pure: bytes, headers and the time go in; no clock, no I/O. Whatever is wrong with a header is the same BadSignature.
"""

import base64
import binascii
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from webhooks.errors import BadSignature, StaleTimestamp
from webhooks.source import Context, Request

# int() and float() also take " 1 ", "1_0", "nan" and Arabic digits, and 5,000 of them.
_TIMESTAMP = re.compile(r"[0-9]{1,12}")
_ID = re.compile(r"[A-Za-z0-9_-]{1,256}")  # a dot would move the boundary between the id and the timestamp
_ENCODED = {"hex": "[0-9a-f]+", "base64": "[A-Za-z0-9+/]+={0,2}"}
_MAX_SIGNATURES = 8


class WeakSecret(ValueError):
    """A secret that is empty, too short or not in the scheme's form; the receiver refuses to start with it."""


@dataclass(frozen=True)
class Scheme:
    """How one kind of sender signs. Header names are in lower case.

    signed: the signed bytes, made of {id}, {timestamp} and {body}.
    key: how the secret's text becomes the key. It is never guessed: other senders use a whsec_ secret as it stands.
    min_key: bytes; a shorter key is refused at start.
    prefix: stands before each signature, and never selects the algorithm.
    separator: between several signatures in the header; None: there is one.
    """

    signed: str
    signature_header: str
    key: Literal["raw", "base64", "whsec"]
    min_key: int
    encoding: Literal["hex", "base64"]
    prefix: str = ""
    separator: str | None = None
    timestamp_header: str | None = None
    id_header: str | None = None
    digest: str = "sha256"


# https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
STANDARD_WEBHOOKS = Scheme(
    signed="{id}.{timestamp}.{body}",
    signature_header="webhook-signature",
    timestamp_header="webhook-timestamp",
    id_header="webhook-id",
    key="whsec",
    min_key=24,
    encoding="base64",
    prefix="v1,",
    separator=" ",
)
# https://docs.slack.dev/authentication/verifying-requests-from-slack
SLACK = Scheme(
    signed="v0:{timestamp}:{body}",
    signature_header="x-slack-signature",
    timestamp_header="x-slack-request-timestamp",
    key="raw",
    min_key=16,
    encoding="hex",
    prefix="v0=",
)


# https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/add-outgoing-webhook
TEAMS = Scheme(
    signed="{body}",
    signature_header="authorization",
    key="base64",
    min_key=24,
    encoding="base64",
    prefix="HMAC ",
)


@dataclass(frozen=True)
class Verified:
    """What a good signature vouches for. secret_index: which of the live secrets made it."""

    delivery_id: str | None
    secret_index: int


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
    timestamp = _single(headers, scheme.timestamp_header, _TIMESTAMP)
    given = _signatures(scheme, headers.get(scheme.signature_header, ""))
    signed = _signed_bytes(scheme, delivery_id, timestamp, body)
    made = [_mac(scheme, decode(scheme, secret), signed) for secret in secrets]
    matching = [index for index, mac in enumerate(made) if any(hmac.compare_digest(mac, one) for one in given)]
    if not matching:
        raise BadSignature
    if timestamp is not None:
        _fresh(int(timestamp), now=now, tolerance=tolerance)
    return Verified(delivery_id, matching[0])


def delivery_id(scheme: Scheme, request: Request, context: Context) -> str | None:
    """What most kinds' `verify` is: the signed delivery id, if there is one. Raises BadSignature, StaleTimestamp."""
    return verify(
        scheme,
        headers=request.headers,
        body=request.body,
        secrets=context.secrets,
        now=request.received_at,
        tolerance=context.config.tolerance,
    ).delivery_id


def check_secret(scheme: Scheme, secret: str) -> None:
    """Raises WeakSecret, with a message that never holds the secret."""
    if (length := len(decode(scheme, secret))) < scheme.min_key:
        raise WeakSecret(f"the secret's key has {length} bytes; at least {scheme.min_key} are needed")


def decode(scheme: Scheme, secret: str) -> bytes:
    """The HMAC key behind a secret's text. Raises WeakSecret."""
    if scheme.key == "raw":
        return secret.encode()
    if scheme.key == "whsec" and not secret.startswith("whsec_"):
        raise WeakSecret("a Standard Webhooks secret starts with whsec_; `registrar secret --webhook` makes one")
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        raise WeakSecret("the secret is not base64") from None


def _single(headers: Mapping[str, str], name: str | None, form: re.Pattern[str]) -> str | None:
    """A header that is sent once. A repeated one arrives joined by a comma, which no form allows."""
    if name is None:
        return None
    if not form.fullmatch(value := headers.get(name, "")):
        raise BadSignature
    return value


def _signatures(scheme: Scheme, header: str) -> list[bytes]:
    """The signatures of the scheme's version. One malformed entry spoils the header; other versions are passed over."""
    entries = header.split(scheme.separator) if scheme.separator else [header]
    if len(entries) > _MAX_SIGNATURES or not all(map(_entry(scheme).fullmatch, entries)):
        raise BadSignature
    return [entry.encode("ascii") for entry in entries if entry.startswith(scheme.prefix)]


def _entry(scheme: Scheme) -> re.Pattern[str]:
    """Any version's signature in this scheme's form: v1,<base64> or sha256=<hex>."""
    version = f"[A-Za-z0-9]{{1,8}}{re.escape(scheme.prefix[-1])}" if scheme.prefix else ""
    return re.compile(version + _ENCODED[scheme.encoding])


def _signed_bytes(scheme: Scheme, delivery_id: str | None, timestamp: str | None, body: bytes) -> bytes:
    before, _, after = scheme.signed.partition("{body}")
    return before.format(id=delivery_id, timestamp=timestamp).encode() + body + after.encode()


def _mac(scheme: Scheme, key: bytes, signed: bytes) -> bytes:
    mac = hmac.digest(key, signed, scheme.digest)
    encoded = mac.hex().encode() if scheme.encoding == "hex" else base64.b64encode(mac)
    return scheme.prefix.encode() + encoded


def _fresh(timestamp: int, *, now: datetime, tolerance: int) -> None:
    off = int(now.timestamp()) - timestamp
    if abs(off) > tolerance:
        direction = "ago" if off > 0 else "in the future"
        raise StaleTimestamp(
            f"the request was signed {abs(off)} seconds {direction}, and {tolerance} are allowed; "
            "sign each attempt anew, and check the sender's clock"
        )
