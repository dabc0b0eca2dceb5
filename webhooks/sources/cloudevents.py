"""CloudEvents 1.0 over HTTP, structured, batched or binary: our own events in the field's envelope.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md
https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md
https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/http-webhook.md
An event is known by its source and id. In binary mode both, and the type, stand in headers: a signature of the body
does not vouch for them, so binary mode goes with a bearer token, for which https vouches. WebHook-Request-Callback is
never called.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, cast
from urllib.parse import unquote_to_bytes

from cloudevents.core.exceptions import CloudEventValidationError
from cloudevents.core.v1.event import CloudEvent
from pydantic import Field

from registrar.event import Actor, Event
from registrar.policy.strict import Strict
from webhooks import configured, strict_json, valid
from webhooks.ci.payload import Ignored
from webhooks.clean import clean
from webhooks.configured import Bearer, Hmac, Verification
from webhooks.errors import InvalidEvent, NotPermitted
from webhooks.schemes import Scheme
from webhooks.signature import WeakSecret
from webhooks.source import Answer, Context, Outgoing, Parsed, Request, Verified

STRUCTURED, BATCH, BINARY = "application/cloudevents+json", "application/cloudevents-batch+json", "application/json"
CONTENT_TYPES = frozenset({STRUCTURED, BATCH, BINARY})
MOST = 100  # events of a batch
_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?\d*(Z|[+-]\d\d:\d\d)", re.ASCII | re.IGNORECASE)
_JSON = re.compile(r"application/([a-z0-9.-]+\+)?json(;.*)?", re.IGNORECASE)
Origin = Annotated[str, Field(pattern=r"^(\*|[A-Za-z0-9.-]{1,253})$(?!\n)")]


class Options(Strict):
    """type_prefix: before our types, such as com.example.; events without it are ignored.

    origins: who may be told at the handshake that it may send, by DNS name; * is anybody.
    """

    verify: Verification = Bearer(how="bearer")
    type_prefix: Annotated[str, Field(max_length=100, pattern=r"^[A-Za-z0-9._-]*$(?!\n)")] = ""
    origins: list[Origin] = []


def _options(context: Context) -> Options:
    return cast("Options", context.options)


def check_secret(secret: str) -> None:
    """The rest is `check`'s: what a secret must be depends on the options."""
    if len(secret) < configured.MIN_KEY:
        raise WeakSecret(f"a secret needs {configured.MIN_KEY} characters at least")


def check(context: Context) -> None:
    configured.check(_options(context).verify, context.secrets)


def scheme(context: Context) -> Scheme | None:
    return configured.scheme(_options(context).verify)


def verify(request: Request, context: Context) -> Verified:
    return configured.verify(_options(context).verify, request, context)


def normalise(request: Request, context: Context) -> Parsed:
    """All events of a batch or none."""
    if request.content_type == BATCH:
        return _batch(_json(request), request, context)
    cloud = _binary(request, context) if request.content_type == BINARY else _structured(_json(request), request)
    try:
        event = _event(cloud, context)
    except Ignored as ignored:
        return ignored.parsed
    # Sent again, it may be written in another way, and is the same event.
    return Parsed((event,), _identity(cloud), digest=_digest(cloud))


def handshake(headers: Mapping[str, str], context: Context) -> Answer:
    """OPTIONS: whether an origin may send. https://github.com/cloudevents/spec (http-webhook.md, section 4)"""
    asked = headers.get("webhook-request-origin", "")
    if not asked:
        raise InvalidEvent("WebHook-Request-Origin is missing: OPTIONS is CloudEvents' question whether one may send")
    allowed = next((one for one in _options(context).origins if one == "*" or one.lower() == asked.lower()), None)
    if allowed is None:
        raise NotPermitted(f"{clean(asked)} is not in the origins of this source's options")
    count, _, unit = context.config.rate_limit.partition("/")
    rate = int(count) * (60 if unit == "second" else 1)
    given = {"WebHook-Allowed-Origin": allowed, "WebHook-Allowed-Rate": str(rate), "Allow": "POST, OPTIONS"}
    return Answer(200, {"allowed": allowed, "rate": rate}, given)


def compose(content: Mapping[str, Any], context: Context) -> Outgoing:
    """Structured. Its id is made of the content: the same again is the same event."""
    id = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]
    time = {"time": content["timestamp"]} if "timestamp" in content else {}
    type_ = _options(context).type_prefix + content["type"]
    attributes = {"specversion": "1.0", "id": id, "source": "/registrar/send", "type": type_, **time}
    return Outgoing({"content-type": STRUCTURED}, json.dumps({**attributes, "data": content["data"]}).encode())


