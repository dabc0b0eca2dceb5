"""The interface of all queries, its errors and pages."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from registrar.errors import UserError
from registrar.queries.filters import ALL, EventFilter, HistoryFilter

Row = dict[str, Any]
MOST = 500  # rows of a page


class Unknown(UserError):
    """The record has no such event, promotion, model or task."""


class Archived(Unknown):
    """The event was archived. file: its archive file, which no HTTP answer names."""

    def __init__(self, message: str, *, file: str) -> None:
        super().__init__(message)
        self.file = file


class BadQuestion(UserError, ValueError):
    """A parameter is invalid: a wrong cursor, state or time."""

    exit_code = 2


@dataclass(frozen=True)
class Page:
    """next: the cursor of the next page; None: this is the last."""

    rows: Sequence[Row]
    next: str | None


class QueryService(Protocol):
    """Lists are newest first, but models by name, and the queue in its order. Each raises BadQuestion for a cursor that
    is none, Unknown for an id or name that is not there, LedgerUnavailable or Unreachable.
    """

    def events(self, filter_: EventFilter, *, limit: int = 50, cursor: str | None = None) -> Page: ...
    def event(self, event_id: str) -> Row:
        """Return an event with its tasks and later interventions."""

    def promotions(
        self, *, state: str | None = None, model: str | None = None, limit: int = 50, cursor: str | None = None
    ) -> Page:
        """List promotions. state: one of PROMOTION_LISTS."""

    def promotion(self, promotion_id: str) -> Row:
        """Return a promotion with evidence, votes, steps, and who may still vote (voting.Voting).

        voting None: nobody is asked.
        """

    def models(self, *, limit: int = 50, cursor: str | None = None) -> Page: ...
    def model(self, name: str) -> Row: ...
    def version(self, model: str, version: int) -> Row:
        """Return what the record has of a version, but not its history."""

    def history(self, model: str, past: HistoryFilter = ALL, *, limit: int = 50, cursor: str | None = None) -> Page: ...

    def compare(self, model: str, a: int, b: int) -> Row:
        """Return two versions of a model side by side (version_comparison.Comparison.to_json)."""

    def dead(
        self, *, state: str | None = None, model: str | None = None, limit: int = 50, cursor: str | None = None
    ) -> Page: ...
    def dead_one(self, task_id: str) -> Row:
        """Return a task in any state, with its event and the interventions that are possible."""

    def queue(self, *, model: str | None = None, limit: int = 50, cursor: str | None = None) -> Page:
        """List unfinished tasks, lane by lane in order, each with what it waits for."""

    def rejections(self, *, source: str | None = None, limit: int = 50, cursor: str | None = None) -> Page: ...
    def overview(self) -> Row:
        """Count unfinished tasks by source, open promotions by state, and dead letters."""

    def policy(self, *, model: str | None = None) -> Row:
        """Return the policy in effect and its digest; with `model`, the digest that its approvals are bound to."""

    def policy_text(self, digest: str) -> Row:
        """Return the policy text behind a digest that approvals are bound to, in effect or not. digest: or a prefix."""

    def audit(
        self, *, model: str | None = None, since: datetime | None = None, until: datetime | None = None, after: int = 0
    ) -> Iterator[Row]:
        """Yield the journal's entries, oldest first. after: only seqs above."""


def up_to(limit: int, ask: Callable[[int, str | None], Page]) -> list[Row]:
    """Return `limit` rows over as many pages as it takes. ask: (limit, cursor) -> Page."""
    return [row for rows in pages(limit, ask) for row in rows]


def pages(limit: int | None, ask: Callable[[int, str | None], Page]) -> Iterator[Sequence[Row]]:
    """Yield the same rows, page by page. limit None: all."""
    left, cursor = limit, None
    while left is None or left > 0:
        page = ask(MOST if left is None else min(MOST, left), cursor)
        yield page.rows
        left = None if left is None else left - len(page.rows)
        if (cursor := page.next) is None:
            return


def pick(row: Mapping[str, Any], *names: str) -> Row:
    return {name: row[name] for name in names}
