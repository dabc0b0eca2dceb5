"""Disputes: the registry and the record of a model contradict each other.

One of them was restored from a backup, or MLFLOW_TRACKING_URI names another registry. An operator settles which one
counts; until then no version of the model is moved, unless the registry has nothing of it. Disputes are stored in the
journal alone, which nobody can edit.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, Select, bindparam, func, select, text

from registrar.events.outcome import Cause
from registrar.ledger.before_commit import flush
from registrar.ledger.journal.append import EntryKind, append
from registrar.ledger.tables import journal

# The condition of the index ix_journal_disputes, so that SQLite uses it.
_EITHER = text(f"kind IN ('{EntryKind.DISPUTED}', '{EntryKind.SETTLED}')")


@dataclass(frozen=True)
class Dispute:
    """An open dispute. why: a sentence. moves: writes go on, as the registry has nothing of the model."""

    why: str
    since: datetime
    moves: bool


@dataclass(frozen=True)
class Disputed:
    """Record: the registry contradicts the record of a model. Beside an open one, only one that stops moves counts."""

    model: str
    why: str
    moves: bool = False

    def apply(self, connection: Connection, cause: Cause) -> None:
        flush(connection)  # an entry of the same outcome
        before = dispute(connection, self.model)
        if before is None or (before.moves and not self.moves):
            append(connection, cause, EntryKind.DISPUTED, model=self.model, why=self.why, moves=self.moves)


@dataclass(frozen=True)
class Settled:
    """Record: the dispute is settled, by an operator or as both agree again. how: a sentence for people."""

    model: str
    how: str

    def apply(self, connection: Connection, cause: Cause) -> None:
        flush(connection)
        if dispute(connection, self.model):
            append(connection, cause, EntryKind.SETTLED, model=self.model, how=self.how)


def dispute(connection: Connection, model: str) -> Dispute | None:
    """Return the open dispute of a model."""
    return _open_dispute(_load_last_entry(connection, model))


def settled_at(connection: Connection, model: str) -> datetime | None:
    """Return when the last dispute of a model was settled."""
    query = select(journal.c.at).where(_EITHER, journal.c.kind == EntryKind.SETTLED, journal.c.model == model)
    return connection.execute(query.order_by(journal.c.seq.desc()).limit(1)).scalar()


def disputed(connection: Connection) -> list[str]:
    """Return the models with an open dispute."""
    return sorted(disputes(connection))


def disputes(connection: Connection) -> dict[str, Dispute]:
    """Return the open disputes by model."""
    last = select(func.max(journal.c.seq)).where(_EITHER).group_by(journal.c.model)
    query = select(journal.c.model, journal.c.kind, journal.c.at, journal.c.body).where(journal.c.seq.in_(last))
    found = ((row.model, _open_dispute(row)) for row in connection.execute(query))
    return {model: open_dispute for model, open_dispute in found if model and open_dispute}


def _open_dispute(entry: Any) -> Dispute | None:
    """entry: the last one about a model; None: there is none."""
    if entry is None or entry.kind == EntryKind.SETTLED:
        return None
    fields = json.loads(entry.body)["said"]
    return Dispute(fields["why"], entry.at, fields["moves"])


def _load_last_entry(connection: Connection, model: str) -> Any:
    return connection.execute(_select_last_entry(), {"of_model": model}).one_or_none()


@cache
def _select_last_entry() -> Select[Any]:
    query = select(journal.c.kind, journal.c.at, journal.c.body).where(
        _EITHER, journal.c.model == bindparam("of_model")
    )
    return query.order_by(journal.c.seq.desc()).limit(1)
