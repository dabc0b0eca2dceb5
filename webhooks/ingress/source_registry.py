"""Opens the sources of registrar.yml: loads the module of each kind and the secrets, or refuses to start."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from pydantic import BaseModel

from registrar import plugins
from registrar.config.encryption import Encryptor
from registrar.config.settings import Settings, SettingsError
from registrar.policy import Policy, Source, plugin_options
from registrar.policy.errors import Place
from webhooks.ingress.chat_reply import ChatReply
from webhooks.ingress.errors import Rejected
from webhooks.ingress.source_types import (
    Answer,
    Check,
    Context,
    Handshake,
    Parsed,
    Refuse,
    Request,
    SourceType,
    Verified,
    Write,
)
from webhooks.signatures.verifier import WeakSecret


class SourceError(ValueError):
    """A source of registrar.yml can't be opened; the message names it and says why."""

    def __init__(self, place: Place, why: object) -> None:
        self.place, self.why = place, str(why)
        super().__init__(f"{'.'.join(map(str, place))}: {why}")


@dataclass(frozen=True)
class OpenSource:
    """A source of registrar.yml, ready to verify requests."""

    context: Context
    kind: SourceType

    def verify(self, request: Request) -> Verified:
        return self.kind.verify(request, self.context)

    def normalise(self, request: Request) -> Parsed:
        return self.kind.normalise(request, self.context)

    def handshake(self, headers: Mapping[str, str]) -> Answer | None:
        """Return the answer to OPTIONS; None for kinds without a handshake."""
        handshake: Handshake | None = getattr(self.kind, "handshake", None)
        return handshake(headers, self.context) if handshake else None

    @property
    def max_bytes(self) -> int:
        """Return the largest accepted body in bytes: max_bytes of registrar.yml, or the kind's own limit if lower."""
        return min(self.context.config.max_bytes, getattr(self.kind, "MAX_BYTES", self.context.config.max_bytes))

    @property
    def has_own_refusals(self) -> bool:
        """Return whether this kind answers verified requests with refusals in its own form, such as a chat message."""
        return hasattr(self.kind, "refuse")

    def async_reply(self, request: Request, rejected: Rejected) -> ChatReply | None:
        """Return the message to post to the person, if the chat system does not show responses; else None."""
        write: Write | None = getattr(self.kind, "async_reply", None)
        return write(request, rejected, self.context) if write else None

    def refusal_body(self, request: Request, rejected: Rejected) -> Mapping[str, Any] | None:
        """Return the body of a refusal in the kind's own form, if it has one."""
        refuse: Refuse | None = getattr(self.kind, "refuse", None)
        return refuse(request, rejected) if refuse else None


def open_all(policy: Policy, settings: Settings, *, encryptor: Encryptor) -> dict[str, OpenSource]:
    """Open all sources; return them by name. Raises SourceError for an unknown kind, or a missing or weak secret."""
    return {name: open_one(name, policy, settings, encryptor) for name in policy.sources}


def open_one(name: str, policy: Policy, settings: Settings, encryptor: Encryptor) -> OpenSource:
    """Open one source. Raises SourceError."""
    config = policy.sources[name]
    try:
        kind = cast("SourceType", plugins.load("webhooks.sources", config.kind))
    except plugins.UnknownKind as error:
        raise SourceError(("sources", name, "kind"), error) from None
    secrets = tuple(_secret(name, reference, kind, settings) for reference in config.secrets)
    context = Context(name, config, policy, encryptor, secrets, _options(name, config, kind))
    _check(context, kind)
    return OpenSource(context, kind)


def _check(context: Context, kind: SourceType) -> None:
    check: Check | None = getattr(kind, "check", None)
    try:
        if check:
            check(context)
    except WeakSecret as error:
        raise SourceError(("sources", context.name), error) from None


def _options(name: str, config: Source, kind: SourceType) -> BaseModel:
    try:
        return plugin_options.read(kind, config.options)
    except plugin_options.BadOptions as error:
        raise SourceError(("sources", name, "options"), error) from None


def _secret(name: str, reference: str, kind: SourceType, settings: Settings) -> str:
    try:
        secret = settings.secret(reference)
        kind.check_secret(secret)
    except SettingsError as error:
        raise SourceError(("sources", name, "secrets"), error) from None
    except WeakSecret as error:
        raise SourceError(("sources", name, "secrets"), f"{reference}: {error}") from None
    return secret
