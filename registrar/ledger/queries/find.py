"""Find what an id or a name stands for: in the ledger, or moved to an archive file."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, Select, exists, select

from registrar.events.states import TaskState
from registrar.ledger.queries import models
from registrar.ledger.queries.holdings import Holding, holdings
from registrar.ledger.tables import archived, archives, events, holders, promotions, tasks
from registrar.text.sanitize import is_visible

Kind = Literal["event", "promotion", "model"]
_LONGEST_ID, _LONGEST_NAME = 300, 250  # characters


def find_record(connection: Connection, text: str) -> tuple[Kind, str] | None:
    """Return what has this id or name, as its kind and its id. A task's id leads to its event."""
    if text.isascii() and text.isprintable() and len(text) <= _LONGEST_ID:
        queries: tuple[tuple[Kind, Select[Any]], ...] = (
            ("event", select(events.c.id).where(events.c.id == text)),
            ("event", select(tasks.c.event_id).where(tasks.c.id == text)),
            ("promotion", select(promotions.c.id).where(promotions.c.id == text)),
        )
        for kind, query in queries:
            if id_ := connection.execute(query).scalar():
                return kind, str(id_)
    if is_visible(text) and len(text) <= _LONGEST_NAME and models.get_model(connection, text):
        return "model", text
    return None


def newest_holdings(connection: Connection, model: str, *, version: int | None = None, limit: int) -> list[Holding]:
    """Return the newest holdings of a model, or of a version number, oldest first."""
    newest = select(holders.c.seq).where(holders.c.model == model).order_by(holders.c.seq.desc()).limit(limit)
    if version is not None:
        newest = newest.where(holders.c.version == version)
    return holdings(connection, holders.c.seq.in_(newest.scalar_subquery()))


def registers(connection: Connection, task_id: str, *, version: int | None, run_id: str | None) -> bool:
    """Return whether a task registered a version of this run, or is not done yet and may. version: its number, where
    another one does not count.
    """
    row = connection.execute(select(tasks.c.state, tasks.c.outcome).where(tasks.c.id == task_id)).one_or_none()
    if row is None or row.state in (TaskState.QUEUED, TaskState.RUNNING):
        return row is not None
    facts = (row.outcome or {}).get("facts") or []
    of_number = (fact for fact in facts if version in (None, fact.get("version")))
    return run_id is not None and any((fact.get("details") or {}).get("run_id") == run_id for fact in of_number)


@dataclass(frozen=True)
class ArchiveLocation:
    """An archive file. folder: where it was written. sha256: of the file, hexadecimal."""

    name: str
    folder: str
    sha256: str
    started_at: datetime


def ever_accepted(connection: Connection, ids: Sequence[str]) -> set[str]:
    """Return which of these ids are of events in the ledger or in an archive file."""
    accepted: set[str] = set()
    for column in (events.c.id, archived.c.event_id):
        for start in range(0, len(ids), 500):
            query = select(column).where(column.in_(ids[start : start + 500]))
            accepted.update(connection.execute(query).scalars())
    return accepted


def any_accepted(connection: Connection, model: str, *, since: datetime, until: datetime) -> bool:
    """Return whether an event about a model was accepted in [since, until) and is in the ledger."""
    then = (events.c.accepted_at >= since, events.c.accepted_at < until)
    return bool(connection.scalar(select(exists().where(events.c.model == model, *then))))


def archive_location(connection: Connection, event_id: str) -> ArchiveLocation | None:
    """Return the file that has an event with its tasks, or the tasks of one that stays; None: it was not archived."""
    columns = [archives.c[name] for name in ArchiveLocation.__dataclass_fields__]
    for table, key in ((archived, archived.c.event_id), (events, events.c.id)):
        joined = table.join(archives, table.c.archive_seq == archives.c.seq)
        row = connection.execute(select(*columns).select_from(joined).where(key == event_id)).one_or_none()
        if row:
            return ArchiveLocation(**row._mapping)
    return None
