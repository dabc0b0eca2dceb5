"""What templates/pages/model.html shows: a model's record, put together for the eye."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import url_for

from registrar.events.states import DeploymentState
from registrar.ledger.deployments import IN_VAIN, Deployment
from registrar.ledger.holders import ARCHIVED
from registrar.ledger.queries.holdings import Holding
from registrar.policy import ModelPolicy
from registrar.policy.metric_directions import directions, verdict
from registrar.queries.dashboard import RollbackOption
from registrar.queries.metric_series import metric_names, metric_series
from registrar.queries.model_record import ModelRecord
from registrar.queries.model_versions import VersionRow
from registrar.queries.target_cards import TargetCard
from registrar.text.tones import Tone
from webhooks.auth import Principal
from webhooks.dashboard.charts.metric_chart import describe, legend, metric_chart
from webhooks.dashboard.context import DashboardContext
from webhooks.dashboard.rollback import may_roll_back
from webhooks.dashboard.timeline import group_alike, is_same, target_name, timeline

_METRICS, _FEW = 30, 6  # of champion against challenger: in all, and at once
_LINKED = 8  # metrics with a link of their own beside the chart
_MOST_NAMED = 60  # metrics that can be chosen


@dataclass(frozen=True)
class Badge:
    tone: Tone
    words: str


@dataclass(frozen=True)
class Side:
    """One side of the comparison. target: the one that the version holds."""

    version: int
    target: str
    metrics: Mapping[str, float]


def shown(
    context: DashboardContext,
    principal: Principal,
    record: ModelRecord,
    *,
    metric: str,
    before: int | None,
    at: datetime,
) -> dict[str, Any]:
    """Return the template's variables. metric: the chosen one; "": the first. before: where the page begins."""
    name = record.summary["model"]
    policy, rows = context.policy.model(name), record.versions.rows
    holds, pair, ways = _by_version(record.summary["holders"]), _pair(policy, record), directions(policy)
    return {
        **_pages(record, metric, before),
        **_metric_over_versions(policy, record, metric, before),
        "model": record.summary,
        "record": record,
        "policy": policy,
        "holds": holds,
        "badges": {row.version: list(_badges(row, holds.get(row.version, ()), record)) for row in rows},
        "held": _rows(record.held),
        "picture": timeline(record.held, at, recreated_at=record.recreated_at),
        "stuck": {
            view.promotion.id: view.voting.impossible for view in record.open if view.voting and view.voting.impossible
        },
        "pair": pair,
        "directions": ways,
        "verdict": verdict,
        "versus": _compared_metrics(pair, ways)[:_METRICS],
        "few": _FEW,
        "numbers": sorted({*(row.version for row in rows), *record.versions.also}, reverse=True),
        "rollbacks": _rollbacks(context, principal, record),
        "live": live_badge,
    }


def _pages(record: ModelRecord, metric: str, before: int | None) -> dict[str, Any]:
    """Return the links to older versions and back to the newest; None: there are none."""
    name, older = record.summary["model"], record.versions.older
    filters: dict[str, Any] = {"metric": metric} if metric else {}
    return {
        "before": before,
        "older": url_for("pages.model", name=name, before=older, **filters) + "#versions" if older else None,
        "newest": url_for("pages.model", name=name, **filters) if before is not None else None,
    }


def _metric_over_versions(policy: ModelPolicy, record: ModelRecord, metric: str, before: int | None) -> dict[str, Any]:
    """Return the chart of the chosen metric, or of the first one, and the links to the others."""
    name, rows = record.summary["model"], record.versions.rows
    names = metric_names(policy, rows)[:_MOST_NAMED]
    chosen = metric if metric in names else next(iter(names), "")
    series = metric_series(policy, rows, chosen) if chosen else None
    return {
        "metric_links": [(one, _metric_link(name, one, before)) for one in names],
        "linked": _LINKED,
        "series": series,
        "chart": metric_chart(series) if series else "",
        "legend": legend(series) if series else (),
        "describe": describe,
    }


