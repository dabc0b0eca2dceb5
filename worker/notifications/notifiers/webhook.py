"""kind: webhook. Post facts as JSON, signed by Standard Webhooks, for deploy systems and other listeners.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md, formats/json-format.md (structured mode)
"""

import json
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import requests
from pydantic import Field

from registrar.config.encryption import Encryptor
from registrar.http import signing
from registrar.policy.base_model import Strict
from worker.notifications.notifiers import Notification
from worker.notifications.transport.http_post import post as send

NEEDS = ("url", "secret")
_TYPES = {"standard": "application/json", "cloudevents": "application/cloudevents+json; charset=utf-8"}


class Options(Strict):
    """The payload's format. type_prefix: in front of our types in CloudEvents, in reverse DNS."""

    format: Literal["standard", "cloudevents"] = "standard"
    type_prefix: Annotated[str, Field(pattern=r"^[a-z0-9-]+(\.[a-z0-9-]+)*$(?!\n)", max_length=200)] = "io.registrar"


def body(notification: Notification) -> bytes:
    """Return the bytes to sign and send, in the format of the channel's options."""
    options = Options.model_validate(notification.options)
    content = _event(notification, options.type_prefix) if options.format == "cloudevents" else _standard(notification)
    return json.dumps(content, separators=(",", ":")).encode()


def _standard(notification: Notification) -> dict[str, Any]:
    """Return {"type", "timestamp", "data": {"event", "text", "model", "version", ...details}}."""
    fact = notification.fact
    about = {"event": notification.event_id, "text": fact.text, "model": fact.model, "version": fact.version}
    return {"type": fact.type, "timestamp": notification.at.isoformat(), "data": {**fact.details, **about}}


def _event(notification: Notification, prefix: str) -> dict[str, Any]:
    """Return a CloudEvent without empty attributes; its id is the same on every attempt, as the specification asks.

    correlationid, causationid: https://github.com/cloudevents/spec/blob/main/cloudevents/extensions/correlation.md
    """
    fact = notification.fact
    about = {"text": fact.text, "model": fact.model, "version": fact.version}
    version = f"/versions/{fact.version}" if fact.version is not None else ""
    attributes = {
        "specversion": "1.0",
        "id": notification.id,
        "source": notification.source,
        "type": f"{prefix}.{fact.type}.v1",
        "subject": f"models/{fact.model}{version}" if fact.model else None,
        "time": notification.at.isoformat(),
        "datacontenttype": "application/json",
        "correlationid": fact.details.get("promotion"),
        "causationid": notification.event_id,
        "actor": notification.actor,
        "data": {**fact.details, **about},
    }
    return {name: value for name, value in attributes.items() if value}


def post(notification: Notification, http: requests.Session, encryptor: Encryptor) -> None:
    """Post one fact. A retry has the same id, but a new time of signing, as the specification asks."""
    secret, content = notification.required_secret("a key to sign with"), body(notification)
    signed = signing.standard_webhooks(secret, id=notification.id, timestamp=datetime.now(UTC), body=content)
    media_type = _TYPES[Options.model_validate(notification.options).format]
    send(http, notification.url, content, {"Content-Type": media_type, **signed})
