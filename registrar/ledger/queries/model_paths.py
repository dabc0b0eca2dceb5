"""What a row for each model shows of the record: a fixed number of statements, however many models there are."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Connection, Select, func, or_, select, tuple_, union_all

from registrar.events.facts import FactType
from registrar.events.types import ModelVersionRegister, PromotionRequest, TrainingRunFinished
from registrar.ledger.holders import ARCHIVED, BY_HAND, adopted
from registrar.ledger.tables import events, holders, incarnations, promotions, tasks, version_states
from registrar.ledger.version_state import Key

About = TypeVar("About")
_AT_ONCE = 100  # parts of a statement; SQLite takes 500
_LOOKED_AT = 150  # rows of each kind that say which models changed last
_REQUESTS, _TRAININGS = 16, 10  # the newest of a model that are read
_TYPES = (TrainingRunFinished.type, ModelVersionRegister.type)
_TASKS = (TrainingRunFinished.task, PromotionRequest.task)


@dataclass(frozen=True)
class PathHolding:
    """A stage or an alias that a version holds now. by_hand: it was moved in MLflow, past the policy. gates: the
    verdicts of the promotion that began it.
    """

    model: str
    kind: str
    key: str
    version: int
    since: datetime
    actor_name: str
    by_hand: bool
    gates: Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class PathRequest:
    """A promotion, open or not. gates: its verdicts, as approvers saw them. made_at: when the registry made the
    version; where that is not known, when it was asked for.
    """

    model: str
    version: int
    target: str
    created_at: datetime
    decided_at: datetime | None
    made_at: datetime
    gates: Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Registration:
    """A version that an event registered. at: when; made_at: when the registry made it, by its own clock. held_back: by
    target, why its gates held it back then.
    """

    model: str
    version: int
    at: datetime
    made_at: datetime
    metrics: Mapping[str, float] = field(default_factory=dict)
    held_back: Mapping[str, Sequence[str]] = field(default_factory=dict)


def read_each(connection: Connection, keys: Sequence[About], newest: Callable[[About], Select[Any]]) -> Iterator[Any]:
    """Yield the rows of one limited query for each key, of _AT_ONCE keys by one statement.

    A few index steps for each, however many rows there are behind its limit; a window function would read them all.
    """
    for start in range(0, len(keys), _AT_ONCE):
        queries = (select(newest(key).subquery()) for key in keys[start : start + _AT_ONCE])
        yield from connection.execute(union_all(*queries))


def recently_changed(connection: Connection) -> dict[str, datetime]:
    """Return the models whose versions were registered, asked for or moved last, the latest first, with when."""
    newest = (
        select(holders.c.model, holders.c.since.label("at")).order_by(holders.c.seq.desc()),
        select(promotions.c.model, promotions.c.created_at.label("at")).order_by(promotions.c.created_at.desc()),
        select(incarnations.c.model, incarnations.c.at).order_by(incarnations.c.seq.desc()),
    )
    rows = connection.execute(union_all(*(select(each.limit(_LOOKED_AT).subquery()) for each in newest)))
    changed: dict[str, datetime] = {}
    for row in sorted(rows, key=lambda row: row.at, reverse=True):
        changed.setdefault(row.model, row.at)
    return changed


def path_holdings(connection: Connection, models: Sequence[str]) -> list[PathHolding]:
    """Return what versions of these models hold, without Archived; of several holders of a stage, the latest first."""
    joined = holders.join(events, holders.c.event_id == events.c.id)
    joined = joined.outerjoin(promotions, holders.c.promotion_id == promotions.c.id)
    columns = [holders.c[name] for name in ("model", "kind", "key", "version", "since", "actor_name", "event_id")]
    gates = promotions.c.evidence["gates"].label("gates")
    query = select(*columns, holders.c.promotion_id, events.c.type, gates).select_from(joined)
    held = or_(holders.c.kind == "alias", holders.c.key != ARCHIVED)
    query = query.where(holders.c.model.in_(models), holders.c.until.is_(None), held).order_by(holders.c.seq.desc())
    rows = connection.execute(query).all() if models else []
    moved = {row.event_id for row in rows if row.promotion_id is None and row.type in BY_HAND}
    passed = adopted(connection, moved)
    return [
        PathHolding(
            *row[:6],
            by_hand=row.event_id in moved and (row.event_id, row.version, row.kind, row.key) not in passed,
            gates=row.gates or (),
        )
        for row in rows
    ]


def newest_requests(connection: Connection, models: Sequence[str]) -> list[PathRequest]:
    """Return the newest promotions of each of these models, newest first within a model."""
    columns = [promotions.c[name] for name in ("model", "version", "target", "created_at", "decided_at")]
    made_at = func.coalesce(incarnations.c.created_at, promotions.c.created_at).label("made_at")
    gates = promotions.c.evidence["gates"].label("gates")
    joined = promotions.outerjoin(incarnations, promotions.c.incarnation == incarnations.c.seq)
    query = select(*columns, made_at, gates).select_from(joined).order_by(promotions.c.created_at.desc())
    query = query.limit(_REQUESTS)
    rows = read_each(connection, models, lambda model: query.where(promotions.c.model == model))
    return [PathRequest(**{**row._mapping, "gates": row.gates or ()}) for row in rows]


def newest_registrations(connection: Connection, models: Sequence[str]) -> list[Registration]:
    """Return versions that the newest training events of each of these models registered, oldest first."""
    query = select(events.c.id).order_by(events.c.seq.desc()).limit(_TRAININGS)
    kinds = [(model, type_) for model in models for type_ in _TYPES]
    rows = read_each(connection, kinds, lambda kind: query.where(events.c.model == kind[0], events.c.type == kind[1]))
    ids = [row.id for row in rows]
    done = select(events.c.model, tasks.c.outcome, tasks.c.finished_at).where(tasks.c.event_id.in_(ids))
    joined = tasks.join(events, tasks.c.event_id == events.c.id)
    done = done.select_from(joined).where(tasks.c.name.in_(_TASKS)).order_by(tasks.c.seq)
    found: dict[tuple[str, int], Registration] = {}
    for row in connection.execute(done) if ids else ():
        for fact in (row.outcome or {}).get("facts") or ():
            if fact.get("version") is not None:
                _take(found, row, fact)
    return list(found.values())


def _take(found: dict[tuple[str, int], Registration], row: Any, fact: Mapping[str, Any]) -> None:
    key, details = (row.model, fact["version"]), fact.get("details") or {}
    if fact["type"] == FactType.MODEL_VERSION_REGISTERED:
        made_at = datetime.fromisoformat(details["created_at"]) if "created_at" in details else row.finished_at
        found[key] = Registration(*key, row.finished_at, made_at, details.get("metrics") or {})
    elif fact["type"] == FactType.MODEL_VERSION_HELD_BACK and key in found:
        reasons = {details.get("target", ""): tuple(details.get("reasons") or ())}
        found[key] = replace(found[key], held_back={**found[key].held_back, **reasons})


@dataclass(frozen=True)
class Quarantine:
    """why: for people. made_at: when the registry made the version, else when it was quarantined."""

    why: str
    made_at: datetime


def quarantines(connection: Connection, versions: Collection[tuple[str, int]]) -> dict[tuple[str, int], Quarantine]:
    """Return which of these versions (model, number) are quarantined now."""
    about = tuple_(version_states.c.model, version_states.c.version).in_(sorted(versions))
    query = select(version_states).where(about, version_states.c.key == Key.QUARANTINED.value)
    rows = connection.execute(query.order_by(version_states.c.seq)).all() if versions else []
    newest = {(row.model, row.version): row for row in rows}
    return {
        about: Quarantine(row.value, row.version_created_at or row.at) for about, row in newest.items() if row.value
    }
