"""Requests for promotion whose sender waits for the end of the promotion, not only for an answer to the request."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, and_, exists, literal_column, select

from registrar.events.states import TaskState
from registrar.ledger.tables import events, tasks

REQUEST, TASK = "promotion.request", "worker.request"
# A literal, as the partial index ix_tasks_answers has it: PostgreSQL matches no parameter with that.
_ANSWER: ColumnElement[str] = literal_column("'worker.answer_github_protection_rule'")


@dataclass(frozen=True)
class GateRequestReceived:
    """An event that came with a sealed address for the answer."""

    event_id: str
    source: str
    reply_to: str

    @property
    def lane(self) -> str:
        """What answers it. One that has such a task is answered, or about to be."""
        return f"answer:{self.event_id}"


def unanswered(connection: Connection, *, model: str, version: int, target: str) -> list[GateRequestReceived]:
    """Those about this step whose own task is done: until then what is decided is about somebody else's request."""
    done = exists().where(tasks.c.event_id == events.c.id, tasks.c.name == TASK, tasks.c.state == TaskState.SUCCEEDED)
    of_model = and_(events.c.model == model, events.c.type == REQUEST, events.c.reply_to.is_not(None), done)
    found = [
        GateRequestReceived(row.id, row.source, row.reply_to)
        for row in connection.execute(select(events).where(of_model).order_by(events.c.seq))
        if (row.data["version"], row.data["target"]) == (version, target)
    ]
    given = answered(connection, [asked.lane for asked in found])
    return [asked for asked in found if asked.lane not in given]


def answered(connection: Connection, lanes: Sequence[str]) -> set[str]:
    """Those of the lanes that have a task: whoever waits there is answered, or about to be."""
    given = select(tasks.c.lane).where(tasks.c.name == _ANSWER, tasks.c.lane.in_(lanes))
    return set(connection.execute(given).scalars()) if lanes else set()
