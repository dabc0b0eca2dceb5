"""Find archived events, which are no longer in the ledger."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, exists, select

from registrar.ledger.tables import archived, archives, events


@dataclass(frozen=True)
class ArchiveLocation:
    """An archive file. folder: where it was written. sha256: of the file, hexadecimal."""

    name: str
    folder: str
    sha256: str
    started_at: datetime


def ever_accepted(connection: Connection, ids: Sequence[str]) -> set[str]:
    """Return which of these ids are of events in the ledger or in an archive file."""
    found: set[str] = set()
    for column in (events.c.id, archived.c.event_id):
        for some in range(0, len(ids), 500):
            query = select(column).where(column.in_(ids[some : some + 500]))
            found.update(connection.execute(query).scalars())
    return found


def any_accepted(connection: Connection, model: str, *, since: datetime, until: datetime) -> bool:
    """Return whether an event about a model was accepted in [since, until) and is in the ledger."""
    then = (events.c.accepted_at >= since, events.c.accepted_at < until)
    return bool(connection.scalar(select(exists().where(events.c.model == model, *then))))


def place(connection: Connection, event_id: str) -> ArchiveLocation | None:
    """Return where an event was archived; None: it never was."""
    columns = [archives.c[name] for name in ArchiveLocation.__dataclass_fields__]
    joined = archived.join(archives, archived.c.archive_seq == archives.c.seq)
    row = connection.execute(select(*columns).select_from(joined).where(archived.c.event_id == event_id)).one_or_none()
    return ArchiveLocation(**row._mapping) if row else None
