"""Read a row for each of some models: a fixed number of statements, however many models there are."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeVar

from registrar.events.states import DeploymentState, PromotionState
from registrar.ledger import Connection
from registrar.ledger.deployments import IN_VAIN, Deployment
from registrar.ledger.disputes import Dispute, disputes
from registrar.ledger.incarnations import made_anew_at
from registrar.ledger.promotions import still_open
from registrar.ledger.queries.model_paths import (
    PathHolding,
    PathRequest,
    Registration,
    newest_registrations,
    newest_requests,
    path_holdings,
    quarantines,
)
from registrar.ledger.queries.models import page as models_page
from registrar.policy import ModelPolicy, Policy, Target
from registrar.queries.model_metric import metric_trend
from registrar.queries.model_row import HeldBack, Liveness, ModelRow, TargetHolder, TargetStep
from registrar.queries.next_act import next_act
from registrar.queries.not_live import last_deployments
from registrar.queries.promotion_view import PromotionView, promotion_views

MOST_OPEN = 200  # open promotions, the oldest, whose votes are worked out


@dataclass(frozen=True)
class OpenWork:
    """What is open of all models. views: of the oldest MOST_OPEN promotions. awaiting: how many await approval.

    deployments: the last one of each holder of a target.
    """

    views: Sequence[PromotionView]
    awaiting: int
    deployments: Sequence[Deployment]
    disputes: Mapping[str, Dispute]


def read_open_work(connection: Connection, policy: Policy, *, at: datetime) -> OpenWork:
    open_ = still_open(connection)
    awaiting = sum(1 for one in open_ if one.state == PromotionState.AWAITING_APPROVAL)
    views = promotion_views(policy, connection, open_[:MOST_OPEN], at=at)
    return OpenWork(views, awaiting, last_deployments(policy, connection), disputes(connection))


def read_model_rows(connection: Connection, policy: Policy, models: Sequence[str], work: OpenWork) -> list[ModelRow]:
    """Return a row for each of these models, in their order. work: read in the same transaction."""
    holdings, requests = path_holdings(connection, models), newest_requests(connection, models)
    registrations = newest_registrations(connection, models)
    quarantined = quarantines(connection, {(one.model, one.version) for one in holdings})
    recreated = made_anew_at(connection, models)
    held, asked, registered = _by_model(holdings), _by_model(requests), _by_model(registrations)
    deployments, views = _by_model(work.deployments), _views_by_model(work.views)
    return [
        _row(
            _Model(
                model,
                policy.model(model),
                held.get(model, []),
                [one for one in asked.get(model, []) if _is_since(recreated.get(model), one.made_at)],
                [one for one in registered.get(model, []) if _is_since(recreated.get(model), one.made_at)],
                {
                    version: one.why
                    for (about, version), one in quarantined.items()
                    if about == model and _is_since(recreated.get(model), one.made_at)
                },
                deployments.get(model, []),
                views.get(model, []),
                work.disputes.get(model),
            )
        )
        for model in models
    ]


def list_models(
    connection: Connection, policy: Policy, *, after: str, limit: int, at: datetime
) -> list[dict[str, Any]]:
    """Return what models.page does, each with its row; JSON-able but for the datetimes."""
    page = models_page(connection, after=after, limit=limit)
    names = [row["model"] for row in page]
    rows = read_model_rows(connection, policy, names, read_open_work(connection, policy, at=at))
    return [{**listed, **row.to_json()} for listed, row in zip(page, rows, strict=True)]


class _About(Protocol):
    @property
    def model(self) -> str: ...


Item = TypeVar("Item", bound=_About)


def _by_model(items: Iterable[Item]) -> dict[str, list[Item]]:
    found: defaultdict[str, list[Item]] = defaultdict(list)
    for item in items:
        found[item.model].append(item)
    return found


def _views_by_model(views: Iterable[PromotionView]) -> dict[str, list[PromotionView]]:
    found: defaultdict[str, list[PromotionView]] = defaultdict(list)
    for view in views:
        found[view.promotion.model].append(view)
    return found


def _is_since(recreated_at: datetime | None, at: datetime) -> bool:
    """Return whether a row is about the present model. recreated_at: when it was created under a deleted one's name."""
    return recreated_at is None or at >= recreated_at


