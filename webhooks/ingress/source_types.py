"""Types between the receiver and a kind of source; webhooks/sources/__init__.py has the contract."""

import hashlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, Protocol

from pydantic import BaseModel

from registrar.config.encryption import Encryptor
from registrar.events.event import Event
from registrar.events.types import Data
from registrar.policy import Policy, Source
from registrar.policy.plugin_options import NoOptions
from webhooks.ingress.chat_reply import ChatReply
from webhooks.ingress.errors import Rejected
from webhooks.signatures.schemes import Scheme


@dataclass(frozen=True)
class Request:
    """A request as it arrived.

    headers: names in lower case; a repeated header is one value, joined by commas, as in WSGI.
    content_type: the media type alone, in lower case. received_at: the only clock that a source may use.
    """

    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    content_type: str
    received_at: datetime

    @cached_property
    def body_sha256(self) -> str:
        """Return the digest in hex."""
        return hashlib.sha256(self.body).hexdigest()


@dataclass(frozen=True)
class Context:
    """The source of registrar.yml that a request is for. secrets: one, or two during a rotation.

    options: the kind's own Options, made of the source's `options`; NoOptions if the kind has none.
    """

    name: str
    config: Source
    policy: Policy
    encryptor: Encryptor = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)
    options: BaseModel = field(default_factory=NoOptions)


@dataclass(frozen=True)
class Verified:
    """The result of a valid signature.

    delivery_id: the sender's, if it is signed. secret_index: of the secret that made the signature; None: the proof is
    a text that this installation encrypted.
    """

    delivery_id: str | None
    secret_index: int | None


@dataclass(frozen=True)
class Answer:
    """The response to a sender; the body is JSON."""

    status: int
    body: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Identity:
    """The identity of one event, independent of its request: see Parsed."""

    delivery_id: str
    digest: str


@dataclass(frozen=True)
class Parsed:
    """The content of a request.

    delivery_id: the one in the body, which overrides that of `verify`. None for both: the body's digest is the id.
    digest: SHA-256, hex, of the content that must be equal in a repetition; None: the whole body's. A chat system's
    reports of the same press differ, for instance in a trigger's id.
    identities: one per event, in the same order, if each event is a delivery of its own. Empty: the request is one
    delivery, however many events it has.
    answer: sent after the commit of the events; without events, at once. None: the usual 202 with their ids.
    answer_of: returns the answer to a person whose command named no version, once that is found; instead of `answer`.
    """

    events: tuple[Event, ...] = ()
    delivery_id: str | None = None
    answer: Answer | None = None
    digest: str | None = None
    identities: tuple[Identity, ...] = ()
    answer_of: Callable[[Data], Answer] | None = None


@dataclass(frozen=True)
class Outgoing:
    """A request to send, for `registrar send`. headers: names in lower case."""

    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    def with_headers(self, more: Mapping[str, str]) -> "Outgoing":
        return Outgoing({**self.headers, **more}, self.body)


class SourceType(Protocol):
    """A module of webhooks/sources/; webhooks/sources/__init__.py lists the optional members."""

    CONTENT_TYPES: Collection[str] | None

    def check_secret(self, secret: str) -> None: ...

    def verify(self, request: Request, context: Context) -> Verified: ...

    def normalise(self, request: Request, context: Context) -> Parsed: ...


class Check(Protocol):
    """Check that secrets and options fit each other. Raises WeakSecret: the receiver refuses to start."""

    def __call__(self, context: Context) -> None: ...


class SchemeOf(Protocol):
    """Return how a source's requests are signed; None if not by a Scheme."""

    def __call__(self, context: Context) -> Scheme | None: ...


class Compose(Protocol):
    """Compose one of our events in the kind's form. content: type, data, and timestamp if it is known."""

    def __call__(self, content: Mapping[str, Any], context: Context) -> Outgoing: ...


class Sign(Protocol):
    """Add the proof of the sender that is not a Scheme's signature."""

    def __call__(self, outgoing: Outgoing, *, secret: str, context: Context, now: datetime) -> Outgoing: ...


class Handshake(Protocol):
    """Answer OPTIONS. headers: names in lower case, not signed. Raises Rejected."""

    def __call__(self, headers: Mapping[str, str], context: Context) -> Answer: ...


class Refuse(Protocol):
    """Return a refusal in the kind's own form; None: problem+json."""

    def __call__(self, request: Request, rejected: Rejected) -> Mapping[str, Any] | None: ...


class Write(Protocol):
    """Return a refusal to post, if the chat system does not show the response; None: it does."""

    def __call__(self, request: Request, rejected: Rejected, context: Context) -> ChatReply | None: ...
