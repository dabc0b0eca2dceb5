"""The usual mistakes: the bytes that the sender signs by each, and the advice, which never contains a secret."""

import base64
import binascii
import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from webhooks.signatures.schemes import Scheme
from webhooks.signatures.verifier import WeakSecret, decode


@dataclass(frozen=True)
class Variant:
    """One part of the signed bytes: the correct one, with an empty advice, or that of a mistake."""

    value: Any
    advice: str = ""


def keys(scheme: Scheme, secret: str) -> Iterator[Variant]:
    """Yield the key, and the keys that senders derive from the secret's text by mistake."""
    right = decode(scheme, secret)
    bare, here = secret.removeprefix("whsec_"), _KEY[scheme.key]
    yield Variant(right)
    yield from _unless(right, secret.encode(), f"the sender signs with the secret's text as it is; {here}")
    yield from _unless(right, bare.encode(), f"the sender signs with the text after whsec_; {here}")
    for name, how in (("base64", base64.b64decode), ("hexadecimal", binascii.unhexlify)):
        try:
            yield from _unless(right, how(bare), f"the sender decodes the secret as {name} first; {here}")
        except (binascii.Error, ValueError):
            continue
    for end, name in (("\n", "line break"), ("\r\n", "line break"), (" ", "blank")):
        advice = (
            f"the sender's copy of the secret ends in a {name}: paste it again, or remove that (echo -n, printf %s)"
        )
        yield Variant((secret + end).encode(), advice)
        yield from _decoded(scheme, secret + end, advice)
    for quote in "\"'":
        advice = "the sender's copy of the secret has quotes around it: remove them"
        yield Variant(f"{quote}{secret}{quote}".encode(), advice)


_KEY = {
    "raw": "here the key is the secret's text, all of it",
    "base64": "here the key is the secret decoded from base64",
    "hex": "here the key is the secret decoded from hexadecimal",
    "whsec": "here the key is the text after whsec_, decoded from base64",
}


def _unless(right: bytes, other: bytes, advice: str) -> Iterator[Variant]:
    if other != right:
        yield Variant(other, advice)


def _decoded(scheme: Scheme, secret: str, advice: str) -> Iterator[Variant]:
    try:
        yield Variant(decode(scheme, secret), advice)
    except WeakSecret:
        return


def bodies(body: bytes) -> Iterator[Variant]:
    """Yield the body, and those that may have been signed instead."""
    yield Variant(body)
    changed = "the body was changed between signing and sending: "
    for other, how in (
        (body + b"\n", "the sender signs a line break at its end that it does not send"),
        (body.rstrip(b"\r\n"), "a line break was added to its end (echo, curl -d @file); sign what is sent"),
        (body.replace(b"\r\n", b"\n"), "its line breaks became CRLF; send it as bytes (curl --data-binary)"),
        (body.replace(b"\n", b"\r\n"), "its CRLF line breaks became LF; send it as bytes (curl --data-binary)"),
        (body.replace(b"\n", b""), "line breaks were added; send it as bytes (curl --data-binary)"),
        (b"", "the sender signs an empty body: it signs before the body is set"),
    ):
        if other != body:
            yield Variant(other, changed + how)
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return
    for name, options in _SERIALIZATIONS.items():
        for escaped, ordered in itertools.product((False, True), repeat=2):
            text = json.dumps(content, ensure_ascii=escaped, sort_keys=ordered, **options)
            other = text.encode("utf-8", "replace")
            if other != body:
                yield Variant(other, f"{changed}{name}{', its keys sorted,' * ordered} it has the signature; {_SAME}")


_SAME = "sign the exact bytes that are sent, and let nothing rewrite them (a proxy, a JSON client)"
_SERIALIZATIONS: dict[str, dict[str, Any]] = {
    "as compact JSON": {"separators": (",", ":")},
    "as JSON with blanks": {},
    "as indented JSON": {"indent": 2},
}
_TEMPLATES = ("{body}", "{timestamp}.{body}", "{id}.{timestamp}.{body}", "v0:{timestamp}:{body}", "{timestamp}{body}")


def templates(scheme: Scheme) -> Iterator[Variant]:
    """Yield the templates of the signed bytes."""
    yield Variant(scheme.signed)
    for other in _TEMPLATES:
        if other != scheme.signed:
            yield Variant(other, f"the sender signs {other}; here {scheme.signed} is signed")


def digests(scheme: Scheme) -> Iterator[Variant]:
    yield Variant(scheme.digest)
    for other in ("sha256", "sha1", "sha512", "sha384"):
        if other != scheme.digest:
            yield Variant(other, f"the sender uses HMAC-{other.upper()}; here it is HMAC-{scheme.digest.upper()}")


def timestamps(timestamp: str) -> Iterator[Variant]:
    """Yield the timestamp, and the same time in other units."""
    yield Variant(timestamp)
    if timestamp.isdigit():
        yield Variant(timestamp + "000", "the sender signs milliseconds and sends seconds; sign the time that is sent")
        yield Variant(timestamp[:-3], "the sender signs seconds and sends milliseconds; send seconds")
