"""A model's versions in the record: how they were registered, and which gates held them back."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, exists, func, or_, select, text

from registrar.events.facts import FactType
from registrar.events.types import EvaluationRunFinished, ModelVersionRegister, PromotionRequest, TrainingRunFinished
from registrar.ledger.incarnations import AT_ONCE, CLOCKS, known, made_anew_at
from registrar.ledger.tables import events, holders, incarnations, promotions, tasks, version_states
from registrar.ledger.version_state import HELD_BACK, Key

MOST = 50  # events of a type
_TYPES = (TrainingRunFinished.type, ModelVersionRegister.type, EvaluationRunFinished.type, PromotionRequest.type)
_TASKS = (TrainingRunFinished.task, PromotionRequest.task, "worker.adopt_version")
# States whose event registered a version, took it in, or announced its run; beside them those of HELD_BACK.
_ORIGINS = (Key.REGISTRANT.value, Key.EVENT.value, Key.ANNOUNCED.value)


@dataclass(frozen=True)
class HeldBack:
    """reasons: of the failed gates, for people."""

    target: str
    reasons: Sequence[str]
    at: datetime
    event_id: str


@dataclass(frozen=True)
class KnownVersion:
    """registered_at None: the ledger has no event that registered it. metrics: those of its run at registration."""

    version: int
    registered_at: datetime | None = None
    registered_by: str | None = None
    event_id: str | None = None
    run_id: str | None = None
    commit: str | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    held_back: tuple[HeldBack, ...] = ()


def known_versions(connection: Connection, model: str, *, numbers: Collection[int] = ()) -> list[KnownVersion]:
    """Return versions, newest first, by the newest MOST events of each type that registers or evaluates versions.

    numbers: versions that are returned however old they are, where the record has what their events left.
    """
    ids = {event_id for type_ in _TYPES for event_id in _newest(connection, model, type_)}
    ids |= set(_newest_taken_in(connection, model)) | _events_about(connection, model, numbers)
    columns = (tasks.c.event_id, tasks.c.outcome, tasks.c.finished_at, events.c.actor_name)
    joined = tasks.join(events, tasks.c.event_id == events.c.id)
    query = select(*columns).select_from(joined).where(tasks.c.event_id.in_(ids), tasks.c.name.in_(_TASKS))
    rows = connection.execute(query.order_by(tasks.c.seq)).all() if ids else []
    versions: dict[int, KnownVersion] = {}
    made: dict[int, datetime] = {}
    for row, fact in _facts(rows):
        # Numbers grow: equal and higher ones before it are of a deleted model of that name, unless it came late.
        if fact["type"] == FactType.MODEL_VERSION_REGISTERED:
            number, at = fact["version"], _made_at(fact)
            since = at - AT_ONCE if at and made.get(number, at) == at else None
            later = {each for each, time in made.items() if since and each > number and time > since}
            versions = {each: version for each, version in versions.items() if each < number or each in later}
            made = {each: time for each, time in made.items() if each in versions} | ({number: at} if at else {})
        earlier = versions.get(fact["version"], KnownVersion(fact["version"]))
        versions[fact["version"]] = _with(earlier, row, fact)
    return sorted(versions.values(), key=lambda version: version.version, reverse=True)


def present_versions(connection: Connection, model: str, *, numbers: Collection[int] = ()) -> list[KnownVersion]:
    """Return known_versions without those of a deleted model of the same name. Clocks may differ by CLOCKS."""
    versions = known_versions(connection, model, numbers=numbers)
    recreated_at = made_anew_at(connection, [model]).get(model)
    if recreated_at is None:
        return versions
    return [one for one in versions if max(_times(one), default=recreated_at) + CLOCKS >= recreated_at]


def present_numbers(connection: Connection, model: str) -> list[int]:
    """Return the numbers of all versions that the record knows of the present model, newest first."""
    recreated_at = made_anew_at(connection, [model]).get(model)
    seen = known(connection, model).values()
    numbers = {one.version for one in seen if recreated_at is None or one.created_at >= recreated_at}
    return sorted(numbers | {one.version for one in present_versions(connection, model)}, reverse=True)


def newest_numbers(
    connection: Connection, model: str, *, since: datetime | None, before: int | None = None, limit: int
) -> list[int]:
    """Return numbers of versions that a task saw or that have a state, highest first. since: the model's creation, if
    it was created again; before: only smaller ones.
    """
    state_since = func.coalesce(version_states.c.version_created_at, version_states.c.at)
    numbers: set[int] = set()
    for table, made in ((incarnations, incarnations.c.created_at), (version_states, state_since)):
        query = select(table.c.version).where(table.c.model == model)
        query = query if since is None else query.where(made >= since)
        query = query if before is None else query.where(table.c.version < before)
        numbers.update(connection.execute(query.distinct().order_by(table.c.version.desc()).limit(limit)).scalars())
    return sorted(numbers, reverse=True)[:limit]


def is_known(connection: Connection, model: str, version: int) -> bool:
    """Return whether the record knows a version: it held a target, was up for promotion, or is in known_versions."""
    rows = (holders, promotions, version_states)
    conditions = (exists().where(table.c.model == model, table.c.version == version) for table in rows)
    if connection.execute(select(or_(*conditions))).scalar_one():
        return True
    return any(known.version == version for known in known_versions(connection, model))


def _newest(connection: Connection, model: str, type_: str) -> Sequence[str]:
    matching = select(events.c.id).where(events.c.model == model, events.c.type == type_)
    return connection.execute(matching.order_by(events.c.seq.desc()).limit(MOST)).scalars().all()


def _newest_taken_in(connection: Connection, model: str) -> Sequence[str]:
    """Return the events by which the newest MOST versions were taken in that had been registered in MLflow."""
    taken_in = and_(version_states.c.model == model, text("key = 'registrar.event'"))  # as the index has it
    query = select(version_states.c.event_id).where(taken_in).order_by(version_states.c.seq.desc())
    return connection.execute(query.limit(MOST)).scalars().all()


def _events_about(connection: Connection, model: str, numbers: Collection[int]) -> set[str]:
    """Return the events by which these versions were registered, seen first, or held back."""
    if not numbers:
        return set()
    states_of = or_(version_states.c.key.in_(_ORIGINS), version_states.c.key.startswith(HELD_BACK, autoescape=True))
    queries = (
        select(incarnations.c.event_id).where(incarnations.c.model == model, incarnations.c.version.in_(numbers)),
        select(version_states.c.event_id).where(
            version_states.c.model == model, version_states.c.version.in_(numbers), states_of
        ),
    )
    return {event_id for query in queries for event_id in connection.execute(query).scalars()}


def _facts(rows: Sequence[Any]) -> Iterator[tuple[Any, Mapping[str, Any]]]:
    for row in rows:
        for fact in (row.outcome or {}).get("facts") or []:
            if fact.get("version") is not None:
                yield row, fact


def _created_at(fact: Mapping[str, Any]) -> datetime | None:
    """Return when the registry created the version; None in facts from before it was noted."""
    text_ = (fact.get("details") or {}).get("created_at")
    return datetime.fromisoformat(text_) if text_ else None


def _is_later(number: int, than: int, made: Mapping[int, datetime | None], created_at: datetime | None) -> bool:
    """Return whether a version that was registered before another one is a later one of the same model, which was taken
    in first. Else it is of a deleted model of that name, as numbers grow with time.
    """
    own = made.get(number)
    return number > than and own is not None and created_at is not None and own >= created_at


def _with(earlier: KnownVersion, row: Any, fact: Mapping[str, Any]) -> KnownVersion:
    details = fact.get("details") or {}
    fields = dict(vars(earlier))
    if fact["type"] == FactType.MODEL_VERSION_REGISTERED:
        fields |= {"registered_at": row.finished_at, "event_id": row.event_id}
        fields["registered_by"] = details.get("registered_by") or row.actor_name
        fields |= {"run_id": details.get("run_id"), "commit": details.get("commit")}
        fields["metrics"] = details.get("metrics") or {}
    elif fact["type"] == FactType.MODEL_VERSION_DESCRIBED:  # the run of a version that was taken in is announced
        fields["commit"] = details.get("commit") or earlier.commit
    elif fact["type"] == FactType.MODEL_VERSION_HELD_BACK:
        held = HeldBack(details.get("target", ""), details.get("reasons") or [], row.finished_at, row.event_id)
        others = tuple(one for one in earlier.held_back if one.target != held.target)
        fields["held_back"] = (*others, held)
    return KnownVersion(**fields)


def _made_at(fact: Mapping[str, Any]) -> datetime | None:
    """Return when the registry made the version that a fact is about; None: the fact does not say."""
    at = (fact.get("details") or {}).get("created_at")
    return datetime.fromisoformat(at) if at else None


def _times(version: KnownVersion) -> list[datetime]:
    registered = [version.registered_at] if version.registered_at else []
    return [*registered, *(held.at for held in version.held_back)]
