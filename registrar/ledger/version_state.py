"""What decides about a version beside where it is: its newest evaluation, a quarantine, when it may be deleted, who
trained it, which tags events gave it.

MLflow has a tag of the same name for people's eyes, and is never asked for it. Rows are only added; of a key, the
newest one counts.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, and_, insert, select

from registrar.events.outcome import Cause
from registrar.ledger import act_subjects
from registrar.ledger.incarnations import is_about
from registrar.ledger.journal.append import append
from registrar.ledger.tables import events, version_states

TAG = "tag:"  # begins the key of a tag that an event gave the version; no Key begins so
_STATE = ("version", "version_created_at", "key", "value", "at")


class Key(StrEnum):
    """Also the name of MLflow's tag."""

    EVALUATION = "registrar.evaluation"  # the id of the run that evaluated it
    QUARANTINED = "registrar.quarantined"  # why, when and by whom it was rolled back
    PRUNE_AFTER = "registrar.prune_after"  # ISO 8601: from then on it may be deleted
    AUTHOR = "registrar.author"  # the run's user when it was registered; "": the run named nobody
    AUTHOR_SEEN = "registrar.author_seen"  # of one not registered here, or before this was kept: at the first look
    REGISTRANT = "registrar.registrant"  # the id of the actor whose event registered it


@dataclass(frozen=True)
class State:
    """A row. value None: it has the state no more.

    version_created_at: when the registry made the version, for numbers begin anew in a model that was deleted and made
    again. None: not known, of what was carried over from an earlier schema.
    """

    version: int
    version_created_at: datetime | None
    key: str
    value: str | None
    at: datetime
    source: str = ""  # of the event that said so

    def is_of(self, version: int, created_at: datetime) -> bool:
        if self.version != version:
            return False
        return is_about(created_at, recorded=self.version_created_at, since=self.at)


@dataclass(frozen=True)
class StateSet:
    """Record: a version has a state from now on; value None: no more. Written again, it changes nothing.

    once: what the version has of that key already stays. why: it is so from now on, where the value does not say it.
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
        has = current(before, self.version, self.version_created_at).get(self.key)
        if has == self.value or (self.once and has is not None):
            return
        _add(connection, cause, self, self.key.value, **({"why": self.why} if self.why else {}))


@dataclass(frozen=True)
class TagGiven:
    """Record: an event gave a version a tag. Said again by the same source, it changes nothing."""

    model: str
    version: int
    version_created_at: datetime
    name: str
    value: str

    def apply(self, connection: Connection, cause: Cause) -> None:
        before = given_tags(states(connection, self.model, version=self.version), self.version, self.version_created_at)
        source = connection.execute(select(events.c.source).where(events.c.id == cause.event_id)).scalar_one()
        given = before.get(self.name)
        if given and given.value == self.value and source in given.sources:
            return
        _add(connection, cause, self, f"{TAG}{self.name}")


@dataclass(frozen=True)
class GivenTag:
    """A tag as events gave it last. sources: of those that gave it this value, with no other between."""

    value: str
    sources: frozenset[str]


def given_tags(found: Iterable[State], version: int, created_at: datetime) -> dict[str, GivenTag]:
    """By the tag's name. found: oldest first."""
    tags: dict[str, GivenTag] = {}
    for state in found:
        if state.key.startswith(TAG) and state.value is not None and state.is_of(version, created_at):
            name = state.key.removeprefix(TAG)
            before = tags.get(name)
            same = before.sources if before and before.value == state.value else frozenset()
            tags[name] = GivenTag(state.value, same | {state.source})
    return tags


def _add(connection: Connection, cause: Cause, about: "StateSet | TagGiven", key: str, **more: str) -> None:
    """more: what the journal alone says of it."""
    said = {"key": key, "value": about.value, "version_created_at": about.version_created_at}
    row = {**said, "model": about.model, "version": about.version, "event_id": cause.event_id, "at": cause.at}
    connection.execute(insert(version_states).values(row))
    append(connection, cause, "version.state", model=about.model, version=about.version, **said, **more)


def states(connection: Connection, model: str, *, version: int | None = None) -> Sequence[State]:
    """Oldest first. version: of that number alone, whichever it was."""
    joined = version_states.join(events, events.c.id == version_states.c.event_id)
    query = select(*(version_states.c[name] for name in _STATE), events.c.source).select_from(joined)
    query = query.where(version_states.c.model == model).order_by(version_states.c.seq)
    if version is not None:
        query = query.where(version_states.c.version == version)
    return [State(**row._mapping) for row in connection.execute(query)]


def reported_seq(connection: Connection, model: str, version: int, created_at: datetime, key: str) -> int | None:
    """Return the place, among all that was accepted, of the report behind what counts now; None: there is none.

    key: a Key, or TAG and a tag's name.
    """
    query = select(*(version_states.c[name] for name in (*_STATE, "event_id"))).order_by(version_states.c.seq)
    same = and_(version_states.c.model == model, version_states.c.version == version, version_states.c.key == key)
    rows = [row for row in connection.execute(query.where(same)) if State(*row[:-1]).is_of(version, created_at)]
    return act_subjects.original_seq(connection, rows[-1].event_id) if rows and rows[-1].value is not None else None


def current(found: Iterable[State], version: int, created_at: datetime) -> dict[str, str]:
    """What counts for one version, by key. created_at: when the registry made it."""
    newest = {state.key: state.value for state in found if state.is_of(version, created_at)}
    return {key: value for key, value in newest.items() if value is not None}
