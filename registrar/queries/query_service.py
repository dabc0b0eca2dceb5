"""What both implementations promise."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from registrar.errors import UserError
from registrar.ledger.queries.event_search import EventFilter
from registrar.ledger.queries.holdings import ALL, HistoryFilter

Row = dict[str, Any]
MOST = 500  # rows of a page


class Unknown(UserError):
    """The record has no such thing."""


class Archived(Unknown):
    """The ledger has it no more. file: where it is now, which is nobody's business over HTTP."""

    def __init__(self, message: str, *, file: str) -> None:
        super().__init__(message)
        self.file = file


class BadQuestion(UserError, ValueError):
    """What is asked for can't be meant: a wrong cursor, state or time."""

    exit_code = 2


@dataclass(frozen=True)
class Page:
    """next: the cursor of the page after this one; None: there is none."""

    rows: Sequence[Row]
    next: str | None


class QueryService(Protocol):
    """Lists are newest first, but models by name, and the queue in its order. Each raises BadQuestion for a cursor that
    is none, Unknown for an id or name that is not there, LedgerUnavailable or Unreachable.
    """

    def events(self, sought: EventFilter, *, limit: int = 50, cursor: str | None = None) -> Page: ...
    def event(self, event_id: str) -> Row:
        """With its tasks, and what was done about it later."""

    def promotions(
        self, *, state: str | None = None, model: str | None = None, limit: int = 50, cursor: str | None = None
    ) -> Page:
        """state: one of promotion_record.STATES, or open."""

    def promotion(self, promotion_id: str) -> Row:
        """With its evidence, its votes, and who may still vote (voting.Voting; None where nobody is asked)."""

    def models(self, *, limit: int = 50, cursor: str | None = None) -> Page: ...
    def model(self, name: str) -> Row: ...
    def history(self, model: str, past: HistoryFilter = ALL, *, limit: int = 50, cursor: str | None = None) -> Page: ...

    def dead(
        self, *, state: str | None = None, model: str | None = None, limit: int = 50, cursor: str | None = None
    ) -> Page: ...
    def dead_one(self, task_id: str) -> Row:
        """Any task, with its event and what may be done."""

    def queue(self, *, model: str | None = None, limit: int = 50, cursor: str | None = None) -> Page:
        """What is not done yet, lane by lane in the order of its turns, each with what it waits for."""

    def rejections(self, *, source: str | None = None, limit: int = 50, cursor: str | None = None) -> Page: ...
    def overview(self) -> Row:
        """How much waits: tasks by source, open promotions by state, what failed for good."""

    def policy(self, *, model: str | None = None) -> Row:
        """The document in effect and its digest; with `model`, that of the entry which an approval is bound to."""

    def policy_text(self, digest: str) -> Row:
        """What approvals of that digest are bound to, whether or not it is in effect. digest: or its beginning."""

    def audit(
        self, *, model: str | None = None, since: datetime | None = None, until: datetime | None = None, after: int = 0
    ) -> Iterator[Row]:
        """The journal's entries, oldest first. after: the number of one; those that follow it."""


def up_to(limit: int, ask: Callable[[int, str | None], Page]) -> list[Row]:
    """As many rows as wanted, over as many pages as it takes. ask: (limit, cursor) -> Page."""
    return [row for rows in pages(limit, ask) for row in rows]


def pages(limit: int | None, ask: Callable[[int, str | None], Page]) -> Iterator[Sequence[Row]]:
    """The same, page by page as they come. limit None: all there are."""
    left, cursor = limit, None
    while left is None or left > 0:
        page = ask(MOST if left is None else min(MOST, left), cursor)
        yield page.rows
        left = None if left is None else left - len(page.rows)
        if (cursor := page.next) is None:
            return


def pick(row: Mapping[str, Any], *names: str) -> Row:
    return {name: row[name] for name in names}
