"""Makes and signs requests as the senders of registrar.yml's sources would, for `registrar send`.

Each kind has its signature (SCHEME, or `sign`), and some can compose our events (`compose`): webhooks/sources/.
"""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any, cast

from pydantic import ValidationError

from registrar import plugins
from registrar.config.encryption import Encryptor
from registrar.config.key_generation import new_key
from registrar.config.settings import Settings
from registrar.errors import UserError
from registrar.policy import Policy, Source
from registrar.policy.errors import Complaint
from registrar.policy.plugin_options import NoOptions
from webhooks.ingress.errors import Rejected
from webhooks.ingress.source_registry import OpenSource, SourceError, open_one
from webhooks.ingress.source_types import Compose, Context, Outgoing, Request, SchemeOf, Sign, SourceType
from webhooks.signatures import verifier
from webhooks.signatures.schemes import Scheme
from webhooks.signatures.verifier import WeakSecret


class CannotSend(UserError):
    """The request was not sent; the message says why."""

    exit_code = 2


def opened(name: str, policy: Policy, settings: Settings) -> OpenSource:
    """Open a source of registrar.yml. Raises CannotSend."""
    if name not in policy.sources:
        raise CannotSend(f"registrar.yml has no source {name!r}, only {', '.join(policy.sources)}")
    try:
        return open_one(name, policy, settings, Encryptor(settings.secret_key))
    except SourceError as error:
        raise CannotSend(str(error)) from None
    except ValueError:
        raise CannotSend("REGISTRAR_SECRET_KEY is not a key: `registrar secret` makes one") from None


def cannot_open(policy: Policy, settings: Settings, *, but: Collection[str] = ()) -> list[Complaint]:
    """Return why sources can't be opened, by name."""
    encryptor, complaints = Encryptor(new_key()), []
    for name in policy.sources.keys() - set(but):
        try:
            open_one(name, policy, settings, encryptor)
        except SourceError as error:
            complaints.append((error.place, error.why))
    return complaints


def foreign_source(kind: str, name: str, secret: str) -> OpenSource:
    """Make a source of another installation from its kind, name and secret. Raises CannotSend."""
    try:
        module = cast("SourceType", plugins.load("webhooks.sources", kind))
        module.check_secret(secret)
        options = getattr(module, "Options", NoOptions)()
    except plugins.UnknownKind as error:
        raise CannotSend(str(error)) from None
    except WeakSecret as error:
        raise CannotSend(f"--secret: {error}") from None
    except ValidationError:
        raise CannotSend(
            f"the signature of a {kind} source depends on its options: run this where its registrar.yml is"
        ) from None
    config = Source(kind=kind, secrets=["env:SECRET"])
    context = Context(name, config, Policy(version=1), Encryptor(new_key()), (secret,), options)
    return OpenSource(context, module)


def composed(source: OpenSource, content: Mapping[str, Any]) -> Outgoing:
    """Compose one of our events in the source's form. Raises CannotSend if its kind can't carry it."""
    compose: Compose | None = getattr(source.kind, "compose", None)
    if compose is None:
        kind, name = source.context.config.kind, source.context.name
        raise CannotSend(
            f"a {kind} source can't send our events; post a captured request: --fixture FILE --source {name}"
        )
    return compose(content, source.context)


def captured(content: bytes, *, whole: bool, headers: Mapping[str, str]) -> Outgoing:
    """Read a request from a file. whole: headers, a blank line and the body; else the body only.

    headers: these override the file's. Raises CannotSend.
    """
    own = {name.lower(): value for name, value in headers.items()}
    if not whole:
        return Outgoing({"content-type": "application/json", **own}, content)
    split = min((at for at in (content.find(b"\r\n\r\n"), content.find(b"\n\n")) if at >= 0), default=-1)
    if split < 0:
        raise CannotSend(
            "the file has no blank line between headers and body; a file with the body alone must not end in .http"
        )
    body = content[split:].removeprefix(b"\r\n\r\n" if content.startswith(b"\r\n\r\n", split) else b"\n\n")
    lines = [line for line in content[:split].decode("latin-1").splitlines() if ":" in line and " HTTP/" not in line]
    of_file = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    framing = ("content-length", "transfer-encoding", "connection", "host", "expect")
    return Outgoing({name: value for name, value in {**of_file, **own}.items() if name not in framing}, body)


def signed(source: OpenSource, outgoing: Outgoing, *, secret: str | None, id: str) -> Outgoing:
    """Sign a request with the present time. secret: by default the source's first.

    Raises CannotSend, also if the source would refuse the signature.
    """
    now, secret_ = datetime.now(UTC), secret or source.context.secrets[0]
    sign: Sign | None = getattr(source.kind, "sign", None)
    if sign:
        outgoing = sign(outgoing, secret=secret_, context=source.context, now=now)
    if scheme := scheme_of(source):
        try:
            made = verifier.sign(scheme, secret_, body=outgoing.body, id=id, now=now)
        except WeakSecret as error:
            raise CannotSend(str(error)) from None
        outgoing = outgoing.with_headers(made)
    _try(source, outgoing, now)
    return outgoing


def scheme_of(source: OpenSource) -> Scheme | None:
    """Return the source's signature scheme; None if it has another proof."""
    scheme: SchemeOf | None = getattr(source.kind, "scheme", None)
    fixed: Scheme | None = getattr(source.kind, "SCHEME", None)
    return scheme(source.context) if scheme else fixed


def _try(source: OpenSource, outgoing: Outgoing, now: datetime) -> None:
    content_type = outgoing.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        source.verify(Request(outgoing.headers, outgoing.body, content_type, now))
    except Rejected as error:
        name = source.context.name
        raise CannotSend(
            f"source {name} would refuse it: {error.detail}; is the secret one of sources.{name}.secrets?"
        ) from None
