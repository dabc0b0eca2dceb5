"""/: what waits for the reader, a row for each model, what happened lately, and the state of each part."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from flask import Blueprint

from registrar.ledger.engine import now
from registrar.queries.filters import WELL
from registrar.queries.overview import read_overview
from webhooks.dashboard.charts.sparkline import sparkline
from webhooks.dashboard.context import DashboardContext
from webhooks.ingress.errors import NotReady

RECENT = timedelta(hours=24)


def register(pages: Blueprint, context: DashboardContext) -> None:
    @pages.get("/")
    def overview() -> str:
        principal, at = context.require_principal(), now()
        with context.ledger.read() as connection:
            waits = context.waiting_for(connection, principal, at=at)
            shown = read_overview(connection, context.policy, since=at - RECENT, at=at, waits=waits)
        parts = [*shown.pop("parts"), *_checks(context)]
        trouble = [part for part in parts if part["status"] not in ("pass", WELL)]
        me = principal.actor.id
        mine = [view for view in shown["waiting"] if view.promotion.id in waits.promotions and view.waits_for(me)]
        more = {"parts": parts, "trouble": trouble, "mine": mine, "sparkline": sparkline, "policy": context.policy}
        return context.page("overview.html", principal, now=at, waits=waits, **more, **shown)


def _checks(context: DashboardContext) -> list[dict[str, Any]]:
    """Return this receiver's checks, as in /readyz."""
    try:
        result = context.health.ready()["checks"]
    except NotReady as error:
        result = error.checks
    checks: Mapping[str, Mapping[str, str]] = result if isinstance(result, Mapping) else {}
    return [{"name": name, **check} for name, check in checks.items()]
