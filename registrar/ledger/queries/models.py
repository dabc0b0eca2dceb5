"""The registered models in the record: holders and open promotions."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, exists, func, literal, literal_column, or_, select

from registrar.events.states import TaskState
from registrar.events.types import (
    EvaluationRunFinished,
    ModelVersionArchive,
    ModelVersionDescribe,
    ModelVersionTransition,
    PromotionRequest,
    RegistryChanged,
    TrainingRunFinished,
)
from registrar.ledger.holders import ARCHIVED
from registrar.ledger.promotions import is_open
from registrar.ledger.queries.model_paths import read_each
from registrar.ledger.tables import events, holders, incarnations, promotions, tasks, version_states

# Tasks that succeed only where the registry has the model. Others may have a misspelt name: a failed training's.
_PROVING = tuple(
    data.task
    for data in (
        *(TrainingRunFinished, PromotionRequest, ModelVersionTransition, ModelVersionArchive),
        *(ModelVersionDescribe, EvaluationRunFinished, RegistryChanged),
    )
)
_UNDER_WAY = (TaskState.QUEUED, TaskState.RUNNING)


def page(connection: Connection, *, after: str = "", limit: int = 50) -> list[dict[str, Any]]:
    """Return models that the registry has or had, by name, those after `after`.

    Each with model, last_event_at, open_promotions, holders ({kind, key, version, since}).
    """
    return _summaries(connection, _names(connection, after, limit))


def get_model(connection: Connection, model: str) -> dict[str, Any] | None:
    """Return one model; None: no event was about it."""
    known = connection.execute(select(events.c.seq).where(events.c.model == model).limit(1)).first()
    return _summaries(connection, [model])[0] if known else None


def is_known(connection: Connection, model: str) -> bool:
    """Return whether the registry has or had a model of that name, by the record; not where it was misspelt alone."""
    return bool(connection.execute(select(_is_model(literal(model)))).scalar_one())


def known_names(connection: Connection, *, after: str = "", limit: int = 500) -> Sequence[str]:
    """Return the names of models that the registry has or had, in order, those after `after`."""
    return _names(connection, after, limit)


def _names(connection: Connection, after: str, limit: int) -> Sequence[str]:
    """Return the next names, by one index step for each, however many events there are.
    https://wiki.postgresql.org/wiki/Loose_indexscan
    """
    first = select(func.min(events.c.model).label("model")).where(events.c.model > after)
    names = first.cte("names", recursive=True)
    following = select(func.min(events.c.model)).where(events.c.model > names.c.model).scalar_subquery()
    names = names.union_all(select(following).where(names.c.model.is_not(None)))
    query = select(names.c.model).where(names.c.model.is_not(None), _is_model(names.c.model)).limit(limit)
    return [str(name) for name in connection.execute(query).scalars()]


def _is_model(model: ColumnElement[str]) -> ColumnElement[bool]:
    """Match names of models that the registry has or had; a failed event may have misspelt its model."""
    rows = (holders, promotions, incarnations, version_states)
    proven = and_(tasks.c.name.in_(_PROVING), tasks.c.state == TaskState.SUCCEEDED)
    work = tasks.join(events, tasks.c.event_id == events.c.id)
    has_task = exists().select_from(work).where(events.c.model == model, or_(proven, tasks.c.state.in_(_UNDER_WAY)))
    return or_(*(exists().where(table.c.model == model) for table in rows), has_task)


def _summaries(connection: Connection, models: Sequence[str]) -> list[dict[str, Any]]:
    holders_, open_promotions = _holders(connection, models), _open(connection, models)
    last_event_at = _last_events(connection, models)
    return [
        {
            "model": model,
            "last_event_at": last_event_at.get(model),
            "open_promotions": open_promotions[model],
            "holders": holders_[model],
        }
        for model in models
    ]


def _holders(connection: Connection, models: Sequence[str]) -> defaultdict[str, list[dict[str, Any]]]:
    columns = [holders.c[name] for name in ("kind", "key", "version", "since")]
    query = select(holders.c.model, *columns).where(holders.c.model.in_(models), holders.c.until.is_(None))
    by_model: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in connection.execute(query.order_by(holders.c.kind.desc(), holders.c.key, holders.c.version)).mappings():
        by_model[row["model"]].append({name: row[name] for name in ("kind", "key", "version", "since")})
    return by_model


def _open(connection: Connection, models: Sequence[str]) -> defaultdict[str, int]:
    query = select(promotions.c.model, func.count(literal_column("1"))).where(is_open(), promotions.c.model.in_(models))
    return defaultdict(int, {row[0]: row[1] for row in connection.execute(query.group_by(promotions.c.model))})


def _last_events(connection: Connection, models: Sequence[str]) -> dict[str, datetime]:
    """Return when the newest event about each of these models was accepted."""
    newest = select(events.c.model, events.c.accepted_at).order_by(events.c.seq.desc()).limit(1)
    rows = read_each(connection, models, lambda model: newest.where(events.c.model == model))
    return {row.model: row.accepted_at for row in rows}


@dataclass(frozen=True)
class HoldingRow:
    """A holding. until None: it goes on."""

    kind: str
    key: str
    version: int
    since: datetime
    until: datetime | None


def holdings_by_model(connection: Connection) -> Iterator[tuple[str, Sequence[HoldingRow]]]:
    """Yield all holdings there ever were: models by name, holdings in the order in which they began."""
    columns = [holders.c[name] for name in HoldingRow.__dataclass_fields__]
    models = connection.execute(select(holders.c.model).distinct().order_by(holders.c.model)).scalars().all()
    for model in models:
        rows = connection.execute(select(*columns).where(holders.c.model == model).order_by(holders.c.seq))
        yield model, [HoldingRow(*row) for row in rows]


def stages_ever_held(connection: Connection) -> dict[str, frozenset[str]]:
    """Return the stages that ever had a holder, by model, without Archived."""
    stages: defaultdict[str, set[str]] = defaultdict(set)
    query = select(holders.c.model, holders.c.key).where(holders.c.kind == "stage", holders.c.key != ARCHIVED)
    for model, stage in connection.execute(query.distinct()):
        stages[model].add(stage)
    return {model: frozenset(names) for model, names in stages.items()}
