"""What became of promotions after they were done: the deployment that each asked for, a rollback, a quarantine."""

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
    """deployment: this promotion's own, of no other. quarantined: why the version is now; None: it is not."""

    deployment: Deployment | None = None
    rolled_back_at: datetime | None = None
    quarantined: str | None = None

    @property
    def state(self) -> str:
        """What it is by now, in place of `promoted`: that alone is no success any more."""
        if self.rolled_back_at:
            return "rolled_back"
        if self.quarantined:
            return "quarantined"
        if self.deployment and self.deployment.state in IN_VAIN:
            return f"deployment_{self.deployment.state}"
        return "promoted"

    def to_json(self) -> dict[str, Any]:
        """JSON-able but for the datetimes."""
        asked = asdict(self.deployment) if self.deployment else None
        shown = {name: asked[name] for name in _SHOWN} if asked else None
        said = {"rolled_back_at": self.rolled_back_at, "quarantined": self.quarantined}
        return {"state": self.state, **said, "deployment": shown}


def load_results(connection: Connection, rows: Iterable[Mapping[str, Any]]) -> dict[str, PromotionResult]:
    """By the id of each promotion that was done. rows: of promotions, in any state."""
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
    """A version of the same number that was made later, in a model made anew, is another one."""
    made = one.version_created_at
    return bool(one.at >= decided_at and (made is None or made <= decided_at))


def _deployments(connection: Connection, done: list[Mapping[str, Any]]) -> dict[Any, Deployment]:
    """A promotion's deployment is asked for in the commit that it is done by: at the same time, to the microsecond."""
    models, times = {row["model"] for row in done}, {row["decided_at"] for row in done}
    same = and_(deployments.c.model.in_(models), deployments.c.requested_at.in_(times))
    found = [Deployment(**row._mapping) for row in connection.execute(select(deployments).where(same))]
    return {(one.model, one.version, one.target, one.requested_at): one for one in found}


def _barred(connection: Connection, done: list[Mapping[str, Any]]) -> dict[Any, list[Any]]:
    """By model and version: each time that a quarantine began or ended, oldest first."""
    models, versions = {row["model"] for row in done}, {row["version"] for row in done}
    of_them = and_(version_states.c.model.in_(models), version_states.c.version.in_(versions))
    query = select(version_states).where(of_them, version_states.c.key == Key.QUARANTINED.value)
    found: dict[Any, list[Any]] = {}
    for row in connection.execute(query.order_by(version_states.c.seq)):
        found.setdefault((row.model, row.version), []).append(row)
    return found


def _rolled_back(connection: Connection, events: list[str]) -> set[tuple[str, str]]:
    """(event, promotion): whose holding ended by the event that imposed a quarantine."""
    if not events:
        return set()
    ended = and_(holders.c.until_event_id.in_(events), holders.c.promotion_id.is_not(None))
    found = connection.execute(select(holders.c.until_event_id, holders.c.promotion_id).where(ended))
    return {(row.until_event_id, row.promotion_id) for row in found}
