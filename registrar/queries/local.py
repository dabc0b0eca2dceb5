"""Answer queries from the ledger and the policy of this process."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from registrar.events.types import STAGES
from registrar.ledger import Connection, Ledger, rejections
from registrar.ledger.dead_letters import list_dead_letters
from registrar.ledger.engine import now
from registrar.ledger.journal.stream import entries
from registrar.ledger.promotions import Promotion
from registrar.ledger.queries import event_status, models, promotion_record
from registrar.ledger.queries.archived_journal import journal_files
from registrar.ledger.queries.event_search import search
from registrar.ledger.queries.event_status import dead_letter_detail
from registrar.ledger.queries.find import archive_location
from registrar.ledger.queries.holdings import history
from registrar.ledger.queries.incidents import incidents
from registrar.ledger.queries.promotion_results import PromotionResult, load_results
from registrar.ledger.queries.queue import overview, waiting
from registrar.ledger.votes import approvals
from registrar.policy import Policy
from registrar.queries import journal_archive, policy_view
from registrar.queries.cursor import decode, encode
from registrar.queries.filters import ALL, PROMOTION_LISTS, EventFilter, HistoryFilter
from registrar.queries.journal_archive import JournalFilter
from registrar.queries.model_rows import list_models
from registrar.queries.not_live import describe_not_live, not_live
from registrar.queries.policy_view import bound, is_digest
from registrar.queries.processes import parts
from registrar.queries.promotion_detail import read_promotion, to_json
from registrar.queries.query_service import Archived, BadQuestion, Page, Row, Unknown, pick
from registrar.queries.version_comparison import compare
from registrar.queries.version_view import unknown_model, view
from registrar.queries.voting import voting
from registrar.text.sanitize import is_visible, printable

_LATELY, _FEW = timedelta(hours=24), 20  # incidents of the overview
_AT_ONCE = 1000  # journal entries of one read


@dataclass(frozen=True)
class LocalQueries:
    """policies: returns the policy in effect, for queries about it. archive: where archive files are now, if moved."""

    ledger: Ledger
    policies: Callable[[], Policy]
    archive: str | None = None

    def events(self, filter_: EventFilter, *, limit: int = 50, cursor: str | None = None) -> Page:
        _check(filter_.source, filter_.type, filter_.model, filter_.actor)
        before = decode("events", cursor, int)[0] if cursor else None
        with self.ledger.read() as connection:
            rows = search(connection, filter_, before=before, limit=limit + 1)
        return _page("events", rows, limit, "seq")

    def event(self, event_id: str) -> Row:
        with self.ledger.read() as connection:
            event = event_status.event(connection, event_id) if _is_text(event_id) else None
            location = archive_location(connection, event_id) if event is None and _is_text(event_id) else None
        if location:
            when = f"{event_id} was archived on {location.started_at:%Y-%m-%d}"
            raise Archived(f"{when}: registrar compact show {event_id}", file=f"{location.folder}/{location.name}")
        if event is None:
            raise Unknown(f"the ledger has no event {printable(event_id)}; `registrar events` lists those it has")
        return event

    def promotions(
        self, *, state: str | None = None, model: str | None = None, limit: int = 50, cursor: str | None = None
    ) -> Page:
        _check(model)
        if state not in (None, *PROMOTION_LISTS):
            raise BadQuestion(f"state must be one of {', '.join(PROMOTION_LISTS)}")
        before = promotion_record.Place(*decode("promotions", cursor, datetime, str)) if cursor else None
        with self.ledger.read() as connection:
            rows = promotion_record.page(connection, state=state, model=model, before=before, limit=limit + 1)
            results = load_results(connection, rows)
            rows = [self._promotion(connection, row, results) for row in rows]
        return _page("promotions", rows, limit, "created_at", "id", hide=False)

    def promotion(self, promotion_id: str) -> Row:
        with self.ledger.read() as connection:
            promotion = promotion_record.get_promotion(connection, promotion_id) if _is_text(promotion_id) else None
            if promotion is None:
                raise Unknown(
                    f"the ledger has no promotion {printable(promotion_id)}; `registrar promotions list` lists them"
                )
            row = self._promotion(connection, promotion, load_results(connection, [promotion]))
            whole = Promotion(**pick(promotion, *Promotion.__dataclass_fields__))
            detail = read_promotion(connection, self.policies(), whole, at=now())
        return {**row, "evidence": promotion["evidence"], **to_json(detail)}

    def _promotion(self, connection: Connection, row: Mapping[str, Any], results: Mapping[str, PromotionResult]) -> Row:
        promotion = Promotion(**pick(row, *Promotion.__dataclass_fields__))
        shown = {name: value for name, value in row.items() if name not in ("evidence", "reminded_at", "escalated_at")}
        shown["became"] = results[promotion.id].to_json() if promotion.id in results else None
        if not promotion.open:
            return {**shown, "voting": None}
        agreed = approvals(connection, promotion.id)
        open_voting = voting(self.policies(), promotion, agreed, at=now())
        return {**shown, "voting": policy_view.voting(open_voting) if open_voting else None}

    def models(self, *, limit: int = 50, cursor: str | None = None) -> Page:
        after = str(decode("models", cursor, str)[0]) if cursor else ""
        with self.ledger.read() as connection:
            rows = list_models(connection, self.policies(), after=after, limit=limit + 1, at=now())
        return _page("models", rows, limit, "model", hide=False)

    def model(self, name: str) -> Row:
        with self.ledger.read() as connection:
            summary = models.get_model(connection, name) if _is_text(name) else None
            if summary is None:
                raise unknown_model(connection, name)
            policy = self.policies()
            return {
                **summary,
                "policy": policy_view.model_policy(policy, name),
                "not_live": [describe_not_live(one) for one in not_live(policy, connection) if one.model == name],
                "incidents": [entry.to_json() for entry in incidents(connection, model=name)],
            }

    def version(self, model: str, version: int) -> Row:
        _check(model)
        with self.ledger.read() as connection:
            return view(connection, self.policies(), model, version)

    def history(self, model: str, past: HistoryFilter = ALL, *, limit: int = 50, cursor: str | None = None) -> Page:
        _check(model, past.target)
        if past.target is not None and past.place is None:
            raise BadQuestion(f"target must be one of {', '.join(STAGES)}, or an alias such as @champion")
        before = decode("history", cursor, int)[0] if cursor else None
        with self.ledger.read() as connection:
            holdings = history(connection, model, past, before=before, limit=limit + 1)
            if not holdings and model not in self.policies().models and not models.is_known(connection, model):
                raise unknown_model(connection, model)
        return _page("history", [holding.to_json() for holding in reversed(holdings)], limit, "seq")

    def compare(self, model: str, a: int, b: int) -> Row:
        with self.ledger.read() as connection:
            return compare(connection, self.policies(), model, a, b)

    def dead(
        self, *, state: str | None = None, model: str | None = None, limit: int = 50, cursor: str | None = None
    ) -> Page:
        _check(model)
        before = decode("dead", cursor, datetime, int) if cursor else None
        with self.ledger.read() as connection:
            letters = list_dead_letters(
                connection, state=state, model=model, before=tuple(before) if before else None, limit=limit + 1
            )
        rows = [{**dead_letter.to_json(), "seq": dead_letter.seq} for dead_letter in letters]
        return _page("dead", rows, limit, "finished_at", "seq")

    def dead_one(self, task_id: str) -> Row:
        with self.ledger.read() as connection:
            detail = dead_letter_detail(connection, task_id) if _is_text(task_id) else None
        if detail is None:
            raise Unknown(
                f"the ledger has no task {printable(task_id)}; `registrar dead list` lists what failed for good"
            )
        return detail

    def queue(self, *, model: str | None = None, limit: int = 50, cursor: str | None = None) -> Page:
        _check(model)
        after = decode("queue", cursor, int)[0] if cursor else None
        with self.ledger.read() as connection:
            rows = waiting(connection, at=now(), model=model, after=after, limit=limit + 1)
        return _page("queue", rows, limit, "seq")

    def rejections(self, *, source: str | None = None, limit: int = 50, cursor: str | None = None) -> Page:
        _check(source)
        before = decode("rejections", cursor, int)[0] if cursor else None
        with self.ledger.read() as connection:
            rows = rejections.latest(connection, source=source, before=before, limit=limit + 1)
        return _page("rejections", rows, limit, "seq", hide=False)

    def overview(self) -> Row:
        with self.ledger.read() as connection:
            return {
                **overview(connection),
                "not_live": [describe_not_live(deployment) for deployment in not_live(self.policies(), connection)],
                "incidents": [entry.to_json() for entry in incidents(connection, since=now() - _LATELY, limit=_FEW)],
                "parts": parts(connection),
            }

    def policy(self, *, model: str | None = None) -> Row:
        _check(model)
        in_effect = self.policies()
        model_policy = None if model is None else policy_view.model_policy(in_effect, model)
        no_text = {"text": None, "used_at": None, "event_id": None}
        return {**policy_view.policy(in_effect), "model": model_policy, **no_text}

    def policy_text(self, digest: str) -> Row:
        if not is_digest(digest):
            raise BadQuestion("a policy's digest is 64 hexadecimal digits, or at least its first 8, all lower case")
        with self.ledger.read() as connection:
            text = bound(self.policies(), connection, digest)
        if text is None:
            raise Unknown(
                f"the journal has no text of the policy {digest}, or several texts begin so: it keeps those under "
                "which a promotion was requested since Registrar has this command"
            )
        return {**text, "model": None}

    def audit(
        self, *, model: str | None = None, since: datetime | None = None, until: datetime | None = None, after: int = 0
    ) -> Iterator[Row]:
        _check(model)
        with self.ledger.read() as connection:
            journal_archive.check_here(journal_files(connection), after=after, folder=self.archive)
        return self._entries(JournalFilter(model, since, until), after)

    def _entries(self, wanted: JournalFilter, after: int) -> Iterator[Row]:
        """Read some rows at a time, so that a slow reader holds no connection.

        Entries may go into a file meanwhile: whether they did is asked after each read.
        """
        while True:
            with self.ledger.read() as connection:
                batch = list(entries(connection, **vars(wanted), after=after, limit=_AT_ONCE))
                files = [(location, end) for location, end in journal_files(connection) if end.seq > after]
            if files:
                yield from journal_archive.of_files(files, wanted, after=after, folder=self.archive)
                after = files[-1][1].seq
                continue
            yield from batch
            if len(batch) < _AT_ONCE:
                return
            after = batch[-1]["seq"]


def _page(kind: str, rows: Sequence[Mapping[str, Any]], limit: int, *columns: str, hide: bool = True) -> Page:
    """Make a page. rows: up to `limit` + 1. columns: those of the cursor. hide: drop seq."""
    shown = [dict(row) for row in rows[:limit]]
    cursor = encode(kind, *pick(shown[-1], *columns).values()) if len(rows) > limit else None
    if hide:
        shown = [{name: value for name, value in row.items() if name != "seq"} for row in shown]
    return Page(shown, cursor)


def _is_text(text: str) -> bool:
    """Return whether a text can be a name: visible (PostgreSQL refuses NUL), 320 characters at most."""
    return is_visible(text) and len(text) <= 320


def _check(*names: str | None) -> None:
    for name in names:
        if name is not None and not _is_text(name):
            raise BadQuestion(
                f"{printable(name)} is no name: it must be one line of visible characters, 320 of them at most"
            )
