"""CloudEvents 1.0 over HTTP, structured, batched or binary: our own events in a standard envelope.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md
https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md
https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/http-webhook.md
An event's identity is its source and id, in any batch. Events of other types, which brokers send too, are ignored by
name. In binary mode source, id and type are in headers, which a signature of the body does not cover: so binary mode
needs a bearer token (and https). WebHook-Request-Callback is never called.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, cast

from cloudevents.core.v1.event import CloudEvent
from pydantic import Field

from registrar.events.event import Actor, Event
from registrar.policy.base_model import Strict
from webhooks.ci.payload import Ignored, text
from webhooks.ingress import strict_json, validation
from webhooks.ingress.errors import InvalidEvent, NotPermitted
from webhooks.ingress.source_types import Answer, Context, Identity, Outgoing, Parsed, Request, Verified
from webhooks.ingress.validation import clean
from webhooks.signatures import configurable
from webhooks.signatures.configurable import Bearer, Hmac, Verification
from webhooks.signatures.schemes import Scheme
from webhooks.signatures.verifier import WeakSecret
from webhooks.sources.cloudevents.http_binding import (
    BATCH,
    BINARY,
    FORMATS,
    STRUCTURED,
    ReceivedEvent,
    binary,
    structured,
)

CONTENT_TYPES = None  # in binary mode it is the data's, and other events may have any
MOST = 100  # events of ours in a batch
_JSON = re.compile(r"application/([a-z0-9.-]+\+)?json(;.*)?", re.IGNORECASE)
Origin = Annotated[str, Field(pattern=r"^(\*|[A-Za-z0-9.-]{1,253})$(?!\n)")]


class Options(Strict):
    """type_prefix: before our types, such as com.example.; events without it are ignored.

    origins: DNS names that the handshake permits to send; * is any.
    """

    verify: Verification = Bearer(how="bearer")
    type_prefix: Annotated[str, Field(max_length=100, pattern=r"^[A-Za-z0-9._-]*$(?!\n)")] = ""
    origins: list[Origin] = []


def _options(context: Context) -> Options:
    return cast("Options", context.options)


def check_secret(secret: str) -> None:
    """Check the length; `check` does the rest, which depends on the options."""
    if len(secret) < configurable.MIN_KEY:
        raise WeakSecret(f"a secret needs {configurable.MIN_KEY} characters at least")


def check(context: Context) -> None:
    configurable.check(_options(context).verify, context.secrets)


def scheme(context: Context) -> Scheme | None:
    return configurable.scheme(_options(context).verify)


def verify(request: Request, context: Context) -> Verified:
    return configurable.verify(_options(context).verify, request, context)


def normalise(request: Request, context: Context) -> Parsed:
    """Parse one event, or each event of a batch."""
    try:
        if request.content_type == BATCH:
            return _batch(_json(request), request, context)
        return _parsed([_one(request, context)], is_batch=False)
    except Ignored as ignored:
        return ignored.parsed


def _one(request: Request, context: Context) -> tuple[CloudEvent, Event]:
    """Parse a request with one event. Raises Ignored, InvalidEvent, UnsupportedMediaType."""
    if request.content_type == STRUCTURED:
        return _event(structured(_json(request)), request, context)
    if request.content_type.startswith(FORMATS):
        raise Ignored(f"CloudEvents in the format {clean(request.content_type)}; send {STRUCTURED}")
    return _event(binary(request, signed=not isinstance(_options(context).verify, Hmac)), request, context)


def handshake(headers: Mapping[str, str], context: Context) -> Answer:
    """Answer OPTIONS, whether an origin may send: https://github.com/cloudevents/spec (http-webhook.md, section 4)"""
    origin = headers.get("webhook-request-origin", "")
    if not origin:
        raise InvalidEvent("the header WebHook-Request-Origin is missing; CloudEvents' handshake needs it")
    origins = _options(context).origins
    allowed = next((each for each in origins if each == "*" or each.lower() == origin.lower()), None)
    if allowed is None:
        raise NotPermitted(f"{clean(origin)} is not in the origins of this source's options")
    count, _, unit = context.config.rate_limit.partition("/")
    rate = int(count) * (60 if unit == "second" else 1)
    response_headers = {"WebHook-Allowed-Origin": allowed, "WebHook-Allowed-Rate": str(rate), "Allow": "POST, OPTIONS"}
    return Answer(200, {"allowed": allowed, "rate": rate}, response_headers)


