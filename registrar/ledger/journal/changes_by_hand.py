"""Changes by hand in MLflow and their reverts, which only the journal has."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection

from registrar.events.facts import FactType
from registrar.events.outcome import Cause, Fact
from registrar.ledger.journal.append import EntryKind, append

_BY = "by hand in MLflow, which does not say who"


@dataclass(frozen=True)
class DriftReverted:
    """Record: a change by hand was reverted. text: a sentence for people."""

    model: str
    version: int
    text: str

    def apply(self, connection: Connection, cause: Cause) -> None:
        append(connection, cause, EntryKind.DRIFT_REVERTED, model=self.model, version=self.version, text=self.text)


def record_changes_by_hand(connection: Connection, cause: Cause, facts: Iterable[Fact]) -> None:
    """Append an entry for each change by hand that a task found."""
    for fact in facts:
        if fact.type == FactType.REGISTRY_CHANGED_BY_HAND:
            fields = {**fact.details, "text": fact.text, "by": _BY}
            append(connection, cause, EntryKind.CHANGED_BY_HAND, model=fact.model, version=fact.version, **fields)
