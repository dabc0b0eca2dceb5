"""States of a version beside its stage: newest evaluation, quarantine, what holds it back, deletion date, author, tags.

MLflow has tags of the same names for people to see; they are never read. Rows are only added; the newest of a key
counts.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Any

from sqlalchemy import Connection, Select, and_, bindparam, insert, or_, select

from registrar.events.outcome import Cause
from registrar.ledger import act_subjects
from registrar.ledger.incarnations import is_about
from registrar.ledger.journal.append import EntryKind, append
from registrar.ledger.tables import events, version_states
from registrar.ledger.watermarks import Watermark

HELD_BACK = "registrar.held_back."  # begins the keys of what holds a version back; the target's stage follows
TAG = "tag:"  # begins the key of a tag that an event gave the version; no Key begins so
_STATE = ("version", "version_created_at", "key", "value", "at")


class Key(StrEnum):
    """Keys of states, also the names of MLflow's tags."""

    EVALUATION = "registrar.evaluation"  # the id of the run that evaluated it
    QUARANTINED = "registrar.quarantined"  # why, when and by whom it was rolled back
    PRUNE_AFTER = "registrar.prune_after"  # ISO 8601: from then on it may be deleted
    AUTHOR = "registrar.author"  # the run's user when it was registered; "": the run has none
    AUTHOR_SEEN = "registrar.author_seen"  # the run's user when it was first seen; of versions without AUTHOR
    REGISTRANT = "registrar.registrant"  # the id of the actor whose event registered it; mlflow:USER: in MLflow
    NOTICED = "registrar.noticed"  # the event that noticed it in MLflow, where the policy takes it not in
    EVENT = "registrar.event"  # by which it was taken in or taken up, where it was registered in MLflow itself
    ANNOUNCED = "registrar.announced"  # the event that announced the run of a version that was taken in
    HELD_BACK_STAGING = f"{HELD_BACK}Staging"  # why its gates hold it back, until it passes
    HELD_BACK_PRODUCTION = f"{HELD_BACK}Production"


@dataclass(frozen=True)
class State:
    """A row. value None: the version does not have the state any more.

    version_created_at: when the registry created the version, as a model that is deleted and created again reuses
    version numbers; None: not known, in rows from an earlier schema. source: that of the event.
    """

    version: int
    version_created_at: datetime | None
    key: str
    value: str | None
    at: datetime
    source: str = ""

    def is_of(self, version: int, created_at: datetime) -> bool:
        if self.version != version:
            return False
        return is_about(created_at, recorded=self.version_created_at, since=self.at)


@dataclass(frozen=True)
class StateSet:
    """Record: a version has a state from now on; value None: it ends. Without effect where the value is the same.

    once: a value that the version already has stays. why: the reason, where the value has none.
    """

    model: str
    version: int
    version_created_at: datetime
    key: Key
    value: str | None
    once: bool = False
    why: str | None = None

    def apply(self, connection: Connection, cause: Cause) -> None:
        before = states(connection, self.model, version=self.version)
        present = current(before, self.version, self.version_created_at).get(self.key)
        if present == self.value or (self.once and present is not None):
            return
        _add(connection, cause, self, self.key.value, **({"why": self.why} if self.why else {}))


@dataclass(frozen=True)
class TagGiven:
    """Record: an event gave a version a tag. No effect if the same source gave the same value last."""

    model: str
    version: int
    version_created_at: datetime
    name: str
    value: str

    def apply(self, connection: Connection, cause: Cause) -> None:
        before = given_tags(states(connection, self.model, version=self.version), self.version, self.version_created_at)
        source = connection.execute(select(events.c.source).where(events.c.id == cause.event_id)).scalar_one()
        tag = before.get(self.name)
        if tag and tag.value == self.value and source in tag.sources:
            return
        _add(connection, cause, self, f"{TAG}{self.name}")


@dataclass(frozen=True)
class GivenTag:
    """The latest value of a tag. sources: those that gave it this value since it last changed."""

    value: str
    sources: frozenset[str]


def given_tags(found: Iterable[State], version: int, created_at: datetime) -> dict[str, GivenTag]:
    """Return the tags by name. found: oldest first."""
    tags: dict[str, GivenTag] = {}
    for state in found:
        if state.key.startswith(TAG) and state.value is not None and state.is_of(version, created_at):
            name = state.key.removeprefix(TAG)
            before = tags.get(name)
            same = before.sources if before and before.value == state.value else frozenset()
            tags[name] = GivenTag(state.value, same | {state.source})
    return tags


def _add(connection: Connection, cause: Cause, about: "StateSet | TagGiven", key: str, **more: str) -> None:
    """Insert a state and its journal entry. more: fields of the entry alone."""
    fields = {"key": key, "value": about.value, "version_created_at": about.version_created_at}
    row = {**fields, "model": about.model, "version": about.version, "event_id": cause.event_id, "at": cause.at}
    connection.execute(insert(version_states).values(row))
    append(connection, cause, EntryKind.VERSION_STATE, model=about.model, version=about.version, **fields, **more)


def states(connection: Connection, model: str, *, version: int | None = None) -> Sequence[State]:
    """Return the states of a model, oldest first. version: only of this number, in any incarnation."""
    which = {"of_model": model, "of_version": version}
    return [State(**row._mapping) for row in connection.execute(_select_states(one=version is not None), which)]


@cache
def _select_states(*, one: bool) -> Select[Any]:
    joined = version_states.join(events, events.c.id == version_states.c.event_id)
    query = select(*(version_states.c[name] for name in _STATE), events.c.source).select_from(joined)
    query = query.where(version_states.c.model == bindparam("of_model")).order_by(version_states.c.seq)
    return query.where(version_states.c.version == bindparam("of_version")) if one else query


def registered(connection: Connection, model: str, *, beyond: Watermark) -> set[tuple[int, datetime]]:
    """Return the versions beyond a watermark that the record has as registered, taken in or noticed: number, and when
    the registry made it.
    """
    known = version_states.c.key.in_((Key.REGISTRANT.value, Key.NOTICED.value))
    later = or_(version_states.c.version > beyond.version, version_states.c.version_created_at > beyond.made_at)
    query = select(version_states.c.version, version_states.c.version_created_at)
    rows = connection.execute(query.where(version_states.c.model == model, known, later))
    return {(row.version, row.version_created_at) for row in rows}


def recorded_creation(connection: Connection, model: str, version: int) -> datetime | None:
    """Return when the registry made a version, by the newest of its states; None: not known."""
    matching = (version_states.c.model == model, version_states.c.version == version)
    query = select(version_states.c.version_created_at).where(*matching).order_by(version_states.c.seq.desc()).limit(1)
    return connection.execute(query).scalar()


def reported_seq(connection: Connection, model: str, version: int, created_at: datetime, key: str) -> int | None:
    """Return the seq of the event behind the present state (for a resent event, the original's); None: no state.

    key: a Key, or TAG and a tag's name.
    """
    query = select(*(version_states.c[name] for name in (*_STATE, "event_id"))).order_by(version_states.c.seq)
    matching = and_(version_states.c.model == model, version_states.c.version == version, version_states.c.key == key)
    rows = [row for row in connection.execute(query.where(matching)) if State(*row[:-1]).is_of(version, created_at)]
    return act_subjects.original_seq(connection, rows[-1].event_id) if rows and rows[-1].value is not None else None


def current(found: Iterable[State], version: int, created_at: datetime) -> dict[str, str]:
    """Return the present states of a version by key. created_at: when the registry made it."""
    newest = {state.key: state.value for state in found if state.is_of(version, created_at)}
    return {key: value for key, value in newest.items() if value is not None}
