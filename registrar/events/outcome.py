"""What an action leaves behind: facts to tell, follow-up tasks, and changes of the ledger, all in one commit."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import Connection

from registrar.events.facts import FactType
from registrar.events.incarnation import Incarnation

OUTCOMES = tuple(map(str, FactType))


@dataclass(frozen=True)
class Fact:
    """Something that happened, in the past tense, with one sentence for people.

    details: JSON-able; notifiers may show more of it (a promotion's evidence on its card).
    to: channels that are told whatever the routes say.
    """

    type: str
    text: str
    model: str | None = None
    version: int | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    to: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "type", str(self.type))  # a FactType: psycopg would write an enum's name

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class FollowUp:
    """A task to be queued in the same commit. lane None: right after the present task, in its lane.

    finishes: it is the rest of what was begun; nothing that moves a version comes between.
    """

    name: str
    args: Mapping[str, Any] = field(default_factory=dict)
    lane: str | None = None
    finishes: bool = False


@dataclass(frozen=True)
class Cause:
    """The event behind a record, and when it is written. seen: versions, by model and number, as the task saw them."""

    event_id: str
    actor: str
    actor_name: str
    at: datetime
    seen: Mapping[tuple[str, int], Incarnation] = field(default_factory=dict)


class LedgerChange(Protocol):
    """A change of the ledger that belongs into the same commit as the task's end."""

    def apply(self, connection: Connection, cause: Cause) -> Sequence[str] | None:
        """Returns the lanes in which it made something due, if any: they are rung after the commit."""


@dataclass(frozen=True)
class Outcome:
    """summary: one sentence; it is what the person who asked is answered. seen: as of Cause, for the records.

    refused: what was asked for was not done, since it is not allowed or not possible; the summary says why.
    """

    summary: str
    facts: tuple[Fact, ...] = ()
    follow_ups: tuple[FollowUp, ...] = ()
    records: tuple[LedgerChange, ...] = ()
    seen: Mapping[tuple[str, int], Incarnation] = field(default_factory=dict)
    refused: bool = False

    def to_json(self) -> dict[str, Any]:
        return {"summary": self.summary, "facts": [fact.to_json() for fact in self.facts]}
