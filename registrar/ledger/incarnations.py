"""Incarnations of versions: recorded with holdings, promotions and deployments, and compared before these count.

Rows from before schema 0011 have none. Such a row is about a version if it began after the registry created the
version, and if the runs agree where both are known.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import Connection, Select, bindparam, func, insert, select

from registrar.events.incarnation import Incarnation
from registrar.events.outcome import Cause
from registrar.ledger.journal.append import EntryKind, append
from registrar.ledger.tables import incarnations

NAMES = ("model", "version", "created_at", "run_id", "source", "registry")
# The registry's clock may be so far ahead of the ledger's; applied where the run id matches.
CLOCKS = timedelta(minutes=5)
# Registrations within this time may have overlapped, so that numbers and times have different orders.
AT_ONCE = timedelta(minutes=1)
COLUMNS = tuple(incarnations.c[name] for name in NAMES)


def is_about(created_at: datetime, *, recorded: datetime | None, since: datetime) -> bool:
    """Return whether a record is about the version that the registry created at `created_at`.

    recorded: the time of creation in the record; None: unknown, so that the record must have begun later.
    """
    return since >= created_at if recorded is None else recorded == created_at


@dataclass(frozen=True)
class Recorded:
    """A record about a version. since: when it began. noted: the version's incarnation; None: not known.

    run_id: from its promotion's evidence, which helps where no incarnation was noted.
    """

    version: int
    since: datetime
    noted: Incarnation | None = None
    run_id: str | None = None

    @property
    def made_by(self) -> datetime:
        """A time by which the registry had created the version."""
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
    """Return the seq of the incarnation that the task saw, inserted if it is new; None: the task saw none."""
    seen = cause.seen.get((model, version))
    if seen is None:
        return None
    which = {"of_model": model, "of_version": version, "made_at": seen.created_at, "of_run": seen.run_id}
    if (number := connection.execute(_select_same(), which).scalar()) is not None:
        return int(number)
    row = {name: getattr(seen, name) for name in NAMES} | {"event_id": cause.event_id, "at": cause.at}
    number = connection.execute(insert(incarnations).values(row).returning(incarnations.c.seq)).scalar_one()
    fields = {name: row[name] for name in ("created_at", "run_id", "source", "registry")}
    append(connection, cause, EntryKind.VERSION_SEEN, model=model, version=version, incarnation=number, **fields)
    return int(number)


@dataclass(frozen=True)
class Noted:
    """Record: a version is known, though no other row is written about it. The task must have seen it."""

    model: str
    version: int

    def apply(self, connection: Connection, cause: Cause) -> None:
        record_incarnation(connection, cause, self.model, self.version)


def known(connection: Connection, model: str, *, version: int | None = None) -> Mapping[int, Incarnation]:
    """Return the incarnations of a model's versions, or of one version number, by their seq."""
    which = {"of_model": model, "of_version": version}
    rows = connection.execute(_select_known(one=version is not None), which)
    return {number: Incarnation(*row) for number, *row in rows}


@cache
def _select_known(*, one: bool) -> Select[Any]:
    query = select(incarnations.c.seq, *COLUMNS).where(incarnations.c.model == bindparam("of_model"))
    if one:
        query = query.where(incarnations.c.version == bindparam("of_version"))
    return query.order_by(incarnations.c.seq)


@cache
def _select_same() -> Select[Any]:
    about = (incarnations.c.model == bindparam("of_model"), incarnations.c.version == bindparam("of_version"))
    made = incarnations.c.created_at == bindparam("made_at")
    return select(incarnations.c.seq).where(
        *about, made, incarnations.c.run_id.is_not_distinct_from(bindparam("of_run"))
    )


def made_anew_at(connection: Connection, models: Iterable[str]) -> dict[str, datetime]:
    """Return when models were created again, by name; earlier records are about deleted models of that name.

    Of two registrations at once, MLflow may give the higher number the earlier time: that is no sign of it.
    """
    columns = (incarnations.c.model, incarnations.c.version, incarnations.c.created_at)
    before = func.max(incarnations.c.version).over(
        partition_by=incarnations.c.model,
        order_by=(incarnations.c.created_at, incarnations.c.seq),
        rows=(None, -1),
    )
    in_order = select(*columns, before.label("before")).where(incarnations.c.model.in_(set(models))).subquery()
    disordered = select(in_order.c.model).where(in_order.c.version <= in_order.c.before).distinct()
    if not (names := connection.execute(disordered).scalars().all()):
        return {}
    query = select(*columns).where(incarnations.c.model.in_(names)).order_by(incarnations.c.created_at)
    made: dict[str, list[tuple[int, datetime]]] = {}
    for row in connection.execute(query):
        made.setdefault(row.model, []).append((row.version, row.created_at))
    restarts = {model: _restarted_at(of_model) for model, of_model in made.items()}
    return {model: at for model, at in restarts.items() if at}


def _restarted_at(made: Sequence[tuple[int, datetime]]) -> datetime | None:
    """Return when numbers last began anew: one came again, or one that is lower than another long before it.

    made: number and time, in the order of time.
    """
    seen: dict[int, datetime] = {}
    restarted, highest, settled = None, 0, 0  # settled: how many were made long before
    for place, (number, at) in enumerate(made):
        while made[settled][1] < at - AT_ONCE:
            highest, settled = max(highest, made[settled][0]), settled + 1
        if seen.get(number, at) != at or number < highest:
            restarted, highest, settled, seen = at, 0, place, {}
        seen[number] = at
    return restarted


def names_of(connection: Connection, version: Incarnation) -> set[str]:
    """Return the names of the models that had this version, by the record: its present one, and those before."""
    same = (incarnations.c.version == version.version, incarnations.c.created_at == version.created_at)
    of_run = incarnations.c.run_id.is_not_distinct_from(version.run_id)
    return set(connection.execute(select(incarnations.c.model).where(*same, of_run)).scalars())


def of_deleted(connection: Connection, rows: Iterable[Mapping[str, Any]]) -> dict[str, datetime]:
    """Return when the present model was created, by the id of each promotion of a deleted model. rows: promotions."""
    rows = list(rows)
    recreated = made_anew_at(connection, {row["model"] for row in rows})
    affected = [row for row in rows if row["model"] in recreated]
    numbers = {row["incarnation"] for row in affected} - {None}
    query = select(incarnations.c.seq, incarnations.c.created_at).where(incarnations.c.seq.in_(numbers))
    created = {row.seq: row.created_at for row in connection.execute(query)} if numbers else {}
    return {
        row["id"]: recreated[row["model"]]
        for row in affected
        if created.get(row["incarnation"], row["created_at"]) < recreated[row["model"]]
    }
