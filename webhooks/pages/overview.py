"""/: what waits for whom, what happened lately, and how all parts are."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from flask import Blueprint
from sqlalchemy import Connection

from registrar.ledger import dead, deployments, disputes, feed, gauges, heartbeats, incidents, promotions, rejections
from registrar.ledger.engine import now
from registrar.reading.not_live import not_live
from webhooks.errors import NotReady
from webhooks.pages import asked
from webhooks.pages.house import House

LATELY = timedelta(hours=24)
_FEW, _INCIDENTS = 5, 10
_PARTS = ("worker", "beat")


def register(pages: Blueprint, house: House) -> None:
    @pages.get("/")
    def overview() -> str:
        guest, at = house.guest(), now()
        with house.ledger.read() as connection:
            shown = _read(house, connection, at)
        parts = [*_processes(shown.pop("heartbeats"), at), *_checks(house)]
        trouble = [part for part in parts if part["status"] not in ("pass", "alive")]
        return house.page("overview.html", guest, now=at, parts=parts, trouble=trouble, **shown)


def _read(house: House, connection: Connection, at: datetime) -> dict[str, Any]:
    since = at - LATELY
    open_ = promotions.still_open(connection)
    return {
        "waiting": asked.questions(house.policy, connection, open_, at=at),
        "queue": gauges.queue(connection, at),
        "deploying": deployments.under_way(connection),
        "not_live": not_live(house.policy, connection),
        "disputes": disputes.disputes(connection),
        "incidents": incidents.incidents(connection, since=since, limit=_INCIDENTS),
        "dead": dead.letters(connection, limit=_FEW),
        "dead_count": sum(one.count for one in gauges.dead(connection)),
        "refused": [row for row in rejections.latest(connection, limit=_FEW) if row["at"] >= since],
        "refused_count": feed.refused_since(connection, since),
        "accepted_count": feed.accepted_since(connection, since),
        "counted": feed.COUNTED,
        "lately": feed.lately(connection, since=since),
        "heartbeats": heartbeats.all_known(connection),
    }


def _processes(found: Sequence[heartbeats.Heartbeat], at: datetime) -> list[dict[str, Any]]:
    """Each of them, and those of which none is heard at all."""
    told = [_process(one, at) for one in found]
    heard = {one.part for one in found if not one.silent(at)}
    return told + [_missing(part) for part in _PARTS if part not in heard and part not in {one.part for one in found}]


def _process(one: heartbeats.Heartbeat, at: datetime) -> dict[str, Any]:
    status = "silent" if one.silent(at) else "idle" if one.idle(at) else "alive"
    said = {
        "silent": "not heard of for more than 35 s: it is dead, hangs, or can't reach the ledger",
        "idle": "it lives, yet nothing passes between it and the broker",
        "alive": f"{one.in_hand} in hand" if one.part == "worker" else "ticks",
    }
    return {"name": one.part, "status": status, "detail": said[status], "instance": one.instance, "seen": one.seen_at}


def _missing(part: str) -> dict[str, Any]:
    told = f"none is running: registrar up, or python -m worker {_RUN[part]}"
    return {"name": part, "status": "missing", "detail": told}


_RUN = {"worker": "run", "beat": "beat"}


def _checks(house: House) -> list[dict[str, Any]]:
    """The receiver's own, as /readyz has them."""
    try:
        told = house.health.ready()["checks"]
    except NotReady as error:
        told = error.checks
    checks: Mapping[str, Mapping[str, str]] = told if isinstance(told, Mapping) else {}
    return [{"name": name, **check} for name, check in checks.items()]