def compose(content: Mapping[str, Any], context: Context) -> Outgoing:
    """Compose a structured event. Its id is a digest of the content, so that the same content is the same event."""
    id = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]
    time = {"time": content["timestamp"]} if "timestamp" in content else {}
    type_ = _options(context).type_prefix + content["type"]
    attributes = {"specversion": "1.0", "id": id, "source": "/registrar/send", "type": type_, **time}
    return Outgoing({"content-type": STRUCTURED}, json.dumps({**attributes, "data": content["data"]}).encode())


def sign(outgoing: Outgoing, *, secret: str, context: Context, now: datetime) -> Outgoing:
    del now
    return configurable.sign(_options(context).verify, outgoing, secret=secret)


def _batch(content: Any, request: Request, context: Context) -> Parsed:
    """Parse a batch: all our events or none; events of other types are ignored."""
    if not isinstance(content, list):
        raise InvalidEvent("a batch is a JSON array of events")
    pairs = []
    for position, each in enumerate(content):
        try:
            pairs.append(_event(structured(each), request, context))
        except Ignored:
            continue
        except InvalidEvent as error:
            raise InvalidEvent(f"event {position} of the batch: {error.detail}", errors=error.errors) from None
    if not pairs:
        raise Ignored("a batch without events of ours")
    if len(pairs) > MOST:
        raise InvalidEvent(f"a batch may have {MOST} events of ours, and this one has {len(pairs)}; send smaller ones")
    return _parsed(pairs, is_batch=True)


def _parsed(pairs: Sequence[tuple[CloudEvent, Event]], *, is_batch: bool) -> Parsed:
    """Return the events with their identities, which stay the same in any mode and batch. Equal events of a batch count
    once.
    """
    events = {Identity(_id(cloud), _digest(cloud)): event for cloud, event in pairs}
    if len({identity.delivery_id for identity in events}) < len(events):
        raise InvalidEvent("two events of the batch have the same source and id, but other content")
    if is_batch:
        return Parsed(tuple(events.values()), identities=tuple(events))
    [(identity, event)] = events.items()
    return Parsed((event,), identity.delivery_id, digest=identity.digest)


def _json(request: Request) -> Any:
    return strict_json.parse_theirs(request.body)


def _event(received: ReceivedEvent, request: Request, context: Context) -> tuple[CloudEvent, Event]:
    """Parse one event; nothing but the type is read of other products' events. Raises Ignored, InvalidEvent."""
    prefix, type_ = _options(context).type_prefix, text(received.attributes, "type")
    if type_ and not type_.startswith(prefix):
        raise Ignored(f"type {clean(type_)!r} does not begin with {prefix!r}")
    if ours := type_.removeprefix(prefix):
        validation.check_ours(ours)
    if not received.signed:
        raise InvalidEvent(f"the ce- headers are not signed, so anybody could change them; send {STRUCTURED}")
    cloud = received.validated(request.received_at)
    data = cloud.get_data()
    if not _JSON.fullmatch(cloud.get_datacontenttype() or BINARY) or not isinstance(data, dict):
        raise InvalidEvent("data must be a JSON object, with the datacontenttype application/json")
    actor = Actor(f"source:{context.name}", context.name)
    return cloud, Event(validation.data(ours, data), actor, cast("datetime", cloud.get_time()))


def _id(cloud: CloudEvent) -> str:
    """Return source and id as one delivery id."""
    return "ce:" + hashlib.sha256(f"{cloud.get_source()}\0{cloud.get_id()}".encode()).hexdigest()


def _digest(cloud: CloudEvent) -> str:
    content = [cloud.get_type(), cloud.get_data()]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
