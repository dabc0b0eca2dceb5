"""/: what waits for whom, what happened lately, and how all parts are."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from flask import Blueprint
from sqlalchemy import Connection

from registrar.ledger import dead_letters, deployments, disputes, promotions, rejections
from registrar.ledger.engine import now
from registrar.ledger.queries import activity, incidents, metrics
from registrar.queries.not_live import not_live
from registrar.queries.processes import WELL, parts
from webhooks.dashboard import promotion_view
from webhooks.dashboard.context import DashboardContext
from webhooks.ingress.errors import NotReady

LATELY = timedelta(hours=24)
_FEW, _INCIDENTS = 5, 10


def register(pages: Blueprint, context: DashboardContext) -> None:
    @pages.get("/")
    def overview() -> str:
        principal, at = context.require_principal(), now()
        with context.ledger.read() as connection:
            shown = _read(context, connection, at)
        each = [*shown.pop("parts"), *_checks(context)]
        trouble = [part for part in each if part["status"] not in ("pass", WELL)]
        return context.page("overview.html", principal, now=at, parts=each, trouble=trouble, **shown)


def _read(context: DashboardContext, connection: Connection, at: datetime) -> dict[str, Any]:
    since = at - LATELY
    open_ = promotions.still_open(connection)
    return {
        "waiting": promotion_view.promotion_views(context.policy, connection, open_, at=at),
        "queue": metrics.queue(connection, at),
        "deploying": deployments.under_way(connection),
        "not_live": not_live(context.policy, connection),
        "disputes": disputes.disputes(connection),
        "incidents": incidents.incidents(connection, since=since, limit=_INCIDENTS),
        "dead": dead_letters.list_dead_letters(connection, limit=_FEW),
        "dead_count": sum(one.count for one in metrics.dead(connection)),
        "refused": [row for row in rejections.latest(connection, limit=_FEW) if row["at"] >= since],
        "refused_count": activity.refused_since(connection, since),
        "accepted_count": activity.accepted_since(connection, since),
        "counted": activity.COUNTED,
        "lately": activity.lately(connection, since=since),
        "parts": parts(connection),
    }


def _checks(context: DashboardContext) -> list[dict[str, Any]]:
    """The receiver's own, as /readyz has them."""
    try:
        told = context.health.ready()["checks"]
    except NotReady as error:
        told = error.checks
    checks: Mapping[str, Mapping[str, str]] = told if isinstance(told, Mapping) else {}
    return [{"name": name, **check} for name, check in checks.items()]
