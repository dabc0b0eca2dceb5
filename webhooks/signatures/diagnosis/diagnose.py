"""Explains what is wrong with a captured request's signature, in sentences that never contain a secret."""

import base64
import binascii
import contextlib
import hmac
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from registrar import plugins
from webhooks.ingress.errors import BadSignature, Rejected, StaleTimestamp
from webhooks.ingress.source_registry import OpenSource
from webhooks.ingress.source_types import Request
from webhooks.signatures import verifier
from webhooks.signatures.diagnosis import hypotheses
from webhooks.signatures.diagnosis.hypotheses import Variant
from webhooks.signatures.schemes import Scheme
from webhooks.signatures.source_signing import scheme_of

_AT_ONCE = 2  # mistakes; three are no longer usual
_DIGITS = re.compile(r"[0-9]{1,12}")


def diagnose(sender: OpenSource, request: Request) -> list[str]:
    """Return sentences, the most likely cause first. request.received_at: when it arrived, as far as is known."""
    scheme = scheme_of(sender)
    if scheme is None:
        return [_verdict(sender, request)]
    if scheme.public and any(secret.startswith(scheme.public.key_prefix) for secret in sender.context.secrets):
        return [*_headers(sender, scheme, request), _verdict(sender, request)]
    if missing := _headers(sender, scheme, request):
        return missing
    return _time(sender, scheme, request) if _is_good(sender, scheme, request) else _tried(sender, scheme, request)


def _verdict(sender: OpenSource, request: Request) -> str:
    """Return the result for a kind without variants to try: a token, or a public key."""
    try:
        sender.verify(request)
    except Rejected as error:
        return f"it does not verify: {error.detail}"
    return "it verifies"


def _headers(sender: OpenSource, scheme: Scheme, request: Request) -> list[str]:
    """Name headers that are missing or repeated."""
    wanted = [name for name in (scheme.signature_header, scheme.timestamp_header, scheme.id_header) if name]
    found = []
    for name in wanted:
        value = request.headers.get(name, "")
        if not value:
            found.append(f"the header {name} is missing: does the sender sign at all, does a proxy drop it?")
        elif name != scheme.signature_header and "," in value:
            found.append(f"the header {name} came more than once: send it once")
    if found and (others := _others(sender, request)):
        found.append(
            f"it is signed as a {' or '.join(others)} source's: is `kind: {sender.context.config.kind}` right?"
        )
    return found


def _others(sender: OpenSource, request: Request) -> list[str]:
    """Return the kinds whose signature header the request has."""
    found = []
    for kind in plugins.kinds("webhooks.sources"):
        scheme: Scheme | None = getattr(plugins.load("webhooks.sources", kind), "SCHEME", None)
        if scheme and kind != sender.context.config.kind and scheme.signature_header in request.headers:
            found.append(kind)
    return found


def _is_good(sender: OpenSource, scheme: Scheme, request: Request) -> bool:
    """Return whether the signature is valid, whatever its time."""
    said = request.headers.get(scheme.timestamp_header or "", "")
    at = datetime.fromtimestamp(int(said), UTC) if _DIGITS.fullmatch(said) and len(said) < 12 else request.received_at
    try:
        verifier.verify(
            scheme,
            headers=request.headers,
            body=request.body,
            secrets=sender.context.secrets,
            now=at,
            tolerance=sender.context.config.tolerance,
        )
    except (BadSignature, StaleTimestamp):
        return False
    return True


def _time(sender: OpenSource, scheme: Scheme, request: Request) -> list[str]:
    good = "the signature is good"
    if scheme.timestamp_header is None:
        return [good]
    at = datetime.fromtimestamp(int(request.headers[scheme.timestamp_header]), UTC)
    off, allowed = (request.received_at - at).total_seconds(), sender.context.config.tolerance
    if abs(off) <= allowed:
        return [good]
    long, which = f"{abs(off):.0f} s", "before" if off > 0 else "after"
    return [
        f"{good}, but it was made {long} {which} {request.received_at:%Y-%m-%d %H:%M:%S} UTC; {allowed} are allowed",
        "if the request arrived at that time, a clock is wrong, or it was sent again with its old signature: "
        "compare `date -u` on both sides, and sign each attempt again; else say with --at when it arrived",
    ]


