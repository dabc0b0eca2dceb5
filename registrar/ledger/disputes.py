"""Where the registry and the record tell of two pasts: one of them was restored, or another registry is asked.

Which of the two counts is an operator's to say. Until then nothing of the model is moved. The journal alone knows of
it: nobody can take it out of there.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, text

from registrar.events.outcome import Cause
from registrar.ledger.journal.append import append
from registrar.ledger.tables import journal

DISPUTED, SETTLED = "record.disputed", "record.settled"
# As the index ix_journal_disputes has it: so SQLite sees that it fits.
_EITHER = text(f"kind IN ('{DISPUTED}', '{SETTLED}')")


@dataclass(frozen=True)
class Dispute:
    """why: a sentence. moves: whether the model is written to all the same, since the registry has nothing of it."""

    why: str
    since: datetime
    moves: bool


@dataclass(frozen=True)
class Disputed:
    """Record: the registry and the record of a model don't fit together. Said again in other words, it stays one."""

    model: str
    why: str
    moves: bool = False

    def apply(self, connection: Connection, cause: Cause) -> None:
        before = dispute(connection, self.model)
        if before is None or (before.moves and not self.moves):
            append(connection, cause, DISPUTED, model=self.model, why=self.why, moves=self.moves)


@dataclass(frozen=True)
class Settled:
    """Record: it is said which of the two counts. how: for people."""

    model: str
    how: str

    def apply(self, connection: Connection, cause: Cause) -> None:
        if dispute(connection, self.model):
            append(connection, cause, SETTLED, model=self.model, how=self.how)


def dispute(connection: Connection, model: str) -> Dispute | None:
    """The one that is not settled yet."""
    found = _load_last_entry(connection, model)
    if found is None or found.kind == SETTLED:
        return None
    told = json.loads(found.body)["said"]
    return Dispute(told["why"], found.at, told["moves"])


def settled_at(connection: Connection, model: str) -> datetime | None:
    """When the last one was settled."""
    query = select(journal.c.at).where(_EITHER, journal.c.kind == SETTLED, journal.c.model == model)
    return connection.execute(query.order_by(journal.c.seq.desc()).limit(1)).scalar()


def disputed(connection: Connection) -> list[str]:
    """The models of which one is not settled."""
    models = connection.execute(select(journal.c.model).where(_EITHER).distinct()).scalars().all()
    return sorted(model for model in models if model and dispute(connection, model))


def disputes(connection: Connection) -> dict[str, Dispute]:
    """By the name of its model: each that is not settled."""
    return {model: one for model in disputed(connection) if (one := dispute(connection, model))}


def _load_last_entry(connection: Connection, model: str) -> Any:
    query = select(journal.c.kind, journal.c.at, journal.c.body).where(_EITHER, journal.c.model == model)
    return connection.execute(query.order_by(journal.c.seq.desc()).limit(1)).one_or_none()
