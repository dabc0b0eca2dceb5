"""/models: each model with its holders. /models/NAME: versions, history, champion against challenger."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, url_for

from registrar.ledger.engine import now
from registrar.ledger.queries.holdings import Holding
from registrar.ledger.queries.versions import KnownVersion
from registrar.policy import ModelPolicy, Target
from registrar.queries.dashboard import read_model
from registrar.queries.overview import read_models
from webhooks.dashboard import query_params
from webhooks.dashboard.charts.sparkline import sparkline
from webhooks.dashboard.context import DashboardContext
from webhooks.dashboard.timeline import group_alike, is_same, target_name, timeline
from webhooks.ingress.errors import NotFound
from webhooks.ingress.validation import clean

MOST = 50
_METRICS = 30


@dataclass(frozen=True)
class Side:
    """One side of the comparison. target: the one that the version holds."""

    version: int
    target: str
    metrics: Mapping[str, float]


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
        with context.ledger.read() as connection:
            record = read_model(connection, context.policy, name, at=at)
        if record is None:
            raise NotFound(f"there was no event about a model {clean(name)}")
        policy, holders = context.policy.model(name), record.summary["holders"]
        return context.page(
            "model.html",
            principal,
            now=at,
            model=record.summary,
            dispute=record.dispute,
            versions=record.versions,
            holds=_by_version(holders),
            held_now=_held_now(holders),
            held=_rows(record.held),
            recreated_at=record.recreated_at,
            picture=timeline(record.held, at, recreated_at=record.recreated_at),
            promotions=record.promotions,
            requests=_newest_requests([row for row in record.promotions if row["id"] not in record.deleted]),
            stuck={
                view.promotion.id: view.voting.impossible
                for view in record.open
                if view.voting and view.voting.impossible
            },
            became=record.became,
            incidents=record.incidents,
            not_live=record.not_live,
            rollbacks=record.rollbacks,
            policy=policy,
            pair=_pair(policy, holders, record.versions),
            metrics=_METRICS,
        )


def _held_now(holders: Sequence[Mapping[str, Any]]) -> list[tuple[str, Mapping[str, Any]]]:
    """Return the present holders with the names of what they hold. A stage and an alias that a version got together are
    one row.
    """
    groups = group_alike(holders, lambda a, b: (a["version"], a["since"]) == (b["version"], b["since"]))
    return [(" ".join(target_name(row["kind"], row["key"]) for row in group), group[0]) for group in groups]


def _rows(held: Sequence[Holding]) -> list[tuple[str, Holding]]:
    """Return holdings newest first, grouped as in _held_now."""
    groups = reversed(group_alike(held, is_same))
    return [(" ".join(target_name(holding.kind, holding.key) for holding in group), group[0]) for group in groups]


def _by_version(holders: Sequence[Mapping[str, Any]]) -> dict[int, list[str]]:
    """Return the names of what each version holds now."""
    by_version: dict[int, list[str]] = {}
    for row in holders:
        by_version.setdefault(row["version"], []).append(target_name(row["kind"], row["key"]))
    return by_version


def _newest_requests(promotions: Sequence[Mapping[str, Any]]) -> dict[int, list[Mapping[str, Any]]]:
    """Return each version's newest request per target."""
    by_version: dict[int, dict[str, Mapping[str, Any]]] = {}
    for row in promotions:
        by_version.setdefault(row["version"], {}).setdefault(row["target"], row)
    return {version: list(by_target.values()) for version, by_target in by_version.items()}


def _pair(
    policy: ModelPolicy, holders: Sequence[Mapping[str, Any]], versions: Sequence[KnownVersion]
) -> tuple[Side | None, Side | None] | None:
    """Return the holder of the last target (the champion), and of the one before it (the challenger)."""
    if len(policy.targets) < 2:
        return None
    metrics = {known.version: known.metrics for known in versions}
    champion, challenger = (_side(target, holders, metrics) for target in (policy.targets[-1], policy.targets[-2]))
    if champion and challenger and champion.version == challenger.version:
        return None
    return (champion, challenger) if champion or challenger else None


def _side(
    target: Target, holders: Sequence[Mapping[str, Any]], metrics: Mapping[int, Mapping[str, float]]
) -> Side | None:
    for kind, key in (("alias", target.alias), ("stage", target.stage)):
        for row in holders:
            if (row["kind"], row["key"]) == (kind, key):
                return Side(row["version"], target_name(kind, str(key)), metrics.get(row["version"], {}))
    return None
