"""Reasons to refuse a request: one class per reason, with its HTTP status. Answered as problem+json (RFC 9457)."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, ClassVar

# Seconds; far below the 300 s after which MLflow's own retries would be stale.
RETRY_AFTER = 5


class Rejected(Exception):
    """A refused request. detail: one sentence that says what is wrong and what would be right.

    errors: one {"field", "message"} per wrong or missing field. why: the cause of a temporary failure, for people.
    """

    status: ClassVar[int]
    code: ClassVar[str]
    title: ClassVar[str]
    retry_after: ClassVar[int | None] = None
    headers: ClassVar[Mapping[str, str]] = {}

    def __init__(self, detail: str, *, errors: Sequence[Mapping[str, str]] = (), why: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = list(errors)
        self.why = why

    def for_people(self) -> str:
        """Return the sentence for a person who pressed a button or typed a command."""
        if self.why is None:
            return f"Not done: {self.detail}"
        return f"Registrar can't take this now: {self.why}. Nothing was done; try again in a minute."

    def problem(self) -> dict[str, Any]:
        """https://www.rfc-editor.org/rfc/rfc9457"""
        body: dict[str, Any] = {
            "type": f"urn:problem-type:registrar:{self.code.replace('_', '-')}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
        }
        return body | {"errors": self.errors} if self.errors else body


class NotJson(Rejected):
    """The body is not JSON in the strict form of strict_json.py."""

    status, code, title = 400, "not_json", "The body is not valid JSON"


class NotAForm(Rejected):
    """The body is not a form in the strict form of strict_form.py."""

    status, code, title = 400, "not_a_form", "The body is not a valid form"


class Incomplete(Rejected):
    """The body ended, stalled or broke before its announced end."""

    status, code, title = 400, "incomplete_body", "The body did not arrive whole"

    def __init__(self, detail: str = "the body ended before its announced length; send it again") -> None:
        super().__init__(detail)


class TooSlow(Rejected):
    """The body did not arrive in time."""

    status, code, title = 408, "too_slow", "The body took too long"


class BadSignature(Rejected):
    """A wrong, missing or malformed signature. The sentence is always the same, so that a forger learns nothing."""

    status, code, title = 401, "bad_signature", "The signature does not verify"

    def __init__(self) -> None:
        super().__init__(
            "the request is not signed, or not with this source's secret; "
            "sign the exact bytes of the body as the source's kind needs, and send each header once "
            "(`registrar doctor --source NAME` finds the cause)"
        )


class StaleTimestamp(Rejected):
    """Signed correctly, but too long ago or in the future: a replay, or a wrong clock."""

    status, code, title = 401, "stale_timestamp", "The signature's timestamp is too far off"


class NotSignedIn(Rejected):
    """The client is unknown: no token and no session, or an expired one.

    https://www.rfc-editor.org/rfc/rfc6750
    """

    status, code, title = 401, "not_signed_in", "Not signed in"
    headers = {"WWW-Authenticate": "Bearer"}


class NotPermitted(Rejected):
    """The client is known, but registrar.yml does not grant it this."""

    status, code, title = 403, "not_permitted", "Not granted"


class CrossSite(Rejected):
    """Another site's page made the request, or the form's token is missing, foreign or old."""

    status, code, title = 403, "cross_site", "Not from one of our own pages"


class UnknownSource(Rejected):
    """registrar.yml has no source of that name."""

    status, code, title = 404, "unknown_source", "No such source"


class NotFound(Rejected):
    """What the address names does not exist."""

    status, code, title = 404, "not_found", "Not found"


class DeliveryReused(Rejected):
    """The delivery id came before with another body (registrar.ledger.deliveries.DeliveryConflict)."""

    status, code, title = 409, "delivery_reused", "The delivery id was used for something else"


class Outdated(Rejected):
    """A form was made for what is not so any more: another version holds it, or was made under the number."""

    status, code, title = 409, "outdated", "It has changed since it was shown"


class TooLarge(Rejected):
    """The body is longer than the source's max_bytes."""

    status, code, title = 413, "too_large", "The body is too large"


class UnsupportedMediaType(Rejected):
    """A content type that this kind of source does not send, or a compressed body."""

    status, code, title = 415, "unsupported_media_type", "The content type is not accepted"


class TooMany(Rejected):
    """Too many requests of a source, an address, a person or a token."""

    status, code, title = 429, "too_many_requests", "Too many requests"

    def __init__(self, detail: str, *, retry_after: int) -> None:
        super().__init__(detail, why="too many requests come in")
        self.retry_after = retry_after  # type: ignore[misc]


class InvalidEvent(Rejected):
    """Well-formed, but no valid event: an unknown type, wrong or missing fields, an incomplete command."""

    status, code, title = 422, "invalid_event", "Not a valid event"


class VersionUnclear(InvalidEvent):
    """A command names no version, and the record does not say which is meant. The sentence lists those it may be."""

    status, code, title = 422, "version_in_doubt", "It is not clear which version is meant"


class UnusableReport(InvalidEvent):
    """An invalid event that a product composed. Its sender can't correct it; registrar.yml can."""


class InvalidQuery(Rejected):
    """The query has an unknown parameter, or a malformed value."""

    status, code, title = 422, "invalid_query", "Not a valid query"


class Unavailable(Rejected):
    """The ledger can't be written: nothing was accepted; try again."""

    status, code, title = 503, "unavailable", "Not available at the moment"
    retry_after = RETRY_AFTER


class Full(Rejected):
    """Too many tasks are unfinished: nothing was accepted. detail: how many wait, and the limit."""

    status, code, title = 503, "too_much_waiting", "Too many tasks are waiting"
    retry_after = 30

    def __init__(self, detail: str) -> None:
        super().__init__(
            f"{detail}; nothing was accepted, send it again in {self.retry_after} s",
            why="too many tasks wait to be done",
        )


class NotReady(Rejected):
    """A check of /readyz fails. checks: by name, {"status": "pass", "warn" or "fail", "detail"}."""

    status, code, title = 503, "not_ready", "Not ready"
    retry_after = RETRY_AFTER

    def __init__(self, detail: str, *, checks: Mapping[str, Mapping[str, str]]) -> None:
        super().__init__(detail)
        self.checks = checks

    def problem(self) -> dict[str, Any]:
        return super().problem() | {"checks": self.checks}


class Broken(Rejected):
    """A defect of the receiver. The log has the traceback; the response has none."""

    status, code, title = 500, "internal_error", "A defect of the receiver"


class Refused(Rejected):
    """A refusal by Flask itself, such as a method that is not allowed."""

    def __init__(self, detail: str, *, status: int) -> None:
        super().__init__(detail)
        phrase = HTTPStatus(status)
        self.status, self.code, self.title = status, phrase.name.lower(), phrase.phrase  # type: ignore[misc]
