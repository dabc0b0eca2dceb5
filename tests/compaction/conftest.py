"""A ledger with a past, and what is done to it."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from registrar.compaction.places import place
from registrar.compaction.run import archive
from registrar.compaction.writer import Written
from registrar.events.event import Actor, Event
from registrar.events.outcome import FollowUp, LedgerChange, Outcome
from registrar.events.types import parse
from registrar.ledger import Ledger, rejections, tasks
from registrar.ledger.deliveries import Receipt, accept
from registrar.ledger.event_rows import Delivery
from registrar.ledger.queries import event_status
from tests.ledger.counted import count_journal

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
CUTOFF = NOW - timedelta(days=90)
DIGEST = "a" * 64
FINISHED = {"model": "taxi", "run_id": "r1"}


@dataclass
class Past:
    """Things happen `days` before NOW."""

    ledger: Ledger
    folder: Path
    ids: Iterator[int] = field(default_factory=itertools.count)

    def event(
        self,
        days: float,
        *,
        state: str = "succeeded",
        type_: str = "training_run.finished",
        data: dict[str, Any] | None = None,
        records: tuple[LedgerChange, ...] = (),
        delivery: Delivery | None = None,
        reply_to: str | None = None,
    ) -> str:
        """With two tasks; its id. state: of both; queued: of the first, nobody began it."""
        at = NOW - timedelta(days=days)
        event = Event(parse(type_, FINISHED if data is None else data), Actor("ada", "Ada"), at, reply_to)
        delivery = delivery or Delivery("ci", f"msg_{next(self.ids)}", DIGEST)
        with self.ledger.write() as connection:
            receipt = accept(connection, delivery, [event], at=at)
        if state != "queued":
            told = Outcome("done", records=records, follow_ups=(FollowUp("worker.notify", {"to": 1.5}, "notify:x"),))
            self._end(self._end(receipt.task_messages[0].task_id, state, told, at), state, Outcome("told"), at)
        return receipt.events[0][0]

    def _end(self, task_id: str, state: str, outcome: Outcome, at: datetime) -> str:
        with self.ledger.write() as connection:
            task = tasks.claim(connection, task_id, at=at)
            assert task
            task_messages = tasks.finish(connection, task, state, outcome, error=None, at=at)
        count_journal(self.ledger)
        return next(
            (task_message.task_id for task_message in task_messages if task_message.name == "worker.notify"), ""
        )

    def refused(self, days: float) -> None:
        with self.ledger.write() as connection:
            at = NOW - timedelta(days=days)
            rejections.record(connection, source="ci", status=401, code="bad", detail="no", size=12, at=at)

    def archive(self, **options: Any) -> list[Written]:
        count_journal(self.ledger)
        return list(archive(self.ledger, cutoff=CUTOFF, where=place(str(self.folder)), **options))

    def again(self, delivery: Delivery) -> Receipt:
        """It is sent once more, now."""
        event = Event(parse("training_run.finished", FINISHED), Actor("ada", "Ada"), NOW)
        with self.ledger.write() as connection:
            return accept(connection, delivery, [event], at=NOW)

    def there(self) -> set[str]:
        """The ids of the events that the ledger has."""
        with self.ledger.read() as connection:
            return {event["id"] for event in event_status.latest(connection, limit=10_000)}

    def files(self) -> list[Path]:
        return sorted(self.folder.glob("*")) if self.folder.exists() else []


@pytest.fixture
def past(ledger: Ledger, tmp_path: Path) -> Past:
    return Past(ledger, tmp_path / "archive")
