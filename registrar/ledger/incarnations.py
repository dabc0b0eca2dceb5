"""Incarnations of versions: recorded with holdings, promotions and deployments, and compared before these count.

What was written before schema 0011 has no note. It is about a version where it began after the registry had made that,
from the same run where the run is known; nothing is guessed beyond that.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, func, insert, select

from registrar.events.incarnation import Incarnation
from registrar.events.outcome import Cause
from registrar.ledger.journal.append import EntryKind, append
from registrar.ledger.tables import incarnations

NAMES = ("model", "version", "created_at", "run_id", "source", "registry")
# The registry's clock may be so far ahead of the ledger's; applied where the run id matches.
CLOCKS = timedelta(minutes=5)
COLUMNS = tuple(incarnations.c[name] for name in NAMES)


def is_about(created_at: datetime, *, recorded: datetime | None, since: datetime) -> bool:
    """Return whether a record is about the version that the registry made at `created_at`.

    recorded: the time in the record; None: unknown, and the record must have begun later.
    """
    return since >= created_at if recorded is None else recorded == created_at


@dataclass(frozen=True)
class Recorded:
    """A record about a version. since: when it began. noted: which version it is about; None: not known.

    run_id: of its promotion's evidence, which tells more where nothing was noted.
    """

    version: int
    since: datetime
    noted: Incarnation | None = None
    run_id: str | None = None

    @property
    def made_by(self) -> datetime:
        """A time by which the registry had made the version."""
        return self.noted.created_at if self.noted else self.since

    def is_of(self, found: Incarnation) -> bool:
        """Return whether the record is about this incarnation of the version."""
        if self.version != found.version:
            return False
        if self.noted is not None:
            return self.noted.same(found)
        if self.run_id and found.run_id and self.run_id != found.run_id:
            return False
        slack = CLOCKS if self.run_id and self.run_id == found.run_id else timedelta()
        return is_about(found.created_at, recorded=None, since=self.since + slack)


def record_incarnation(connection: Connection, cause: Cause, model: str, version: int) -> int | None:
    """Return the seq of the incarnation that the task saw, inserted if it is new; None: it saw none."""
    seen = cause.seen.get((model, version))
    if seen is None:
        return None
    same = and_(incarnations.c.created_at == seen.created_at, incarnations.c.run_id.is_not_distinct_from(seen.run_id))
    known = select(incarnations.c.seq).where(incarnations.c.model == model, incarnations.c.version == version, same)
    if (number := connection.execute(known).scalar()) is not None:
        return int(number)
    row = {name: getattr(seen, name) for name in NAMES} | {"event_id": cause.event_id, "at": cause.at}
    number = connection.execute(insert(incarnations).values(row).returning(incarnations.c.seq)).scalar_one()
    said = {name: row[name] for name in ("created_at", "run_id", "source", "registry")}
    append(connection, cause, EntryKind.VERSION_SEEN, model=model, version=version, incarnation=number, **said)
    return int(number)


@dataclass(frozen=True)
class Noted:
    """Record: a version is known, though nothing else is written about it. It must have been seen."""

    model: str
    version: int

    def apply(self, connection: Connection, cause: Cause) -> None:
        record_incarnation(connection, cause, self.model, self.version)


def known(connection: Connection, model: str, *, version: int | None = None) -> Mapping[int, Incarnation]:
    """All that were noted of a model's versions, or of one number, by the number that records have of them."""
    query = select(incarnations.c.seq, *COLUMNS).where(incarnations.c.model == model).order_by(incarnations.c.seq)
    if version is not None:
        query = query.where(incarnations.c.version == version)
    return {number: Incarnation(*row) for number, *row in connection.execute(query)}


def made_anew_at(connection: Connection, models: Iterable[str]) -> dict[str, datetime]:
    """Return when models were created again, by name; earlier records are about deleted models of that name."""
    columns = (incarnations.c.model, incarnations.c.version, incarnations.c.created_at)
    before = func.max(incarnations.c.version).over(
        partition_by=incarnations.c.model,
        order_by=(incarnations.c.created_at, incarnations.c.seq),
        rows=(None, -1),
    )
    noted = select(*columns, before.label("before")).where(incarnations.c.model.in_(set(models))).subquery()
    begins = noted.c.version <= noted.c.before  # else numbers grow with time
    query = select(noted.c.model, func.max(noted.c.created_at).label("at")).where(begins).group_by(noted.c.model)
    return {row.model: row.at for row in connection.execute(query)}


def of_deleted(connection: Connection, rows: Iterable[Mapping[str, Any]]) -> dict[str, datetime]:
    """Return when the present model was created, by the id of each promotion of a deleted model. rows: promotions."""
    rows = list(rows)
    anew = made_anew_at(connection, {row["model"] for row in rows})
    asked = [row for row in rows if row["model"] in anew]
    numbers = {row["incarnation"] for row in asked} - {None}
    query = select(incarnations.c.seq, incarnations.c.created_at).where(incarnations.c.seq.in_(numbers))
    made = {row.seq: row.created_at for row in connection.execute(query)} if numbers else {}
    return {
        row["id"]: anew[row["model"]]
        for row in asked
        if made.get(row["incarnation"], row["created_at"]) < anew[row["model"]]
    }
