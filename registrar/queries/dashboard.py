"""Reads for the dashboard: each function reads all that one page shows of the ledger, in the caller's transaction."""

from dataclasses import dataclass
from datetime import datetime

from registrar.ledger import Connection
from registrar.ledger.holders import held_before
from registrar.policy import ModelPolicy, Target

_EARLIER = 20  # former holders that a rollback may name


@dataclass(frozen=True)
class RollbackOption:
    """A target that can be rolled back. earlier: its former holders, newest first; the worker may refuse some."""

    target: str
    holder: int
    earlier: tuple[int, ...]


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
