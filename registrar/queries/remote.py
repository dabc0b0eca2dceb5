"""Answer queries by asking a receiver over /v1."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Protocol

from registrar.http.event_client import NotTaken
from registrar.queries.filters import ALL, EventFilter, HistoryFilter
from registrar.queries.query_service import Page, Row

# Fields of senders, workers and gates, which are returned unchanged.
_UNCHANGED = {"data", "args", "outcome", "was", "evidence", "gates", "document", "metrics", "tags", "held_back"}
_TIMES = {"since", "until", "at", "not_before", "oldest"}


class Answer(dict[str, Any]):
    """An object of an answer. A missing field means that the receiver has another version."""

    def __missing__(self, name: str) -> Any:
        raise NotTaken(
            f"the answer has no {name!r}: it is not a receiver's, or a receiver's of another version "
            "(`registrar --version`)"
        )


class ApiClient(Protocol):
    """registrar.http.api_client.Client."""

    def get(self, *path: str, **query: object) -> Any: ...
    def lines(self, *path: str, **query: object) -> Iterator[Any]: ...


@dataclass(frozen=True)
class RemoteQueries:
    """Raises, beside the errors of QueryService, NotAllowed, NotTaken and Unreachable."""

    client: ApiClient

    def events(self, filter_: EventFilter, *, limit: int = 50, cursor: str | None = None) -> Page:
        params = {name: _iso(value) for name, value in asdict(filter_).items()}
        return self._page("events", limit, cursor, **params)

    def event(self, event_id: str) -> Row:
        return self._get_one("events", event_id)

    def promotions(
        self, *, state: str | None = None, model: str | None = None, limit: int = 50, cursor: str | None = None
    ) -> Page:
        return self._page("promotions", limit, cursor, state=state, model=model)

    def promotion(self, promotion_id: str) -> Row:
        return self._get_one("promotions", promotion_id)

    def models(self, *, limit: int = 50, cursor: str | None = None) -> Page:
        return self._page("models", limit, cursor)

    def model(self, name: str) -> Row:
        return self._get_one("models", name)

    def version(self, model: str, version: int) -> Row:
        return self._get_one("models", model, "versions", str(version))

    def history(self, model: str, past: HistoryFilter = ALL, *, limit: int = 50, cursor: str | None = None) -> Page:
        params = {name: _iso(value) for name, value in asdict(past).items()}
        return self._page("models", limit, cursor, model, "history", **params)

    def compare(self, model: str, a: int, b: int) -> Row:
        return self._get_one("models", model, "compare", a=a, b=b)

    def dead(
        self, *, state: str | None = None, model: str | None = None, limit: int = 50, cursor: str | None = None
    ) -> Page:
        return self._page("dead", limit, cursor, state=state, model=model)

    def dead_one(self, task_id: str) -> Row:
        return self._get_one("dead", task_id)

    def queue(self, *, model: str | None = None, limit: int = 50, cursor: str | None = None) -> Page:
        return self._page("queue", limit, cursor, model=model)

    def rejections(self, *, source: str | None = None, limit: int = 50, cursor: str | None = None) -> Page:
        return self._page("rejections", limit, cursor, source=source)

    def overview(self) -> Row:
        return self._get_one("overview")

    def policy(self, *, model: str | None = None) -> Row:
        return self._get_one("policy", model=model)

    def policy_text(self, digest: str) -> Row:
        return self._get_one("policy", digest=digest)

    def audit(
        self, *, model: str | None = None, since: datetime | None = None, until: datetime | None = None, after: int = 0
    ) -> Iterator[Row]:
        return self.client.lines("audit", model=model, since=_iso(since), until=_iso(until), after=after or None)

    def _page(self, name: str, limit: int, cursor: str | None, *path: str, **query: object) -> Page:
        """Get a page. Its rows are in the field named like the last part of the path."""
        answer = self.client.get(name, *path, limit=limit, cursor=cursor, **query)
        parsed = _parse_times(answer)
        return Page(parsed[path[-1] if path else name], parsed["next"])

    def _get_one(self, *path: str, **query: object) -> Row:
        answer: Row = _parse_times(self.client.get(*path, **query))
        return answer


def _iso(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else value


def _parse_times(value: Any) -> Any:
    """Convert the times in an answer to datetimes."""
    if isinstance(value, list):
        return [_parse_times(each) for each in value]
    if not isinstance(value, Mapping):
        return value
    return Answer({name: each if name in _UNCHANGED else _parse_value(name, each) for name, each in value.items()})


def _parse_value(name: str, value: Any) -> Any:
    if isinstance(value, str) and (name in _TIMES or name.endswith("_at")):
        return datetime.fromisoformat(value)
    return _parse_times(value)
