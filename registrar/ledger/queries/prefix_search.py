"""Find records by the beginning of an id or a name. Each statement looks a few rows up by an index, and has a limit."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Select, Text, and_, cast, func, literal, or_, select, union

from registrar.events.states import TaskState
from registrar.events.types import ModelVersionRegister, TrainingRunFinished
from registrar.ledger.tables import events, holders, incarnations, promotions, tasks, version_states

# Different names of models, or of actors, that are read.
MOST_NAMES = 5000
# The newest registrations whose commit is looked at: commits have no index.
MOST_REGISTRATIONS = 1000
_HEX = re.compile(r"[0-9a-f]+")
_REGISTERING = (TrainingRunFinished.type, ModelVersionRegister.type)
_TASKS = (TrainingRunFinished.task, "worker.adopt_version")


@dataclass(frozen=True)
class FoundEvent:
    id: str
    type: str
    model: str | None
    at: datetime


@dataclass(frozen=True)
class FoundPromotion:
    id: str
    model: str
    version: int
    target: str
    state: str


@dataclass(frozen=True)
class FoundVersion:
    """A version. key: the run, or the commit, by which it was found."""

    model: str
    version: int
    key: str = ""
    is_run: bool = True


def events_by_id(connection: Connection, prefix: str, *, limit: int) -> list[FoundEvent]:
    """Return events whose id begins so, newest first. prefix: evt_ and hexadecimal digits."""
    columns = (events.c.id, events.c.type, events.c.model, events.c.accepted_at)
    query = select(*columns).where(_begins(events.c.id, prefix)).order_by(events.c.id.desc()).limit(limit)
    return [FoundEvent(*row) for row in connection.execute(query)]


def events_of_tasks(connection: Connection, prefix: str, *, limit: int) -> list[FoundEvent]:
    """Return the events of tasks whose id begins so, newest first. prefix: tsk_ and hexadecimal digits."""
    columns = (events.c.id, events.c.type, events.c.model, events.c.accepted_at)
    joined = tasks.join(events, tasks.c.event_id == events.c.id)
    query = select(*columns).select_from(joined).where(_begins(tasks.c.id, prefix))
    rows = connection.execute(query.order_by(tasks.c.id.desc()).limit(limit))
    return list(dict.fromkeys(FoundEvent(*row) for row in rows))


def promotions_by_id(connection: Connection, prefix: str, *, limit: int) -> list[FoundPromotion]:
    """Return promotions whose id begins so, newest first. prefix: prm_ and hexadecimal digits."""
    columns = [promotions.c[name] for name in FoundPromotion.__dataclass_fields__]
    query = select(*columns).where(_begins(promotions.c.id, prefix)).order_by(promotions.c.id.desc()).limit(limit)
    return [FoundPromotion(*row) for row in connection.execute(query)]


def model_names(connection: Connection, text: str, *, limit: int) -> list[str]:
    """Return names that events said of models, with this text in them, in any case: those that begin so first.

    Of more than MOST_NAMES, the first by name are read. Whether MLflow has the model is not asked.
    """
    return _names(connection, events.c.model, text, limit)


def actors(connection: Connection, text: str, *, limit: int) -> list[str]:
    """Return ids of who sent events, with this text in them: ada, source:ci, token:laptop."""
    return _names(connection, events.c.actor, text, limit)


def versions_of(connection: Connection, models: Sequence[str], version: int) -> list[FoundVersion]:
    """Return which of these models have, or had, a version of this number by the record."""
    known = (
        select(table.c.model).where(table.c.model.in_(models), table.c.version == version)
        for table in (holders, promotions, incarnations, version_states)
    )
    found = set(connection.execute(union(*known)).scalars())
    return [FoundVersion(model, version) for model in models if model in found]


def versions_of_run(connection: Connection, run: str, *, limit: int) -> list[FoundVersion]:
    """Return versions of the runs whose id begins so, newest first; of an id that is not hexadecimal, the whole one."""
    columns = (incarnations.c.model, incarnations.c.version, incarnations.c.run_id)
    same = _begins(incarnations.c.run_id, run) if _HEX.fullmatch(run) else incarnations.c.run_id == run
    query = select(*columns).where(same).order_by(incarnations.c.run_id, incarnations.c.seq.desc()).limit(limit)
    return list(dict.fromkeys(FoundVersion(*row) for row in connection.execute(query)))


def registered_from(connection: Connection, text: str, *, limit: int) -> Iterator[FoundVersion]:
    """Yield versions among the newest MOST_REGISTRATIONS whose run's id or commit begins so, newest first."""
    newest = [
        select(events.c.id).where(events.c.type == type_).order_by(events.c.seq.desc()).limit(MOST_REGISTRATIONS)
        for type_ in _REGISTERING
    ]
    ids = union(*(select(each.subquery().c.id) for each in newest))
    mentions = cast(tasks.c.outcome, Text).contains(f'"{text}', autoescape=True)
    succeeded = and_(tasks.c.name.in_(_TASKS), tasks.c.state == TaskState.SUCCEEDED)
    query = select(tasks.c.outcome).where(tasks.c.event_id.in_(ids), succeeded, mentions)
    for outcome in connection.execute(query.order_by(tasks.c.event_id.desc()).limit(limit)).scalars():
        for fact in outcome.get("facts") or []:
            details = fact.get("details") or {}
            keys = {name: str(details.get(name) or "") for name in ("run_id", "commit")}
            name = next((name for name, key in keys.items() if key.startswith(text)), None)
            if name and fact.get("model") and fact.get("version"):
                yield FoundVersion(fact["model"], fact["version"], keys[name], name == "run_id")


def _begins(column: ColumnElement[str], prefix: str) -> ColumnElement[bool]:
    """Match ids by a range of their index. After the prefix they have hexadecimal digits, which sort before g in each
    collation.
    """
    return and_(column >= prefix, column < f"{prefix}g")


def _names(connection: Connection, column: ColumnElement[str], text: str, limit: int) -> list[str]:
    """Return different values of a column that contain a text, by one index step for each.

    https://wiki.postgresql.org/wiki/Loose_indexscan
    """
    first = select(func.min(column).label("name"), literal(1).label("nth")).where(column > "")
    names = first.cte("names", recursive=True)
    following: Select[str] = select(func.min(column)).where(column > names.c.name)
    more = select(following.scalar_subquery(), names.c.nth + 1).where(
        names.c.name.is_not(None), names.c.nth < MOST_NAMES
    )
    names = names.union_all(more)
    lowered, wanted = func.lower(names.c.name), text.lower()
    # SQLite's lower() knows ASCII alone.
    contains = or_(lowered.contains(wanted, autoescape=True), names.c.name.contains(text, autoescape=True))
    found = select(names.c.name).where(contains)
    at_start = lowered.startswith(wanted, autoescape=True)
    query = found.order_by(at_start.desc(), func.length(names.c.name), names.c.name).limit(limit)
    return [str(name) for name in connection.execute(query).scalars()]
