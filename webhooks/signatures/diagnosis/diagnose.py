"""Explains why a captured request's signature fails, in sentences that never contain a secret."""

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

_MOST_MISTAKES = 2  # at the same time; three are rare
_DIGITS = re.compile(r"[0-9]{1,12}")


def diagnose(source: OpenSource, request: Request) -> list[str]:
    """Return sentences, the most likely cause first. request.received_at: when it arrived, as far as known."""
    scheme = scheme_of(source)
    if scheme is None:
        return [_verdict(source, request)]
    if scheme.public and any(secret.startswith(scheme.public.key_prefix) for secret in source.context.secrets):
        return [*_headers(source, scheme, request), _verdict(source, request)]
    if missing := _headers(source, scheme, request):
        return missing
    if _is_signed(source, scheme, request):
        return _check_time(source, scheme, request)
    return _try_mistakes(source, scheme, request)


def _verdict(source: OpenSource, request: Request) -> str:
    """Return the result for a kind without variants to try: a token, or a public key."""
    try:
        source.verify(request)
    except Rejected as error:
        return f"it does not verify: {error.detail}"
    return "it verifies"


def _headers(source: OpenSource, scheme: Scheme, request: Request) -> list[str]:
    """Return sentences about headers that are missing or repeated."""
    names = [name for name in (scheme.signature_header, scheme.timestamp_header, scheme.id_header) if name]
    problems = []
    for name in names:
        value = request.headers.get(name, "")
        if not value:
            problems.append(f"the header {name} is missing: does the sender sign, or does a proxy drop the header?")
        elif name != scheme.signature_header and "," in value:
            problems.append(f"the header {name} came more than once: send it once")
    if problems and (others := _other_kinds(source, request)):
        problems.append(
            f"it is signed like a {' or '.join(others)} source's: is `kind: {source.context.config.kind}` right?"
        )
    return problems


def _other_kinds(source: OpenSource, request: Request) -> list[str]:
    """Return the kinds whose signature header the request has."""
    kinds = []
    for kind in plugins.kinds("webhooks.sources"):
        scheme: Scheme | None = getattr(plugins.load("webhooks.sources", kind), "SCHEME", None)
        if scheme and kind != source.context.config.kind and scheme.signature_header in request.headers:
            kinds.append(kind)
    return kinds


def _is_signed(source: OpenSource, scheme: Scheme, request: Request) -> bool:
    """Return whether the signature is valid at the time of its timestamp."""
    sent = request.headers.get(scheme.timestamp_header or "", "")
    at = datetime.fromtimestamp(int(sent), UTC) if _DIGITS.fullmatch(sent) and len(sent) < 12 else request.received_at
    try:
        verifier.verify(
            scheme,
            headers=request.headers,
            body=request.body,
            secrets=source.context.secrets,
            now=at,
            tolerance=source.context.config.tolerance,
        )
    except (BadSignature, StaleTimestamp):
        return False
    return True


def _check_time(source: OpenSource, scheme: Scheme, request: Request) -> list[str]:
    good = "the signature is good"
    if scheme.timestamp_header is None:
        return [good]
    at = datetime.fromtimestamp(int(request.headers[scheme.timestamp_header]), UTC)
    off, allowed = (request.received_at - at).total_seconds(), source.context.config.tolerance
    if abs(off) <= allowed:
        return [good]
    distance = f"{abs(off):.0f} s {'before' if off > 0 else 'after'}"
    return [
        f"{good}, but it was made {distance} {request.received_at:%Y-%m-%d %H:%M:%S} UTC; {allowed} are allowed",
        "if the request arrived at that time, a clock is wrong, or it was sent again with its old signature: "
        "compare `date -u` on both sides, and sign each attempt again; else give the time of arrival with --at",
    ]


def _try_mistakes(source: OpenSource, scheme: Scheme, request: Request) -> list[str]:
    signatures = list(_decode_signatures(request.headers[scheme.signature_header]))
    if not signatures:
        return [f"{scheme.signature_header} holds no signature: it should be {_form(scheme)}"]
    for secret in source.context.secrets:
        for combination in _combinations(scheme, secret, request):
            if _mac(combination) in signatures:
                advice = [part.advice for part in combination if part.advice]
                return advice or [f"the signature is right, but in the wrong form: it should be {_form(scheme)}"]
    names = f"sources.{source.context.name}.secrets"
    return [
        "none of the usual mistakes explains it: most likely the sender has another secret, or signed another body; "
        f"set the same new secret on both sides ({names})",
        "in a file made by hand the body must be the exact bytes, without a line break at its end",
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
    for count in range(_MOST_MISTAKES + 1):
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
    "bad_signature": "the sender has another secret, signs other bytes than it sends, or uses another scheme",
    "stale_timestamp": "a clock is wrong, or a delivery is sent again with its old signature",
    "unsupported_media_type": "set the content type on the sender's side, usually to application/json",
    "not_json": "the body is not JSON, or parsers would read it differently",
    "invalid_event": "signed correctly, but no valid event: the detail names the field",
    "not_permitted": "signed correctly, but not granted: see the source's `may` in registrar.yml",
    "too_large": "raise the source's max_bytes, if such bodies are intended",
    "too_many_requests": "raise the source's rate_limit, or find the client that sends so many",
    "delivery_reused": "the sender uses a delivery id twice for different bodies",
}
