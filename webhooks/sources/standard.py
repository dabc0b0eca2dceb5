"""Our own event JSON, signed by Standard Webhooks: from CI jobs, schedulers and `registrar send`.

v1 with a secret (whsec_...), or v1a with the sender's public key (whpk_...).

    {"type": "training_run.finished", "timestamp": "2026-11-22T12:00:00Z", "data": {"model": ..., "run_id": ...}}

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from registrar.events.event import Actor, Event
from webhooks.ci.payload import Ignored, text
from webhooks.ingress import strict_json, validation
from webhooks.ingress.errors import InvalidEvent
from webhooks.ingress.source_types import Context, Outgoing, Parsed, Request, Verified
from webhooks.ingress.validation import clean
from webhooks.signatures import schemes, verifier

CONTENT_TYPES = frozenset({"application/json"})
SCHEME = schemes.STANDARD_WEBHOOKS
_KEYS = ("type", "timestamp", "data")
_DEFAULT_TYPE = "training_run.finished"  # if the type is missing, so that the answer names the fields


def check_secret(secret: str) -> None:
    verifier.check_secret(SCHEME, secret)


def verify(request: Request, context: Context) -> Verified:
    """Verify a request. webhook-id is signed, and the same in each attempt of one delivery."""
    return verifier.verified(SCHEME, request, context)


def normalise(request: Request, context: Context) -> Parsed:
    """Parse one event. Its actor is the source; its timestamp is the time of the event, not of the signature."""
    content = strict_json.parse(request.body)
    try:
        validation.check_ours(text(content, "type") or _DEFAULT_TYPE)
    except Ignored as ignored:
        return ignored.parsed
    if errors := _envelope(content):
        raise InvalidEvent(validation.sentence("the event", errors), errors=errors)
    data = validation.data(content["type"], content["data"])
    happened = _time(content["timestamp"]) if "timestamp" in content else request.received_at
    return Parsed(events=(Event(data, Actor(f"source:{context.name}", context.name), happened),))


def compose(content: Mapping[str, Any], context: Context) -> Outgoing:
    del context
    return Outgoing({"content-type": "application/json"}, json.dumps(content).encode())


def _envelope(content: Any) -> list[dict[str, str]]:
    if not isinstance(content, dict):
        return [{"field": "body", "message": "must be one JSON object with type, timestamp and data"}]
    unknown = [key for key in content if key not in _KEYS]
    errors = [(clean(key), "is not a key of an event; the keys are type, timestamp and data") for key in unknown[:10]]
    if not isinstance(content.get("type"), str):
        errors.append(("type", "must be a text such as training_run.finished"))
    if not isinstance(content.get("data"), dict):
        errors.append(("data", "must be an object"))
    return [{"field": field, "message": message} for field, message in errors]


def _time(value: object) -> datetime:
    try:
        happened = datetime.fromisoformat(value) if isinstance(value, str) else None
        if happened and happened.tzinfo:
            return happened.astimezone(UTC)  # OverflowError: year 1 or 9999, at the far end of a zone
    except (ValueError, OverflowError):
        pass
    errors = [{"field": "timestamp", "message": "must be ISO 8601 with a zone, such as 2026-11-22T12:00:00Z"}]
    raise InvalidEvent(validation.sentence("the event", errors), errors=errors)
