"""What the tests of the journal share: a scene of people and a model, and the chain as it is in the table."""

import hashlib
import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from registrar.events.event import Actor, Event
from registrar.events.outcome import Cause, LedgerChange
from registrar.events.types import parse
from registrar.ledger import Ledger
from registrar.ledger.deliveries import accept
from registrar.ledger.event_rows import Delivery
from registrar.ledger.journal.stream import entries

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
EVIDENCE = {"gates": [{"gate": "rmse < 7", "passed": True, "reason": "rmse 6.2 is < 7", "value": 6.2}]}
EVIDENCE |= {"policy_digest": "d" * 64, "run_id": "r1", "source": "m-1"}


@dataclass
class Scene:
    """write() applies records by an event of its own, each an hour after the one before."""

    ledger: Ledger
    ids: Iterator[int]

    def event(self, actor: str = "ada", model: str = "taxi") -> str:
        event = Event(parse("training_run.failed", {"model": model}), Actor(actor, actor.title()), NOON)
        with self.ledger.write() as connection:
            delivery = Delivery("ci", f"msg_{next(self.ids)}", "b" * 64)
            return accept(connection, delivery, [event], at=NOON).events[0][0]

    def cause(self, actor: str = "ada") -> Cause:
        at = NOON + timedelta(hours=next(self.ids), microseconds=7)
        return Cause(self.event(actor), actor, actor.title(), at)

    def write(self, *records: LedgerChange, actor: str = "ada") -> str:
        cause = self.cause(actor)
        with self.ledger.write() as connection:
            for record in records:
                record.apply(connection, cause)
        return cause.event_id

    def entries(self) -> list[Any]:
        """Whole entries, with their columns as attributes."""
        with self.ledger.read() as connection:
            return [
                SimpleNamespace(**entry | {"at": datetime.fromisoformat(entry["at"])}) for entry in entries(connection)
            ]

    def said(self) -> list[tuple[str, dict[str, Any]]]:
        return [(row.kind, json.loads(row.body)["said"]) for row in self.entries()]


def scene(ledger: Ledger) -> Scene:
    return Scene(ledger, itertools.count())


def assert_chained(entries: list[Any]) -> None:
    previous = "0" * 64
    for seq, row in enumerate(entries, start=1):
        assert (row.seq, row.previous) == (seq, previous)
        assert row.hash == hashlib.sha256((previous + row.body).encode("ascii")).hexdigest()
        previous = row.hash