def _metric_link(model: str, metric: str, before: int | None) -> str:
    more: dict[str, Any] = {"before": before} if before else {}
    return url_for("pages.model", name=model, metric=metric, **more) + "#metric"


def live_badge(card: TargetCard) -> Badge:
    """Say whether a target's holder is deployed there, as the record has it."""
    if card.deployment is None:
        return Badge("off", "no deployment reported" if card.target.deploy else "not tracked")
    return _DEPLOYED[card.deployment.state]


_DEPLOYED: Mapping[str, Badge] = {
    DeploymentState.LIVE: Badge("ok", "live"),
    DeploymentState.REQUESTED: Badge("wait", "not confirmed yet"),
    DeploymentState.FAILED: Badge("bad", "not live: deployment failed"),
    DeploymentState.TIMED_OUT: Badge("bad", "not live: not confirmed in time"),
    DeploymentState.SUPERSEDED: Badge("off", "deployment superseded"),
}


def _badges(row: VersionRow, holds: Sequence[str], record: ModelRecord) -> Iterator[Badge]:
    """Yield what a version is: first what it holds, then what is not well."""
    yield from (Badge("off" if name == ARCHIVED else "ok", name) for name in holds)
    yield from (_deployed_badge(one) for one in record.deployments if one.version == row.version)
    if row.quarantined:
        yield Badge("bad", "quarantined")
    if row.rolled_back:
        yield Badge("bad", "rolled back")
    yield from (Badge("bad", f"held back from {held.target}") for held in row.held_back)
    if row.champion == "before":
        yield Badge("off", "champion before")
    if row.adopted:
        yield Badge("off", "registered in MLflow")


def _deployed_badge(deployment: Deployment) -> Badge:
    badge = _DEPLOYED[deployment.state]
    return Badge(badge.tone, f"not live in {deployment.target}") if deployment.state in IN_VAIN else badge


def _rollbacks(context: DashboardContext, principal: Principal, record: ModelRecord) -> list[RollbackOption]:
    """Return the rollbacks that this reader may plan; none while nothing of the model is moved."""
    if record.dispute is not None and not record.dispute.moves:
        return []
    name = record.summary["model"]
    policy = context.policy.model(name)
    targets = [(one, policy.target(one.target)) for one in record.rollbacks]
    return [one for one, target in targets if target and may_roll_back(context, principal, name, target)]


def _rows(held: Sequence[Holding]) -> list[tuple[str, Holding]]:
    """Return holdings newest first; what a version got together is one row."""
    groups = reversed(group_alike(held, is_same))
    return [(" ".join(target_name(holding.kind, holding.key) for holding in group), group[0]) for group in groups]


def _by_version(holders: Sequence[Mapping[str, Any]]) -> dict[int, list[str]]:
    """Return the names of what each version holds now."""
    by_version: dict[int, list[str]] = {}
    for row in holders:
        by_version.setdefault(row["version"], []).append(target_name(row["kind"], row["key"]))
    return by_version


def _pair(policy: ModelPolicy, record: ModelRecord) -> tuple[Side | None, Side | None] | None:
    """Return the holder of the last target (the champion), and of the one before it (the challenger)."""
    if len(policy.targets) < 2:
        return None
    champion, challenger = (_side(card, record) for card in record.cards[:2])
    if champion and challenger and champion.version == challenger.version:
        return None
    return (champion, challenger) if champion or challenger else None


def _compared_metrics(pair: tuple[Side | None, Side | None] | None, ways: Mapping[str, bool]) -> list[str]:
    """Return the metrics of either side: those of gates first, then by name."""
    known = {name for side in pair or () if side for name in side.metrics}
    return [*(name for name in ways if name in known), *sorted(known - ways.keys())]


def _side(card: TargetCard, record: ModelRecord) -> Side | None:
    """Return the holder of a target; in a stage without a holder, that of its alias."""
    places = (("alias", card.target.alias), ("stage", card.target.stage))
    for kind, key in places:
        for row in reversed(record.summary["holders"]):
            if (row["kind"], row["key"]) == (kind, key):
                found = record.versions.also.get(row["version"])
                return Side(row["version"], target_name(kind, str(key)), found.metrics if found else {})
    return None
