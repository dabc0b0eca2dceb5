"""The read API: what became of an event, what was refused, which version held what; and how the receiver is."""

import ipaddress
import re
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Request, Response, request

from registrar.ledger import Ledger, rejections, status
from registrar.ledger.archived import place
from registrar.ledger.dead import letters
from registrar.ledger.history import history
from registrar.ledger.story import story
from webhooks.clean import clean
from webhooks.errors import InvalidEvent, NotFound, NotPermitted
from webhooks.health import Health
from webhooks.metrics import CONTENT_TYPE, Metrics

MOST = 500
_FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Real-Ip", "Via")
_LOOPBACK_NAMES = re.compile(r"(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d{1,5})?")


def blueprint(ledger: Ledger, health: Health, metrics: Metrics) -> Blueprint:
    api = Blueprint("api", __name__)

    @api.get("/v1/events/<event_id>")
    def event(event_id: str) -> dict[str, Any]:
        """Open to whoever has the id: it is 128 random bits, told to the sender alone."""
        with ledger.read() as connection:
            found = status.event(connection, event_id) if _readable(event_id) else None
            gone = place(connection, event_id) if found is None and _readable(event_id) else None
        if gone:
            raise NotFound(f"{event_id} was archived on {gone.started_at:%Y-%m-%d}: registrar archive show {event_id}")
        if found is None:
            raise NotFound(f"there is no event {clean(event_id)}; its id stands in the answer to its delivery")
        return found

    @api.get("/v1/events")
    def events() -> dict[str, Any]:
        _only_from_here(request)
        with ledger.read() as connection:
            return {"events": status.latest(connection, limit=_limit())}

    @api.get("/v1/rejections")
    def refused() -> dict[str, Any]:
        _only_from_here(request)
        with ledger.read() as connection:
            return {"rejections": rejections.latest(connection, limit=_limit())}

    @api.get("/v1/dead")
    def dead() -> dict[str, Any]:
        _only_from_here(request)
        model = _model()
        with ledger.read() as connection:
            return {"dead": [each.to_json() for each in letters(connection, model=model, limit=_limit())]}

    @api.get("/v1/dead/<task_id>")
    def dead_one(task_id: str) -> dict[str, Any]:
        _only_from_here(request)
        with ledger.read() as connection:
            found = story(connection, task_id) if _readable(task_id) else None
        if found is None:
            raise NotFound(f"there is no task {clean(task_id)}; /v1/dead lists what failed for good")
        return found

    @api.get("/v1/models/<name>/history")
    def model_history(name: str) -> dict[str, Any]:
        _only_from_here(request)
        at = _at()
        with ledger.read() as connection:
            return {"model": name, "history": [asdict(holding) for holding in history(connection, name, at=at)]}

    @api.get("/metrics")
    def counted() -> Response:
        _only_from_here(request)
        return Response(metrics.text(), content_type=CONTENT_TYPE)

    @api.get("/healthz")
    def alive() -> dict[str, str]:
        return {"status": "alive"}

    @api.get("/readyz")
    def ready() -> dict[str, Any]:
        return health.ready(request.args.getlist("exclude"))

    return api


def _readable(id_: str) -> bool:
    """PostgreSQL refuses what is no text."""
    return id_.isascii() and id_.isprintable()


def _only_from_here(arriving: Request) -> None:
    """Until there are tokens, lists are for this machine. A proxy on it makes the world look local, and so does a
    web page whose host name was rebound to 127.0.0.1: both are told apart by their headers.
    """
    proxied = any(header in arriving.headers for header in _FORWARDED)
    named = _LOOPBACK_NAMES.fullmatch(arriving.headers.get("Host", ""))
    if proxied or not named or not _loopback(arriving.remote_addr):
        raise NotPermitted("lists are shown to this machine only: ask http://127.0.0.1 on it, without a proxy")


def _loopback(address: str | None) -> bool:
    try:
        return ipaddress.ip_address(address or "").is_loopback
    except ValueError:  # a Unix socket has none
        return False


def _limit() -> int:
    given = request.args.get("limit", "50")
    if not re.fullmatch("[0-9]{1,3}", given) or not 1 <= int(given) <= MOST:
        raise InvalidEvent(f"limit must be a whole number from 1 to {MOST}")
    return int(given)


def _model() -> str | None:
    given = request.args.get("model")
    if given is not None and not given.isprintable():
        raise InvalidEvent("model must be a registered model's name")
    return given


def _at() -> datetime | None:
    given = request.args.get("at")
    if given is None:
        return None
    try:
        at = datetime.fromisoformat(given)
        if at.tzinfo:
            return at.astimezone(UTC)  # OverflowError: year 1 or 9999, at the far end of a zone
    except (ValueError, OverflowError):
        pass
    raise InvalidEvent("at must be ISO 8601 with a zone, such as 2026-11-22T12:00:00Z (+ is written %2B)")
