"""The receiver that a team writes itself: Flask, an HMAC, a delivery seen once by Redis, Celery for the work.

It keeps nothing but the message: no record, no policy, and what Redis loses is lost.
"""

import base64
import hmac
import os
import time

import celery
import flask
import redis
from celery.exceptions import OperationalError

TOLERANCE = 300  # seconds
REMEMBERED = 86_400  # seconds, of delivery ids

queue = celery.Celery("handwritten", broker=os.environ["BROKER_URL"])
queue.conf.update(task_ignore_result=True, task_acks_late=True)


@queue.task
def register(event: dict) -> None:
    """The worker's part."""


def create_app() -> flask.Flask:
    app = flask.Flask("handwritten")
    key = base64.b64decode(os.environ["WEBHOOK_SECRET"].removeprefix("whsec_"))
    seen = redis.Redis.from_url(os.environ["BROKER_URL"])

    @app.post("/webhooks/ci")
    def receive() -> tuple[dict[str, str], int]:
        body = flask.request.get_data()
        if not verified(key, flask.request.headers, body):
            return {"error": "bad signature"}, 401
        event = flask.request.get_json(silent=True)
        if not isinstance(event, dict) or not isinstance(event.get("data"), dict):
            return {"error": "not an event"}, 400
        delivery = f"delivery:{flask.request.headers['webhook-id']}"
        if not seen.set(delivery, 1, nx=True, ex=REMEMBERED):
            return {"status": "duplicate"}, 200
        try:
            register.apply_async((event,))
        except OperationalError:
            seen.delete(delivery)
            return {"error": "try again"}, 503
        return {"status": "accepted"}, 202

    return app


def verified(key: bytes, headers: flask.typing.HeadersValue, body: bytes) -> bool:
    """Standard Webhooks v1."""
    id_, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not id_ or not timestamp.isdecimal() or abs(time.time() - int(timestamp)) > TOLERANCE:
        return False
    digest = hmac.digest(key, f"{id_}.{timestamp}.".encode() + body, "sha256")
    expected = "v1," + base64.b64encode(digest).decode()
    return any(hmac.compare_digest(expected, one) for one in headers.get("webhook-signature", "").split(" "))
