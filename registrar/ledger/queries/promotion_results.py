"""What followed a promotion: its deployment, a rollback, a quarantine."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, select

from registrar.events.states import PromotionState
from registrar.ledger.deployments import IN_VAIN, Deployment
from registrar.ledger.tables import deployments, holders, version_states
from registrar.ledger.version_state import Key

_SHOWN = ("id", "state", "environment", "requested_at", "due_at", "ended_at")  # of a deployment


@dataclass(frozen=True)
class PromotionResult:
    """deployment: of this promotion. quarantined: why the version is quarantined now; None: it is not."""

    deployment: Deployment | None = None
    rolled_back_at: datetime | None = None
    quarantined: str | None = None

    @property
    def state(self) -> str:
        """The present state, which replaces `promoted`."""
        if self.rolled_back_at:
            return "rolled_back"
        if self.quarantined:
            return "quarantined"
        if self.deployment and self.deployment.state in IN_VAIN:
            return f"deployment_{self.deployment.state}"
        return PromotionState.PROMOTED

    def to_json(self) -> dict[str, Any]:
        """JSON-able but for the datetimes."""
        deployment = asdict(self.deployment) if self.deployment else None
        shown = {name: deployment[name] for name in _SHOWN} if deployment else None
        times = {"rolled_back_at": self.rolled_back_at, "quarantined": self.quarantined}
        return {"state": self.state, **times, "deployment": shown}


def load_results(connection: Connection, rows: Iterable[Mapping[str, Any]]) -> dict[str, PromotionResult]:
    """Return results by promotion id. rows: promotions in any state; only promoted ones have a result."""
    promoted = [row for row in rows if row["state"] == PromotionState.PROMOTED and row["decided_at"]]
    if not promoted:
        return {}
    deployments_, quarantines = _deployments(connection, promoted), _quarantines(connection, promoted)
    rollbacks = _rolled_back(connection, [one.event_id for found in quarantines.values() for one in found if one.value])
    return {row["id"]: _result(row, deployments_, quarantines, rollbacks) for row in promoted}


def _result(
    row: Mapping[str, Any], deployments_: Mapping[Any, Deployment], quarantines: Mapping[Any, list[Any]], rollbacks: Any
) -> PromotionResult:
    own = [one for one in quarantines.get((row["model"], row["version"]), ()) if _is_about(one, row["decided_at"])]
    rolled_back_at = next((one.at for one in own if (one.event_id, row["id"]) in rollbacks), None)
    deployment = deployments_.get((row["model"], row["version"], row["target"], row["decided_at"]))
    return PromotionResult(deployment, rolled_back_at, own[-1].value if own else None)


def _is_about(state: Any, decided_at: datetime) -> bool:
    """Return whether a state is about the promoted version, and not about a later incarnation of its number."""
    created_at = state.version_created_at
    return bool(state.at >= decided_at and (created_at is None or created_at <= decided_at))


def _deployments(connection: Connection, promoted: list[Mapping[str, Any]]) -> dict[Any, Deployment]:
    """Find deployments by time: one is requested in the same commit as its promotion, to the microsecond."""
    models, times = {row["model"] for row in promoted}, {row["decided_at"] for row in promoted}
    matching = and_(deployments.c.model.in_(models), deployments.c.requested_at.in_(times))
    rows = [Deployment(**row._mapping) for row in connection.execute(select(deployments).where(matching))]
    return {(one.model, one.version, one.target, one.requested_at): one for one in rows}


def _quarantines(connection: Connection, promoted: list[Mapping[str, Any]]) -> dict[Any, list[Any]]:
    """Return the beginnings and ends of quarantines by (model, version), oldest first."""
    models, versions = {row["model"] for row in promoted}, {row["version"] for row in promoted}
    matching = and_(version_states.c.model.in_(models), version_states.c.version.in_(versions))
    query = select(version_states).where(matching, version_states.c.key == Key.QUARANTINED.value)
    quarantines: dict[Any, list[Any]] = {}
    for row in connection.execute(query.order_by(version_states.c.seq)):
        quarantines.setdefault((row.model, row.version), []).append(row)
    return quarantines


def _rolled_back(connection: Connection, events: list[str]) -> set[tuple[str, str]]:
    """Return (event id, promotion id) where the event of a quarantine ended the promotion's holding."""
    if not events:
        return set()
    ended = and_(holders.c.until_event_id.in_(events), holders.c.promotion_id.is_not(None))
    rows = connection.execute(select(holders.c.until_event_id, holders.c.promotion_id).where(ended))
    return {(row.until_event_id, row.promotion_id) for row in rows}