def sign(outgoing: Outgoing, *, secret: str, context: Context, now: datetime) -> Outgoing:
    del now
    return configured.sign(_options(context).verify, outgoing, secret=secret)


def _batch(content: Any, request: Request, context: Context) -> Parsed:
    """One delivery, known by its body."""
    if not isinstance(content, list) or len(content) > MOST:
        raise InvalidEvent(f"a batch is a JSON array of {MOST} events at most")
    found = []
    for position, each in enumerate(content):
        try:
            found.append(_event(_structured(each, request), context))
        except Ignored:
            continue
        except InvalidEvent as error:
            raise InvalidEvent(f"event {position} of the batch: {error.detail}", errors=error.errors) from None
    return Parsed(tuple(found)) if found else Ignored("a batch without events of ours").parsed


def _json(request: Request) -> Any:
    return strict_json.parse(request.body)


def _structured(content: Any, request: Request) -> CloudEvent:
    if not isinstance(content, dict):
        raise InvalidEvent("a CloudEvent is one JSON object")
    if "data_base64" in content:
        raise InvalidEvent("data_base64 is not taken: our events' data is a JSON object, in data")
    attributes = {name: value for name, value in content.items() if name != "data" and value is not None}
    return _cloud(attributes, content.get("data"), request.received_at)


def _binary(request: Request, context: Context) -> CloudEvent:
    """Attributes are headers, percent-encoded."""
    attributes = {name[3:]: _decoded(name, value) for name, value in request.headers.items() if name.startswith("ce-")}
    if not attributes:
        raise InvalidEvent(f"no CloudEvent: send {STRUCTURED}, {BATCH}, or the attributes as ce- headers")
    if isinstance(_options(context).verify, Hmac):
        raise InvalidEvent(f"the ce- headers are not signed, so anybody could change them; send {STRUCTURED}")
    return _cloud(attributes, _json(request), request.received_at)


def _decoded(name: str, value: str) -> str:
    try:
        return unquote_to_bytes(value.encode("ascii")).decode("utf-8")
    except UnicodeError:
        raise InvalidEvent(f"the header {clean(name)} is not percent-encoded UTF-8") from None


def _cloud(attributes: dict[str, Any], data: Any, received_at: datetime) -> CloudEvent:
    """Judged by CNCF's own class, which would make up an id or a version that lacks."""
    if lacking := [name for name in ("specversion", "id", "source", "type") if name not in attributes]:
        raise InvalidEvent(f"no CloudEvent of version 1.0: {', '.join(lacking)} is missing")
    time = _time(attributes["time"]) if "time" in attributes else received_at
    try:
        return CloudEvent({**attributes, "time": time}, data)
    except CloudEventValidationError as error:
        wrong = "; ".join(str(one) for ones in error.errors.values() for one in ones)
        raise InvalidEvent(f"no CloudEvent of version 1.0: {clean(wrong, length=800)}") from None


def _time(said: Any) -> datetime:
    try:
        if isinstance(said, str) and _RFC_3339.fullmatch(said):
            return datetime.fromisoformat(said.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise InvalidEvent("time must be RFC 3339, such as 2026-11-22T12:00:00Z")


def _event(cloud: CloudEvent, context: Context) -> Event:
    """Raises Ignored, InvalidEvent."""
    prefix, type_, data = _options(context).type_prefix, cloud.get_type(), cloud.get_data()
    if not type_.startswith(prefix):
        raise Ignored(f"type {clean(type_)!r} does not begin with {prefix!r}")
    if not _JSON.fullmatch(cloud.get_datacontenttype() or "application/json") or not isinstance(data, dict):
        raise InvalidEvent("data must be a JSON object, its datacontenttype application/json")
    said = valid.data(type_.removeprefix(prefix), data)
    return Event(said, Actor(f"source:{context.name}", context.name), cast("datetime", cloud.get_time()))


def _identity(cloud: CloudEvent) -> str:
    """Source and id, in a form that any delivery id may have."""
    return "ce:" + hashlib.sha256(f"{cloud.get_source()}\0{cloud.get_id()}".encode()).hexdigest()


def _digest(cloud: CloudEvent) -> str:
    content = [cloud.get_type(), cloud.get_data()]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
