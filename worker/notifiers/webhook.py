"""kind: webhook. Facts as JSON, signed by Standard Webhooks, for deploy systems and whatever else listens.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import json
from datetime import UTC, datetime

import requests

from registrar import signing
from registrar.seal import Seal
from worker.door import Final
from worker.notifiers import Notice
from worker.post import post as send


def body(notice: Notice) -> bytes:
    """The exact bytes: {"type", "timestamp", "data": {"event", "text", "model", "version", ...details}}."""
    fact = notice.fact
    about = {"event": notice.event_id, "text": fact.text, "model": fact.model, "version": fact.version}
    content = {"type": fact.type, "timestamp": notice.at.isoformat(), "data": {**fact.details, **about}}
    return json.dumps(content, separators=(",", ":")).encode()


def post(notice: Notice, http: requests.Session, seal: Seal) -> None:
    """The id stays the same when it is tried again; the time of signing does not, as the specification asks."""
    if not notice.secret:
        raise Final("the channel has no secret to sign with; add secret: env:NAME to it in registrar.yml")
    content = body(notice)
    signed = signing.standard_webhooks(notice.secret, id=notice.id, timestamp=datetime.now(UTC), body=content)
    send(http, notice.url, content, {"Content-Type": "application/json", **signed})
