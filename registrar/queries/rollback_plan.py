"""What a rollback would do, by the record: which version would leave a target, and which could come back.

The worker asks MLflow as well, for the files of a version, so it may pass over one that is fit by the record.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from registrar.ledger import Connection
from registrar.ledger.incarnations import made_anew_at
from registrar.ledger.queries import models
from registrar.ledger.queries.find import newest_holdings
from registrar.ledger.queries.holdings import Holding
from registrar.ledger.version_state import Key
from registrar.policy import Policy, Target
from registrar.queries.dashboard import rollback_options
from registrar.queries.model_standing import ModelStanding
from registrar.queries.version_record import read_seen
from registrar.text.sanitize import is_visible

_HOLDINGS = 200


@dataclass(frozen=True)
class Candidate:
    """An earlier holder. held: its last holding of the target; None: it is not among the newest.

    quarantined: why it may not come back; None: it is fit by the record.
    """

    version: int
    held: Holding | None
    quarantined: str | None


@dataclass(frozen=True)
class RollbackPlan:
    """chosen: the version that would come back; None: no earlier holder is fit. seen: as VersionRecord.seen has it of
    the holder.
    """

    target: Target
    holder: int
    held: Holding | None
    candidates: Sequence[Candidate]
    chosen: Candidate | None
    seen: str


def read_rollback(
    connection: Connection, policy: Policy, model: str, stage: str, *, to: int | None = None
) -> RollbackPlan | None:
    """Return the plan; None: nothing holds the target, or nothing held it before. to: the version that is asked for."""
    summary = models.get_model(connection, model) if is_visible(model) else None
    target = policy.model(model).target(stage)
    if summary is None or target is None:
        return None
    record = ModelStanding(connection, policy.model(model), model, summary["holders"])
    recreated_at = made_anew_at(connection, [model]).get(model)
    options = rollback_options(connection, model, record.policy, recreated_at)
    option = next((one for one in options if one.target == stage), None)
    if option is None:
        return None
    place = record.policy.holding_key(target)
    held = [one for one in newest_holdings(connection, model, limit=_HOLDINGS) if (one.kind, one.key) == place]
    last = {one.version: one for one in held}
    candidates = [
        Candidate(number, last.get(number), record.state_of(number).get(Key.QUARANTINED)) for number in option.earlier
    ]
    fit = [one for one in candidates if not one.quarantined and to in (None, one.version)]
    seen = read_seen(connection, policy, model, option.holder)
    return RollbackPlan(target, option.holder, last.get(option.holder), candidates, fit[0] if fit else None, seen)
