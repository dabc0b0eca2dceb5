"""Reads for the dashboard: each function reads all that one page shows of the ledger, in the caller's transaction."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from registrar.ledger import Connection, dead_letters, deployments, promotions, rejections
from registrar.ledger.disputes import disputes
from registrar.ledger.holders import held_before
from registrar.ledger.incarnations import of_deleted
from registrar.ledger.promotions import Promotion
from registrar.ledger.queries import activity, metrics, models, promotion_record
from registrar.ledger.queries.find import archive_location
from registrar.ledger.queries.incidents import incidents
from registrar.ledger.queries.promotion_record import Place
from registrar.ledger.queries.promotion_results import PromotionResult, load_results
from registrar.policy import ModelPolicy, Policy, Target
from registrar.queries.not_live import not_live
from registrar.queries.policy_view import bound
from registrar.queries.processes import parts
from registrar.queries.promotion_view import promotion_view, promotion_views

_FEW, _RECENT_INCIDENTS = 5, 10  # rows on the overview
_EARLIER = 20  # former holders that a rollback may name


def read_overview(connection: Connection, policy: Policy, *, since: datetime, at: datetime) -> dict[str, Any]:
    return {
        "waiting": promotion_views(policy, connection, promotions.still_open(connection), at=at),
        "queue": metrics.queue(connection, at),
        "deploying": deployments.under_way(connection),
        "not_live": not_live(policy, connection),
        "disputes": disputes(connection),
        "incidents": incidents(connection, since=since, limit=_RECENT_INCIDENTS),
        "dead": dead_letters.list_dead_letters(connection, limit=_FEW),
        "dead_count": sum(one.count for one in metrics.dead(connection)),
        "refused": [row for row in rejections.latest(connection, limit=_FEW) if row["at"] >= since],
        "refused_count": activity.refused_since(connection, since),
        "accepted_count": activity.accepted_since(connection, since),
        "counted": activity.COUNTED,
        "lately": activity.lately(connection, since=since),
        "parts": parts(connection),
    }


@dataclass(frozen=True)
class RollbackOption:
    """A target that can be rolled back. earlier: its former holders, newest first; the worker may refuse some."""

    target: str
    holder: int
    earlier: tuple[int, ...]


def read_models(connection: Connection, policy: Policy, *, after: str, limit: int) -> dict[str, Any]:
    """found: up to `limit` models by name, those behind `after`."""
    return {
        "found": models.page(connection, after=after, limit=limit),
        "disputes": disputes(connection),
        "not_live": [one.model for one in not_live(policy, connection)],
    }


def read_promotions(
    connection: Connection,
    policy: Policy,
    *,
    state: str | None,
    model: str | None,
    before: Place | None,
    limit: int,
    at: datetime,
) -> dict[str, Any]:
    """found: up to `limit` + 1 promotions, newest first. views: of the open ones among the first `limit`, by id.
    waiting: all open ones, on the first page without a filter.
    """
    found = promotion_record.page(connection, state=state, model=model, before=before, limit=limit + 1)
    shown = found[:limit]
    open_ = promotions.still_open(connection) if not (before or state or model) else []
    listed = promotion_views(policy, connection, _open_among(connection, shown), at=at)
    return {
        "found": found,
        "waiting": promotion_views(policy, connection, open_, at=at),
        "views": {one.promotion.id: one for one in listed},
        "became": load_results(connection, shown),
        "deleted": of_deleted(connection, shown),
    }


def read_promotion(connection: Connection, policy: Policy, promotion: Promotion, *, at: datetime) -> dict[str, Any]:
    row = [vars(promotion)]
    return {
        "view": promotion_view(policy, connection, promotion, at=at),
        "votes": promotion_record.votes_on(connection, promotion.id),
        "shown": promotion_record.load_approval_snapshot(connection, promotion),
        "archived": archive_location(connection, promotion.event_id) is not None,
        "bound": bound(policy, connection, str(promotion.evidence.get("policy_digest"))),
        "became": load_results(connection, row).get(promotion.id, PromotionResult()),
        "recreated_at": of_deleted(connection, row).get(promotion.id),
    }


def _open_among(connection: Connection, rows: Iterable[Mapping[str, Any]]) -> list[Promotion]:
    open_ = (promotions.get(connection, row["id"]) for row in rows if row["state"] in promotions.OPEN)
    return [one for one in open_ if one and one.open]


def rollback_options(
    connection: Connection, model: str, policy: ModelPolicy, recreated_at: datetime | None
) -> list[RollbackOption]:
    """List the held targets to which the policy brought other versions before."""
    options = [_rollback_option(connection, model, policy, target, recreated_at) for target in policy.targets]
    return [option for option in options if option and option.earlier]


def _rollback_option(
    connection: Connection, model: str, policy: ModelPolicy, target: Target, recreated_at: datetime | None
) -> RollbackOption | None:
    times = held_before(connection, model, *policy.holding_key(target))
    times = [time for time in times if recreated_at is None or time.made_by >= recreated_at]
    if target.stage not in ("Staging", "Production") or not any(time.still for time in times):
        return None
    holder = next(time.version for time in times if time.still)
    earlier = dict.fromkeys(time.version for time in times if time.given and time.version != holder)
    return RollbackOption(target.stage, holder, tuple(earlier)[:_EARLIER])
