"""Record interventions: a task of an event is retried or dropped, or the event is sent again.

Each is an event of its own, so that it says who, when and why (queries/interventions.py finds them).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, and_, select, update

from registrar.errors import UserError
from registrar.events.event import Event
from registrar.events.outcome import Cause
from registrar.events.states import TaskState
from registrar.ledger.dead_letters import DeadLetter
from registrar.ledger.deliveries import add
from registrar.ledger.event_rows import Delivery, new_id
from registrar.ledger.journal.append import EntryKind, append
from registrar.ledger.lane_priority import Rank
from registrar.ledger.tables import events, tasks
from registrar.ledger.task_dispatch import REDELIVER_AFTER
from registrar.queries.filters import DEAD_STATES

# Begins the delivery id of a resent event; the id of the event.replay follows.
RESENT = "replay:"


@dataclass(frozen=True)
class TaskRetried:
    """Record: a dead letter is queued again, at its place in the lane, with a new retry budget."""

    dead_letter: DeadLetter
    reason: str | None

    def apply(self, connection: Connection, cause: Cause) -> Sequence[str] | None:
        back = {
            "state": TaskState.QUEUED,
            "attempts": min(
                self.dead_letter.attempts, 1
            ),  # the next one is not the first: it may find what that one left
            "crashes": 0,
            "doubts": 0,
            "not_before": cause.at,
            "dispatch_at": cause.at + timedelta(seconds=REDELIVER_AFTER),
            "outcome": None,
            "started_at": None,
            "finished_at": None,
        }
        if _settle(connection, self.dead_letter, back):
            _journal_intervention(connection, cause, EntryKind.TASK_RETRIED, self.dead_letter, self.reason)
        return (self.dead_letter.lane,)


class TaskAlreadyRunning(UserError):
    """A queued task that was to be dropped is running by now."""


@dataclass(frozen=True)
class TaskDiscarded:
    """Record: a dead letter is closed, or a queued task is never begun."""

    dead_letter: DeadLetter
    reason: str

    def apply(self, connection: Connection, cause: Cause) -> Sequence[str] | None:
        """Returns the lane, where the next task may be due. Raises TaskAlreadyRunning."""
        if self.dead_letter.state != TaskState.QUEUED:
            if _settle(connection, self.dead_letter, {"state": TaskState.DROPPED}):
                _journal_intervention(connection, cause, EntryKind.TASK_DROPPED, self.dead_letter, self.reason)
            return ()
        error = f"dropped while it waited, by {cause.actor_name}: {self.reason}"
        end = {"state": TaskState.DROPPED, "finished_at": cause.at, "error": error}
        waits = and_(
            tasks.c.id == self.dead_letter.id, tasks.c.state == TaskState.QUEUED, tasks.c.rank != Rank.HALF_DONE
        )
        if connection.execute(update(tasks).where(waits).values(end)).rowcount == 0:
            raise TaskAlreadyRunning(f"{self.dead_letter.id} was begun in this moment")
        _journal_intervention(connection, cause, EntryKind.TASK_DROPPED, self.dead_letter, self.reason)
        return (self.dead_letter.lane,)


def _settle(connection: Connection, dead_letter: DeadLetter, change: Mapping[str, Any]) -> bool:
    """Change a dead letter; return False if it is none any more. Its lane keeps others from doing so meanwhile."""
    still = and_(tasks.c.id == dead_letter.id, tasks.c.state.in_(DEAD_STATES))
    return connection.execute(update(tasks).where(still).values(change)).rowcount == 1


def _journal_intervention(
    connection: Connection, cause: Cause, kind: EntryKind, dead_letter: DeadLetter, reason: str | None
) -> None:
    told = {"task_id": dead_letter.id, "task": dead_letter.name, "of": dead_letter.event_id}
    append(connection, cause, kind, model=dead_letter.model, version=None, **told, was=dead_letter.was(), reason=reason)


@dataclass(frozen=True)
class EventCaused:
    """Record: an event about many models caused one about one of them, by the same actor.

    nth: counts these from 0. source: that of the first event.
    """

    event: Event
    source: str
    nth: int
    id: str = field(default_factory=new_id)

    def apply(self, connection: Connection, cause: Cause) -> Sequence[str] | None:
        asked = connection.execute(select(events.c.body_sha256).where(events.c.id == cause.event_id)).scalar_one()
        delivery = Delivery(self.source, f"{cause.event_id}/{self.nth}", asked)
        add(connection, delivery, self.event, id=self.id, pins={}, at=cause.at)
        return (self.event.data.lane(self.id),)


@dataclass(frozen=True)
class EventResent:
    """Record: an event was sent again. of: the id of the original. event: the new one, with its own actor.

    pins: from act_subjects, at the time when the resend was accepted.
    """

    of: str
    event: Event
    source: str
    reason: str | None
    pins: Mapping[str, Any]
    id: str = field(default_factory=new_id)

    def apply(self, connection: Connection, cause: Cause) -> Sequence[str] | None:
        """Insert the new event, under the delivery of the event that asked for it."""
        asked = connection.execute(select(events.c.body_sha256).where(events.c.id == cause.event_id)).scalar_one()
        delivery = Delivery(self.source, RESENT + cause.event_id, asked)
        add(connection, delivery, self.event, id=self.id, pins=self.pins, at=cause.at)
        sent = {"of": self.of, "became": self.id, "type": self.event.type}
        append(connection, cause, EntryKind.EVENT_RESENT, model=None, version=None, **sent, reason=self.reason)
        return (self.event.data.lane(self.id),)
