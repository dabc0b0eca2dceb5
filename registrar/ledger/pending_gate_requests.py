"""Promotion requests that came with an address for answers: a GitHub protection rule waits for the promotion's end."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, and_, exists, literal_column, select

from registrar.events.states import TaskState
from registrar.events.types import PromotionRequest
from registrar.ledger.tables import events, tasks

# A literal, as the partial index ix_tasks_answers has it: PostgreSQL matches no parameter with that.
_ANSWER: ColumnElement[str] = literal_column("'worker.answer_github_protection_rule'")


@dataclass(frozen=True)
class GateRequestReceived:
    """An event that came with an encrypted address for the answer."""

    event_id: str
    source: str
    reply_to: str

    @property
    def lane(self) -> str:
        """The lane of the task that answers the request. If it has a task, the request is or will be answered."""
        return f"answer:{self.event_id}"


def unanswered(connection: Connection, *, model: str, version: int, target: str) -> list[GateRequestReceived]:
    """Return the unanswered requests for this step whose own task succeeded: only these are part of the promotion."""
    request_succeeded = exists().where(
        tasks.c.event_id == events.c.id, tasks.c.name == PromotionRequest.task, tasks.c.state == TaskState.SUCCEEDED
    )
    of_model = and_(
        events.c.model == model,
        events.c.type == PromotionRequest.type,
        events.c.reply_to.is_not(None),
        request_succeeded,
    )
    requests = [
        GateRequestReceived(row.id, row.source, row.reply_to)
        for row in connection.execute(select(events).where(of_model).order_by(events.c.seq))
        if (row.data["version"], row.data["target"]) == (version, target)
    ]
    answered_lanes = answered(connection, [request.lane for request in requests])
    return [request for request in requests if request.lane not in answered_lanes]


def answered(connection: Connection, lanes: Sequence[str]) -> set[str]:
    """Return those of the lanes that have an answering task."""
    query = select(tasks.c.lane).where(tasks.c.name == _ANSWER, tasks.c.lane.in_(lanes))
    return set(connection.execute(query).scalars()) if lanes else set()