def _tried(sender: OpenSource, scheme: Scheme, request: Request) -> list[str]:
    given = list(_decode_signatures(request.headers[scheme.signature_header]))
    if not given:
        return [f"{scheme.signature_header} holds no signature: it should be {_form(scheme)}"]
    for secret in sender.context.secrets:
        for combination in _combinations(scheme, secret, request):
            if _mac(combination) in given:
                advice = [part.advice for part in combination if part.advice]
                return advice or [f"the signature is right, but not in its form: it should be {_form(scheme)}"]
    names = f"sources.{sender.context.name}.secrets"
    return [
        "it is none of the usual mistakes: most likely the sender has another secret, or the body is not the one that "
        f"was signed; set the same new secret on both sides ({names})",
        "if this file was put together by hand, the body must be the exact bytes, without a line break at its end",
    ]


def _form(scheme: Scheme) -> str:
    length = {"sha256": 64, "sha384": 96, "sha512": 128}.get(scheme.digest, 64)
    digits = f"{length} hexadecimal digits in lower case" if scheme.encoding == "hex" else "base64"
    return f"{scheme.prefix!r} and {digits}" if scheme.prefix else digits


def _decode_signatures(header: str) -> Iterator[bytes]:
    """Yield the signatures of a header in any form that senders use: with or without prefix, hexadecimal or base64."""
    for entry in re.split(r"[ ,]", header.strip().strip("\"'")):
        for text in filter(None, (entry, entry.partition("=")[2])):
            digits = text.replace("-", "+").replace("_", "/").rstrip("=")
            padded = digits + "=" * (-len(digits) % 4)
            for decoded in (binascii.unhexlify, base64.b64decode):
                with contextlib.suppress(ValueError):  # binascii.Error is one
                    yield decoded(text if decoded is binascii.unhexlify else padded)


def _combinations(scheme: Scheme, secret: str, request: Request) -> Iterator[Sequence[Variant]]:
    """Yield combinations of key, template, digest, id, timestamp and body: correct, with one mistake, with two."""
    timestamp = request.headers.get(scheme.timestamp_header or "", "")
    id = Variant(request.headers.get(scheme.id_header or "", ""))
    parts = [
        list(hypotheses.keys(scheme, secret)),
        list(hypotheses.templates(scheme)),
        list(hypotheses.digests(scheme)),
        [id],
        list(hypotheses.timestamps(timestamp)),
        list(hypotheses.bodies(request.body)),
    ]
    for count in range(_AT_ONCE + 1):
        for wrong in itertools.combinations(range(len(parts)), count):
            yield from itertools.product(*(part[1:] if at in wrong else part[:1] for at, part in enumerate(parts)))


def _mac(combination: Sequence[Variant]) -> bytes:
    key, template, digest, id, timestamp, body = (part.value for part in combination)
    before, _, after = template.partition("{body}")
    signed = before.format(id=id, timestamp=timestamp).encode() + body + after.encode()
    return hmac.digest(key, signed, digest)


def usual_causes(counts: Mapping[str, int]) -> list[str]:
    """Return the usual causes of refusals by their codes, the most frequent first."""
    ordered = sorted(counts.items(), key=lambda item: -item[1])
    return [f"{count} x {code}: {_CAUSES[code]}" for code, count in ordered if code in _CAUSES]


_CAUSES = {
    "bad_signature": "the sender has another secret, signs other bytes than it sends, or in another scheme",
    "stale_timestamp": "a clock is off, or a delivery is sent again with its old signature",
    "unsupported_media_type": "set the content type on the sender's side, usually to application/json",
    "not_json": "the body is no JSON, or one that parsers disagree about",
    "invalid_event": "rightly signed, but not understood: the detail names the field",
    "not_permitted": "rightly signed, but not granted: see its `may` in registrar.yml",
    "too_large": "raise its max_bytes, if such bodies are meant",
    "too_many_requests": "raise its rate_limit, or find out who floods",
    "delivery_reused": "the sender uses a delivery id twice for different bodies",
}
