"""The outcome of a task: facts, follow-up tasks, and changes of the ledger, applied in one commit."""

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
    """Something that happened, with a sentence for people.

    details: JSON-able; notifiers may show more of it (a promotion's evidence on its card).
    to: channels that are notified beside those of the routes.
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
    """A task to be queued in the same commit. lane None: the lane of the present task, right after it.

    finishes: it completes a move that was begun, so that no other move comes between.
    """

    name: str
    args: Mapping[str, Any] = field(default_factory=dict)
    lane: str | None = None
    finishes: bool = False


@dataclass(frozen=True)
class Cause:
    """The event behind a ledger change, and its time. seen: the incarnations that the task saw, by (model, version)."""

    event_id: str
    actor: str
    actor_name: str
    at: datetime
    seen: Mapping[tuple[str, int], Incarnation] = field(default_factory=dict)


class LedgerChange(Protocol):
    """A change of the ledger in the same commit as the end of the task."""

    def apply(self, connection: Connection, cause: Cause) -> Sequence[str] | None:
        """Apply it. Returns the lanes in which a task may have become due; it is published after the commit."""


@dataclass(frozen=True)
class Outcome:
    """summary: one sentence, the answer to the person who asked. answer: to a question, JSON-able. seen: as in Cause.

    refused: the request was not allowed or not possible; the summary says why.
    """

    summary: str
    facts: tuple[Fact, ...] = ()
    follow_ups: tuple[FollowUp, ...] = ()
    records: tuple[LedgerChange, ...] = ()
    seen: Mapping[tuple[str, int], Incarnation] = field(default_factory=dict)
    refused: bool = False
    answer: Mapping[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        answer = {} if self.answer is None else {"answer": self.answer}
        return {"summary": self.summary, "facts": [fact.to_json() for fact in self.facts], **answer}
