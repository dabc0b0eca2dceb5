"""Reads CloudEvents from HTTP: attributes and data, in a JSON envelope or in headers.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote_to_bytes

from cloudevents.core.exceptions import CloudEventValidationError
from cloudevents.core.v1.event import CloudEvent

from webhooks.ingress import strict_json
from webhooks.ingress.errors import InvalidEvent, Rejected, UnsupportedMediaType
from webhooks.ingress.source_types import Request
from webhooks.ingress.validation import clean

STRUCTURED, BATCH, BINARY = "application/cloudevents+json", "application/cloudevents-batch+json", "application/json"
# The beginnings of other formats than JSON (avro, protobuf, xml).
FORMATS = ("application/cloudevents+", "application/cloudevents-batch+")
_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?\d*(Z|[+-]\d\d:\d\d)", re.ASCII | re.IGNORECASE)
_DATA = ("data", "data_base64")
_NEEDED = ("specversion", "id", "source", "type", "time")
_ATTRIBUTES = frozenset({*_NEEDED, "subject", "datacontenttype", "dataschema"})


@dataclass(frozen=True)
class ReceivedEvent:
    """An event as sent, not validated yet. data: called only for events of ours. signed: whether the signature covers
    the attributes.
    """

    attributes: Mapping[str, Any]
    data: Callable[[], Any]
    signed: bool = True

    def validated(self, received_at: datetime) -> CloudEvent:
        """Validate by CNCF's own class, which would invent a missing id or version. Raises InvalidEvent, NotJson.

        Extensions are ignored: brokers add their own.
        """
        attributes = {name: value for name, value in self.attributes.items() if name in _ATTRIBUTES}
        if missing := [name for name in ("specversion", "id", "source", "type") if name not in attributes]:
            raise InvalidEvent(f"no CloudEvent of version 1.0: {', '.join(missing)} is missing")
        time = _time(attributes["time"]) if "time" in attributes else received_at
        try:
            return CloudEvent({**attributes, "time": time}, self.data())
        except CloudEventValidationError as error:
            messages = "; ".join(str(each) for errors in error.errors.values() for each in errors)
            raise InvalidEvent(f"no CloudEvent of version 1.0: {clean(messages, length=800)}") from None


def structured(content: Any) -> ReceivedEvent:
    """Read a parsed JSON envelope. Raises InvalidEvent."""
    if not isinstance(content, dict):
        raise InvalidEvent("a CloudEvent is one JSON object")
    attributes = {name: value for name, value in content.items() if name not in _DATA and value is not None}
    return ReceivedEvent(attributes, lambda: _data(content))


def _data(content: dict[str, Any]) -> Any:
    if content.get("data_base64") is not None:
        raise InvalidEvent("data_base64 is not accepted: send the data as a JSON object, in data")
    return content.get("data")


def binary(request: Request, *, signed: bool) -> ReceivedEvent:
    """Read percent-encoded headers as attributes; the content type is the data's.

    Raises InvalidEvent, UnsupportedMediaType.
    """
    sent = {name: value for name in _NEEDED if (value := request.headers.get(f"ce-{name}")) is not None}
    if not sent:
        raise _no_cloudevent(request)
    attributes = {name: _decoded(name, value) for name, value in sent.items()}
    if request.content_type:
        attributes["datacontenttype"] = request.content_type
    return ReceivedEvent(attributes, lambda: strict_json.parse_theirs(request.body), signed)


def _no_cloudevent(request: Request) -> Rejected:
    advice = f"send {STRUCTURED}, {BATCH}, or the attributes as ce- headers"
    if request.content_type == BINARY:
        return InvalidEvent(f"no CloudEvent: {advice}")
    return UnsupportedMediaType(f"Content-Type {clean(request.content_type) or '(none)'} is no CloudEvent's: {advice}")


def _decoded(name: str, value: str) -> str:
    try:
        return unquote_to_bytes(value.encode("ascii")).decode("utf-8")
    except UnicodeError:
        raise InvalidEvent(f"the header ce-{name} is not percent-encoded UTF-8") from None


def _time(text: Any) -> datetime:
    try:
        if isinstance(text, str) and _RFC_3339.fullmatch(text):
            return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise InvalidEvent("time must be RFC 3339, such as 2026-11-22T12:00:00Z")
