"""Reads for the dashboard: each function reads all that one page shows of the ledger, in the caller's transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from registrar.ledger import Connection, promotions
from registrar.ledger.disputes import Dispute, dispute
from registrar.ledger.holders import held_before
from registrar.ledger.incarnations import made_anew_at, of_deleted
from registrar.ledger.queries import models, promotion_record
from registrar.ledger.queries.find import newest_holdings
from registrar.ledger.queries.holdings import Holding
from registrar.ledger.queries.incidents import incidents
from registrar.ledger.queries.promotion_results import PromotionResult, load_results
from registrar.ledger.queries.versions import KnownVersion, present_versions
from registrar.policy import ModelPolicy, Policy, Target
from registrar.queries.not_live import not_live
from registrar.queries.promotion_view import PromotionView, promotion_views
from registrar.text.sanitize import is_visible

_HOLDINGS, _PROMOTIONS, _INCIDENTS, _EARLIER = 200, 20, 50, 20  # the newest on a model's page


@dataclass(frozen=True)
class RollbackOption:
    """A target that can be rolled back. earlier: its former holders, newest first; the worker may refuse some."""

    target: str
    holder: int
    earlier: tuple[int, ...]


@dataclass(frozen=True)
class ModelRecord:
    """A model as the ledger knows it. summary: as models.get_model returns it. promotions: the newest.

    recreated_at: when MLflow's model was created again under the name of a deleted one; None: it was not. deleted: by
    the id of each promotion about the deleted model, when it was created again.
    """

    summary: Mapping[str, Any]
    recreated_at: datetime | None
    versions: Sequence[KnownVersion]
    held: Sequence[Holding]
    promotions: Sequence[Mapping[str, Any]]
    became: Mapping[str, PromotionResult]
    deleted: Mapping[str, datetime]
    incidents: Sequence[Any]
    rollbacks: Sequence[RollbackOption]
    open: Sequence[PromotionView]
    not_live: Sequence[Any]
    dispute: Dispute | None


def read_model(connection: Connection, policy: Policy, name: str, *, at: datetime) -> ModelRecord | None:
    """None: no event was ever about it."""
    summary = models.get_model(connection, name) if is_visible(name) else None
    if summary is None:
        return None
    recreated_at = made_anew_at(connection, [name]).get(name)
    newest = promotion_record.page(connection, model=name, limit=_PROMOTIONS)
    return ModelRecord(
        summary,
        recreated_at,
        present_versions(connection, name),
        newest_holdings(connection, name, limit=_HOLDINGS),
        newest,
        load_results(connection, newest),
        of_deleted(connection, newest),
        incidents(connection, model=name, limit=_INCIDENTS),
        rollback_options(connection, name, policy.model(name), recreated_at),
        promotion_views(policy, connection, promotions.still_open(connection, model=name), at=at),
        [one for one in not_live(policy, connection) if one.model == name],
        dispute(connection, name),
    )


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
