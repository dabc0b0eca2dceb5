"""What decides about a version beside where it is: its newest evaluation, a quarantine, when it may be deleted.

MLflow has a tag of the same name for people's eyes, and is never asked for it. Rows are only added; of a key, the
newest one counts.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, insert, select

from registrar.ledger.incarnations import is_about
from registrar.ledger.journal import append
from registrar.ledger.tables import version_states
from registrar.outcome import Cause


class Key(StrEnum):
    """Also the name of MLflow's tag."""

    EVALUATION = "registrar.evaluation"  # the id of the run that evaluated it
    QUARANTINED = "registrar.quarantined"  # why, when and by whom it was rolled back
    PRUNE_AFTER = "registrar.prune_after"  # ISO 8601: from then on it may be deleted


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

    def is_of(self, version: int, created_at: datetime) -> bool:
        if self.version != version:
            return False
        return is_about(created_at, recorded=self.version_created_at, since=self.at)


@dataclass(frozen=True)
class StateSet:
    """Record: a version has a state from now on; value None: no more. Written again, it changes nothing."""

    model: str
    version: int
    version_created_at: datetime
    key: Key
    value: str | None

    def apply(self, connection: Connection, cause: Cause) -> None:
        before = states(connection, self.model, version=self.version)
        if current(before, self.version, self.version_created_at).get(self.key) == self.value:
            return
        said = {"key": self.key.value, "value": self.value, "version_created_at": self.version_created_at}
        row = {**said, "model": self.model, "version": self.version, "event_id": cause.event_id, "at": cause.at}
        connection.execute(insert(version_states).values(row))
        append(connection, cause, "version.state", model=self.model, version=self.version, **said)


def states(connection: Connection, model: str, *, version: int | None = None) -> Sequence[State]:
    """Oldest first. version: of that number alone, whichever it was."""
    columns = (version_states.c[name] for name in ("version", "version_created_at", "key", "value", "at"))
    query = select(*columns).where(version_states.c.model == model).order_by(version_states.c.seq)
    if version is not None:
        query = query.where(version_states.c.version == version)
    return [State(*row) for row in connection.execute(query)]


def current(found: Iterable[State], version: int, created_at: datetime) -> dict[str, str]:
    """What counts for one version, by key. created_at: when the registry made it."""
    newest = {state.key: state.value for state in found if state.is_of(version, created_at)}
    return {key: value for key, value in newest.items() if value is not None}
