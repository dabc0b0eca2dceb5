"""/models: each model with its holders. /models/NAME: its targets, versions, history, champion against challenger."""

from collections.abc import Mapping, Sequence
from typing import Any

from flask import Blueprint, url_for

from registrar.ledger.engine import now
from registrar.queries.model_record import read_model
from registrar.queries.overview import read_models
from registrar.queries.version_verbs import Person
from webhooks.dashboard import model_page, query_params
from webhooks.dashboard.charts.sparkline import sparkline
from webhooks.dashboard.context import DashboardContext
from webhooks.dashboard.timeline import group_alike, target_name
from webhooks.ingress.errors import NotFound
from webhooks.ingress.validation import clean

MOST = 50


def register(pages: Blueprint, context: DashboardContext) -> None:
    @pages.get("/models", endpoint="models")
    def all_models() -> str:
        principal, after, at = context.require_principal(), query_params.exact("after"), now()
        with context.ledger.read() as connection:
            read = read_models(connection, context.policy, after=after, limit=MOST + 1, at=at)
        rows = read.pop("rows")
        more = url_for("pages.models", after=rows[MOST - 1].model) if len(rows) > MOST else None
        shown = {"rows": rows[:MOST], "more": more, "first": not after, "sparkline": sparkline}
        return context.page("models.html", principal, now=at, policy=context.policy, **shown, **read)

    @pages.get("/models/<name>")
    def model(name: str) -> str:
        principal, at = context.require_principal(), now()
        before, metric = query_params.number("before"), query_params.text("metric")
        with context.ledger.read() as connection:
            person = Person(principal.actor.id, principal.role)
            record = read_model(connection, context.policy, name, at=at, before=before, person=person)
        if record is None:
            raise NotFound(f"there was no event about a model {clean(name)}")
        shown = model_page.shown(context, principal, record, metric=metric, before=before, at=at)
        return context.page("model.html", principal, now=at, **shown)


def _held_now(holders: Sequence[Mapping[str, Any]]) -> list[tuple[str, Mapping[str, Any]]]:
    """Return the present holders with the names of what they hold. A stage and an alias that a version got together are
    one row.
    """
    groups = group_alike(holders, lambda a, b: (a["version"], a["since"]) == (b["version"], b["since"]))
    return [(" ".join(target_name(row["kind"], row["key"]) for row in group), group[0]) for group in groups]
