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
        asked = asdict(self.deployment) if self.deployment else None
        shown = {name: asked[name] for name in _SHOWN} if asked else None
        said = {"rolled_back_at": self.rolled_back_at, "quarantined": self.quarantined}
        return {"state": self.state, **said, "deployment": shown}


def load_results(connection: Connection, rows: Iterable[Mapping[str, Any]]) -> dict[str, PromotionResult]:
    """Return results by promotion id. rows: promotions in any state; only promoted ones have a result."""
    done = [row for row in rows if row["state"] == PromotionState.PROMOTED and row["decided_at"]]
    if not done:
        return {}
    asked, barred = _deployments(connection, done), _barred(connection, done)
    back = _rolled_back(connection, [one.event_id for found in barred.values() for one in found if one.value])
    return {row["id"]: _result(row, asked, barred, back) for row in done}


def _result(
    row: Mapping[str, Any], asked: Mapping[Any, Deployment], barred: Mapping[Any, list[Any]], back: Any
) -> PromotionResult:
    mine = [one for one in barred.get((row["model"], row["version"]), ()) if _is_about(one, row["decided_at"])]
    rolled = next((one.at for one in mine if (one.event_id, row["id"]) in back), None)
    deployment = asked.get((row["model"], row["version"], row["target"], row["decided_at"]))
    return PromotionResult(deployment, rolled, mine[-1].value if mine else None)


def _is_about(one: Any, decided_at: datetime) -> bool:
    """Return whether a state is about the promoted version, and not about a later incarnation of its number."""
    made = one.version_created_at
    return bool(one.at >= decided_at and (made is None or made <= decided_at))


def _deployments(connection: Connection, done: list[Mapping[str, Any]]) -> dict[Any, Deployment]:
    """Find deployments by time: one is requested in the same commit as its promotion, to the microsecond."""
    models, times = {row["model"] for row in done}, {row["decided_at"] for row in done}
    same = and_(deployments.c.model.in_(models), deployments.c.requested_at.in_(times))
    found = [Deployment(**row._mapping) for row in connection.execute(select(deployments).where(same))]
    return {(one.model, one.version, one.target, one.requested_at): one for one in found}


def _barred(connection: Connection, done: list[Mapping[str, Any]]) -> dict[Any, list[Any]]:
    """Return each beginning and end of a quarantine, by (model, version), oldest first."""
    models, versions = {row["model"] for row in done}, {row["version"] for row in done}
    of_them = and_(version_states.c.model.in_(models), version_states.c.version.in_(versions))
    query = select(version_states).where(of_them, version_states.c.key == Key.QUARANTINED.value)
    found: dict[Any, list[Any]] = {}
    for row in connection.execute(query.order_by(version_states.c.seq)):
        found.setdefault((row.model, row.version), []).append(row)
    return found


def _rolled_back(connection: Connection, events: list[str]) -> set[tuple[str, str]]:
    """Return (event id, promotion id) where the event of a quarantine ended the promotion's holding."""
    if not events:
        return set()
    ended = and_(holders.c.until_event_id.in_(events), holders.c.promotion_id.is_not(None))
    found = connection.execute(select(holders.c.until_event_id, holders.c.promotion_id).where(ended))
    return {(row.until_event_id, row.promotion_id) for row in found}
