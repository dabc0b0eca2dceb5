"""Verification configured in registrar.yml: an HMAC scheme, or a secret sent with the request.

verify: {how: hmac, header: x-signature, signed: "{timestamp}.{body}", timestamp_header: x-time, encoding: hex}
verify: {how: bearer}
"""

import base64
import hmac
import re
import string
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from registrar.policy.base_model import Strict
from webhooks.ingress.errors import BadSignature
from webhooks.ingress.source_types import Context, Outgoing, Request, Verified
from webhooks.signatures import verifier
from webhooks.signatures.schemes import Scheme
from webhooks.signatures.verifier import WeakSecret

MIN_KEY = 16  # bytes
# No comma: a header that is sent twice arrives joined by one. No blanks and controls: proxies drop them.
_TOKEN = re.compile(r"[!-+\--~]{16,400}")

HeaderName = Annotated[
    str,
    BeforeValidator(lambda name: name.lower() if isinstance(name, str) else name),
    Field(pattern=r"^[a-z][a-z0-9-]{0,99}$(?!\n)"),
]


class Hmac(Strict):
    """signed: the signed bytes, made of {id}, {timestamp} and {body}. key: how the secret's text becomes the key.

    packed: the form of a header with both timestamp and signature, such as "t={timestamp},v1={signature}".
    """

    how: Literal["hmac"]
    header: HeaderName
    signed: Annotated[str, Field(max_length=100)] = "{body}"
    key: Literal["raw", "base64", "hex", "whsec"] = "raw"
    digest: Literal["sha256", "sha384", "sha512"] = "sha256"
    encoding: Literal["hex", "base64"] = "hex"
    prefix: Annotated[str, Field(max_length=20, pattern=r"^[!-~]* ?$")] = ""
    separator: Literal[" ", ","] | None = None
    packed: Annotated[str, Field(max_length=100)] | None = None
    timestamp_header: HeaderName | None = None
    id_header: HeaderName | None = None

    @model_validator(mode="after")
    def _consistent(self) -> "Hmac":
        fields = _fields(self.signed)
        if fields.count("body") != 1 or set(fields) - {"id", "timestamp", "body"} or len(set(fields)) < len(fields):
            raise ValueError("signed needs {body} once, and besides it {id} and {timestamp} once at most")
        if self.packed is not None and sorted(_fields(self.packed)) != ["signature", "timestamp"]:
            raise ValueError("packed needs {timestamp} and {signature} once each")
        if ("timestamp" in fields) != bool(self.timestamp_header or self.packed):
            raise ValueError("a timestamp counts only if it is signed: {timestamp} and timestamp_header go together")
        if ("id" in fields) != bool(self.id_header):
            raise ValueError("an id counts only if it is signed: {id} and id_header go together")
        if self.separator and self.separator in self.prefix:
            raise ValueError("the prefix must not contain the separator")
        return self

    @property
    def scheme(self) -> Scheme:
        return Scheme(
            signed=self.signed,
            signature_header=self.header,
            key=self.key,
            min_key=MIN_KEY,
            encoding=self.encoding,
            prefix=self.prefix,
            separator=self.separator,
            timestamp_header=self.timestamp_header,
            id_header=self.id_header,
            digest=self.digest,
            packed=self.packed,
        )


class Bearer(Strict):
    """Authorization: Bearer SECRET."""

    how: Literal["bearer"]


class Basic(Strict):
    """Authorization: Basic; the secret is user:password."""

    how: Literal["basic"]


class Token(Strict):
    """The secret itself, in a header."""

    how: Literal["token"]
    header: HeaderName


Verification = Annotated[Hmac | Bearer | Basic | Token, Field(discriminator="how")]
Shared = Bearer | Basic | Token


def scheme(how: Hmac | Shared) -> Scheme | None:
    """Return the HMAC scheme; None for a secret sent with the request."""
    return how.scheme if isinstance(how, Hmac) else None


def check(how: Hmac | Shared, secrets: Sequence[str]) -> None:
    """Check the form of secrets. Raises WeakSecret, whose message never contains the secret."""
    for secret in secrets:
        if isinstance(how, Hmac):
            verifier.check_secret(how.scheme, secret)
        elif not _TOKEN.fullmatch(secret):
            raise WeakSecret(
                "a secret that is sent with the request needs 16 to 400 ASCII characters, without blanks and commas"
            )
        elif isinstance(how, Basic) and not re.fullmatch(r"[^:]+:.{16,}", secret):
            raise WeakSecret("for basic the secret is user:password, with a password of at least 16 characters")


def verify(how: Hmac | Shared, request: Request, context: Context) -> Verified:
    """Verify a request. An id is returned only if it is signed. Raises BadSignature, StaleTimestamp."""
    if isinstance(how, Hmac):
        return verifier.verified(how.scheme, request, context)
    sent = _sent(how, request)
    matching = [i for i, secret in enumerate(context.secrets) if hmac.compare_digest(sent, _expected(how, secret))]
    if not matching:
        raise BadSignature
    return Verified(None, matching[0])


def sign(how: Hmac | Shared, outgoing: Outgoing, *, secret: str) -> Outgoing:
    """Add the secret that is sent with the request; an HMAC is the `scheme`'s part."""
    if isinstance(how, Hmac):
        return outgoing
    name = how.header if isinstance(how, Token) else "authorization"
    prefix = {"bearer": "Bearer ", "basic": "Basic ", "token": ""}[how.how]
    return outgoing.with_headers({name: prefix + _expected(how, secret).decode()})


def _sent(how: Shared, request: Request) -> bytes:
    """Return the secret sent, as bytes: only ASCII texts can be compared in constant time."""
    header = how.header if isinstance(how, Token) else "authorization"
    value = request.headers.get(header, "")
    if not isinstance(how, Token):
        word, _, value = value.partition(" ")
        if word.lower() != how.how:  # https://www.rfc-editor.org/rfc/rfc9110#section-11.1
            raise BadSignature
        value = value.lstrip(" ")  # section 11.4: one blank or more
    return value.encode("utf-8", "replace")


def _expected(how: Shared, secret: str) -> bytes:
    return base64.b64encode(secret.encode()) if isinstance(how, Basic) else secret.encode()


def _fields(template: str) -> list[str]:
    """Return the names in braces. Raises ValueError."""
    try:
        parts = list(string.Formatter().parse(template))
    except ValueError:
        raise ValueError(f"{template!r} has a brace that is not closed") from None
    if any(name is not None and (format_ or conversion) for _, name, format_, conversion in parts):
        raise ValueError(f"{template!r}: a name in braces must be alone, such as {{body}}")
    return [name for _, name, _, _ in parts if name is not None]