@dataclass(frozen=True)
class _Model:
    """What was read about a model. holdings: the latest first; requests: the newest first; registrations: the oldest
    first. quarantined: by version, why.
    """

    name: str
    policy: ModelPolicy
    holdings: Sequence[PathHolding]
    requests: Sequence[PathRequest]
    registrations: Sequence[Registration]
    quarantined: Mapping[int, str]
    deployments: Sequence[Deployment]
    views: Sequence[PromotionView]
    dispute: Dispute | None


def _row(model: _Model) -> ModelRow:
    metric = metric_trend(model.policy, model.holdings, model.requests, model.registrations)
    steps = tuple(_step(model, target) for target in model.policy.targets)
    quarantined = [(one.version, step.target) for step in steps for one in step.holders if one.quarantined]
    act = next_act(model.views, model.dispute, model.deployments, quarantined)
    return ModelRow(model.name, steps, _others(model), metric, act, _changed_at(model), model.dispute)


def _step(model: _Model, target: Target) -> TargetStep:
    place, alias = model.policy.holding_key(target), ("alias", target.alias)
    holders = tuple(_holder(model, target, one) for one in model.holdings if (one.kind, one.key) == place)
    with_alias = next((one.version for one in model.holdings if (one.kind, one.key) == alias), None)
    return TargetStep(
        target.stage,
        target.alias,
        holders,
        with_alias,
        tuple(view for view in model.views if view.promotion.target == target.stage),
        _held_back(model, target),
    )


def _holder(model: _Model, target: Target, holding: PathHolding) -> TargetHolder:
    about = (holding.version, target.stage)
    last = next((one for one in reversed(model.deployments) if (one.version, one.target) == about), None)
    return TargetHolder(
        holding.version,
        holding.since,
        holding.actor_name,
        holding.by_hand,
        model.quarantined.get(holding.version),
        _liveness(holding, last) if last or target.deploy else None,
        last,
    )


def _liveness(holding: PathHolding, last: Deployment | None) -> Liveness:
    """last: the version's last deployment to the target. One that succeeded before the version left the target and came
    back, without another, says nothing: another version may have been deployed in between.
    """
    if last and last.state in IN_VAIN:
        return Liveness.NOT_LIVE
    if last and last.requested_at >= holding.since:
        if last.state == DeploymentState.LIVE:
            return Liveness.LIVE
        if last.state == DeploymentState.REQUESTED:
            return Liveness.DEPLOYING
    return Liveness.UNKNOWN


def _held_back(model: _Model, target: Target) -> HeldBack | None:
    """Return the newest version, if this target's gates held it back, and nobody asked for it again."""
    newest = max(model.registrations, key=lambda one: one.version, default=None)
    asked = {(one.version, one.target) for one in model.requests}
    if newest is None or target.stage not in newest.held_back or (newest.version, target.stage) in asked:
        return None
    return HeldBack(newest.version, newest.held_back[target.stage])


def _others(model: _Model) -> tuple[tuple[str, int], ...]:
    shown = {model.policy.holding_key(target) for target in model.policy.targets}
    shown |= {("alias", target.alias or "") for target in model.policy.targets}
    beside = [one for one in model.holdings if (one.kind, one.key) not in shown]
    return tuple((f"@{one.key}" if one.kind == "alias" else one.key, one.version) for one in beside)


def _changed_at(model: _Model) -> datetime | None:
    times = [one.since for one in model.holdings] + [one.at for one in model.registrations]
    times += [at for one in model.requests for at in (one.created_at, one.decided_at) if at]
    times += [at for one in model.deployments for at in (one.requested_at, one.ended_at) if at]
    return max(times, default=None)
