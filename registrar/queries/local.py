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
from registrar.ledger.queries.event_search import EventFilter, search
from registrar.ledger.queries.event_status import dead_letter_detail
from registrar.ledger.queries.find import place
from registrar.ledger.queries.holdings import ALL, HistoryFilter, history
from registrar.ledger.queries.incidents import incidents
from registrar.ledger.queries.promotion_record import OPEN, STATES, votes_on
from registrar.ledger.queries.promotion_results import PromotionResult, load_results
from registrar.ledger.queries.queue import overview, waiting
from registrar.ledger.votes import approvals
from registrar.policy import Policy
from registrar.queries import policy_view
from registrar.queries.cursor import decode, encode
from registrar.queries.not_live import describe_not_live, not_live
from registrar.queries.policy_view import bound, is_digest
from registrar.queries.processes import parts
from registrar.queries.query_service import Archived, BadQuestion, Page, Row, Unknown, pick
from registrar.queries.voting import voting

_LATELY, _FEW = timedelta(hours=24), 20  # incidents of the overview
_AT_ONCE = 1000  # entries of the journal; between two such reads nobody is kept waiting


@dataclass(frozen=True)
class LocalQueries:
    """policy: returns the policy in effect; called only for queries about it."""

    ledger: Ledger
    policies: Callable[[], Policy]

    def events(self, sought: EventFilter, *, limit: int = 50, cursor: str | None = None) -> Page:
        _check(sought.source, sought.type, sought.model, sought.actor)
        before = decode("events", cursor, int)[0] if cursor else None
        with self.ledger.read() as connection:
            found = search(connection, sought, before=before, limit=limit + 1)
        return _page("events", found, limit, "seq")

    def event(self, event_id: str) -> Row:
        with self.ledger.read() as connection:
            found = event_status.event(connection, event_id) if _is_text(event_id) else None
            gone = place(connection, event_id) if found is None and _is_text(event_id) else None
        if gone:
            when = f"{event_id} was archived on {gone.started_at:%Y-%m-%d}"
            raise Archived(f"{when}: registrar compact show {event_id}", file=f"{gone.folder}/{gone.name}")
        if found is None:
            raise Unknown(f"the ledger has no event {_printable(event_id)}; `registrar events` lists those it has")
        return found

    def promotions(
        self, *, state: str | None = None, model: str | None = None, limit: int = 50, cursor: str | None = None
    ) -> Page:
        _check(model)
        if state not in (None, OPEN, *STATES):
            raise BadQuestion(f"state must be one of {', '.join((OPEN, *STATES))}")
        before = promotion_record.Place(*decode("promotions", cursor, datetime, str)) if cursor else None
        with self.ledger.read() as connection:
            found = promotion_record.page(connection, state=state, model=model, before=before, limit=limit + 1)
            later = load_results(connection, found)
            rows = [self._promotion(connection, row, later) for row in found]
        return _page("promotions", rows, limit, "created_at", "id", hide=False)

    def promotion(self, promotion_id: str) -> Row:
        with self.ledger.read() as connection:
            found = promotion_record.get_promotion(connection, promotion_id) if _is_text(promotion_id) else None
            if found is None:
                raise Unknown(
                    f"the ledger has no promotion {_printable(promotion_id)}; `registrar promotions list` lists them"
                )
            votes = votes_on(connection, promotion_id)
            row = self._promotion(connection, found, load_results(connection, [found]))
        return {**row, "evidence": found["evidence"], "votes": votes}

    def _promotion(self, connection: Connection, row: Mapping[str, Any], later: Mapping[str, PromotionResult]) -> Row:
        promotion = Promotion(**{name: row[name] for name in Promotion.__dataclass_fields__})
        about = {name: value for name, value in row.items() if name not in ("evidence", "reminded_at", "escalated_at")}
        about["became"] = later[promotion.id].to_json() if promotion.id in later else None
        if not promotion.open:
            return {**about, "voting": None}
        agreed = approvals(connection, promotion.id)
        asked = voting(self.policies(), promotion, agreed, at=now())
        return {**about, "voting": policy_view.voting(asked) if asked else None}

    def models(self, *, limit: int = 50, cursor: str | None = None) -> Page:
        after = str(decode("models", cursor, str)[0]) if cursor else ""
        with self.ledger.read() as connection:
            found = models.page(connection, after=after, limit=limit + 1)
        return _page("models", found, limit, "model", hide=False)

    def model(self, name: str) -> Row:
        with self.ledger.read() as connection:
            found = models.get_model(connection, name) if _is_text(name) else None
            if found is None:
                raise Unknown(f"the ledger knows no model {_printable(name)}; `registrar models` lists those it does")
            also = [entry.to_json() for entry in incidents(connection, model=name)]
            failed = [describe_not_live(one) for one in not_live(self.policies(), connection) if one.model == name]
        return {
            **found,
            "policy": policy_view.model_policy(self.policies(), name),
            "not_live": failed,
            "incidents": also,
        }

    def history(self, model: str, past: HistoryFilter = ALL, *, limit: int = 50, cursor: str | None = None) -> Page:
        _check(model, past.target)
        if past.target is not None and past.place is None:
            raise BadQuestion(f"target must be one of {', '.join(STAGES)}, or an alias such as @champion")
        before = decode("history", cursor, int)[0] if cursor else None
        with self.ledger.read() as connection:
            found = history(connection, model, past, before=before, limit=limit + 1)
        return _page("history", [holding.to_json() for holding in reversed(found)], limit, "seq")

    def dead(
        self, *, state: str | None = None, model: str | None = None, limit: int = 50, cursor: str | None = None
    ) -> Page:
        _check(model)
        before = decode("dead", cursor, datetime, int) if cursor else None
        with self.ledger.read() as connection:
            found = list_dead_letters(
                connection, state=state, model=model, before=tuple(before) if before else None, limit=limit + 1
            )
        rows = [{**dead_letter.to_json(), "seq": dead_letter.seq} for dead_letter in found]
        return _page("dead", rows, limit, "finished_at", "seq")

    def dead_one(self, task_id: str) -> Row:
        with self.ledger.read() as connection:
            found = dead_letter_detail(connection, task_id) if _is_text(task_id) else None
        if found is None:
            raise Unknown(
                f"the ledger has no task {_printable(task_id)}; `registrar dead list` lists what failed for good"
            )
        return found

    def queue(self, *, model: str | None = None, limit: int = 50, cursor: str | None = None) -> Page:
        _check(model)
        after = decode("queue", cursor, int)[0] if cursor else None
        with self.ledger.read() as connection:
            found = waiting(connection, at=now(), model=model, after=after, limit=limit + 1)
        return _page("queue", found, limit, "seq")

    def rejections(self, *, source: str | None = None, limit: int = 50, cursor: str | None = None) -> Page:
        _check(source)
        before = decode("rejections", cursor, int)[0] if cursor else None
        with self.ledger.read() as connection:
            found = rejections.latest(connection, source=source, before=before, limit=limit + 1)
        return _page("rejections", found, limit, "seq", hide=False)

    def overview(self) -> Row:
        with self.ledger.read() as connection:
            failed = [describe_not_live(one) for one in not_live(self.policies(), connection)]
            lately = [entry.to_json() for entry in incidents(connection, since=now() - _LATELY, limit=_FEW)]
            more = {"not_live": failed, "incidents": lately, "parts": parts(connection)}
            return {**overview(connection), **more}

    def policy(self, *, model: str | None = None) -> Row:
        _check(model)
        in_effect = self.policies()
        about = None if model is None else policy_view.model_policy(in_effect, model)
        no_text = {"text": None, "used_at": None, "event_id": None}
        return {**policy_view.policy(in_effect), "model": about, **no_text}

    def policy_text(self, digest: str) -> Row:
        if not is_digest(digest):
            raise BadQuestion("a policy's digest is 64 hexadecimal digits, or at least its first 8, all lower case")
        with self.ledger.read() as connection:
            found = bound(self.policies(), connection, digest)
        if found is None:
            raise Unknown(
                f"the journal has no text of the policy {digest}, or of several that begin so: it keeps those under "
                "which a promotion was asked for since Registrar has this command"
            )
        return {**found, "model": None}

    def audit(
        self, *, model: str | None = None, since: datetime | None = None, until: datetime | None = None, after: int = 0
    ) -> Iterator[Row]:
        _check(model)
        return self._entries(model, since, until, after)

    def _entries(self, model: str | None, since: datetime | None, until: datetime | None, after: int) -> Iterator[Row]:
        """Read some rows at a time, so that a slow reader holds no connection."""
        while True:
            with self.ledger.read() as connection:
                some = list(entries(connection, model=model, since=since, until=until, after=after, limit=_AT_ONCE))
            yield from some
            if len(some) < _AT_ONCE:
                return
            after = some[-1]["seq"]


def _page(kind: str, found: Sequence[Mapping[str, Any]], limit: int, *place: str, hide: bool = True) -> Page:
    """Make a page. found: one row more than `limit`, if there is one. place: columns of the cursor. hide: drop seq."""
    rows = [dict(row) for row in found[:limit]]
    more = encode(kind, *pick(rows[-1], *place).values()) if len(found) > limit else None
    if hide:
        rows = [{name: value for name, value in row.items() if name != "seq"} for row in rows]
    return Page(rows, more)


def _is_text(given: str) -> bool:
    """Return whether a text can be a name: printable (PostgreSQL takes no NUL), 320 characters at most."""
    return given.isprintable() and len(given) <= 320


def _check(*given: str | None) -> None:
    for text in given:
        if text is not None and not _is_text(text):
            raise BadQuestion(f"{_printable(text)} is no name: it must be printable, of 320 characters at most")


def _printable(given: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in given[:100])
