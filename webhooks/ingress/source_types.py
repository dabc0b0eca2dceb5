"""Types that pass between the receiver and a kind of source; webhooks/sources/__init__.py has the contract."""

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, Protocol

from pydantic import BaseModel

from registrar.config.encryption import Encryptor
from registrar.events.event import Event
from registrar.policy import Policy, Source
from registrar.policy.plugin_options import NoOptions
from webhooks.ingress.chat_reply import ChatReply
from webhooks.ingress.errors import Rejected
from webhooks.signatures.schemes import Scheme


@dataclass(frozen=True)
class Request:
    """A request as it arrived.

    headers: names in lower case; a repeated header is one value, joined by commas (WSGI does so).
    content_type: the media type alone, in lower case. received_at: the only clock that a source may use.
    """

    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    content_type: str
    received_at: datetime

    @cached_property
    def body_sha256(self) -> str:
        """Hex."""
        return hashlib.sha256(self.body).hexdigest()


@dataclass(frozen=True)
class Context:
    """The source of registrar.yml that a request came from. secrets: one or two live ones.

    options: the kind's own Options, made of the source's `options`; NoOptions where the kind has none.
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

    delivery_id: the sender's, where it is signed. secret_index: which of the live secrets made it; None: none did,
    as for a text that this installation sealed.
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
    """The identity of one event, independent of the request that brings it: see Parsed."""

    delivery_id: str
    digest: str


@dataclass(frozen=True)
class Parsed:
    """The content of a request.

    delivery_id: where it stands in the body; it goes before the one that `verify` gave. None in both places: the
    body's digest is taken.
    digest: SHA-256, hex, of what makes a repetition the same; None: the body's. For a press of which each report
    differs (in a trigger's id), though it says the same.
    identities: one for each event, in their order, where each is known by itself, and is a delivery of its own; else
    the request is one delivery, whatever it holds.
    answer: given once the events are committed; where there are none, at once. None: the usual 202 with their ids.
    """

    events: tuple[Event, ...] = ()
    delivery_id: str | None = None
    answer: Answer | None = None
    digest: str | None = None
    identities: tuple[Identity, ...] = ()


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
    """Whether secrets and options go together. Raises WeakSecret: the receiver refuses to start."""

    def __call__(self, context: Context) -> None: ...


class SchemeOf(Protocol):
    """How a source's requests are signed; None where that is no Scheme."""

    def __call__(self, context: Context) -> Scheme | None: ...


class Compose(Protocol):
    """One of our events as this kind of sender would say it. content: type, data, and timestamp if it is known."""

    def __call__(self, content: Mapping[str, Any], context: Context) -> Outgoing: ...


class Sign(Protocol):
    """The request with what proves who sent it, where that is no Scheme's signature, or more than that."""

    def __call__(self, outgoing: Outgoing, *, secret: str, context: Context, now: datetime) -> Outgoing: ...


class Handshake(Protocol):
    """The answer to OPTIONS. headers: names in lower case; nothing is signed. Raises Rejected."""

    def __call__(self, headers: Mapping[str, str], context: Context) -> Answer: ...


class Refuse(Protocol):
    """Says a refusal in the sender's own way, or None: problem+json."""

    def __call__(self, request: Request, rejected: Rejected) -> Mapping[str, Any] | None: ...


class Write(Protocol):
    """Says a refusal where the answer is not shown to the person, or None: it is."""

    def __call__(self, request: Request, rejected: Rejected, context: Context) -> ChatReply | None: ...
