"""Parses the query parameters of pages. Each function raises InvalidEvent for a malformed value."""

import re
from collections.abc import Collection
from datetime import UTC, datetime
from typing import TypeVar

from flask import request

from registrar.text.sanitize import is_visible
from webhooks.ingress.errors import InvalidEvent

MOST = 320  # characters of a name or account, which a filter compares as a whole
Value = TypeVar("Value", bound=str)


def text(name: str) -> str:
    """Return a text that a person wrote, as `exact`, without blanks around it."""
    return exact(name).strip()


def exact(name: str) -> str:
    """Return a text with ? for each invisible character, cut to MOST characters; "" if absent."""
    return "".join(char if is_visible(char) else "?" for char in request.args.get(name, "")[:MOST])


def time(name: str) -> datetime | None:
    """Parse the value of a datetime-local field; without a zone it is UTC."""
    sent = text(name)
    if not sent:
        return None
    try:
        at = datetime.fromisoformat(sent)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidEvent(f"{name} is a day or a time in UTC, such as 2026-11-22 or 2026-11-22T12:00") from None


def one_of(name: str, values: Collection[Value]) -> Value | None:
    """Return the one of these values that the parameter has; None if absent or empty."""
    sent = request.args.get(name)
    value = next((value for value in values if value == sent), None)
    if sent and value is None:
        raise InvalidEvent(f"{name} is one of {', '.join(values)}")
    return value


def number(name: str) -> int | None:
    """Parse the number of the last row of the page before."""
    sent = request.args.get(name)
    if sent is None:
        return None
    if not re.fullmatch("[0-9]{1,18}", sent):
        raise InvalidEvent(f"{name} is a number, as in the link to older rows")
    return int(sent)


def moment(name: str) -> tuple[datetime, str] | None:
    """Parse a result of `mark`: the time and the id of the last row of the page before."""
    sent = request.args.get(name)
    if sent is None:
        return None
    time_text, _, rest = sent.partition("~")
    if (at := _aware(time_text)) is None or not (rest.isascii() and rest.isprintable() and len(rest) <= 300):
        raise InvalidEvent(f"{name} is the end of a page, as in the link to older rows")
    return at, rest


def mark(at: datetime, rest: object) -> str:
    """Format a row's time and id for a link to older rows."""
    return f"{at.isoformat()}~{rest}"


def _aware(text: str) -> datetime | None:
    """Parse ISO 8601 with a zone; None: it is none, or in UTC it is before year 1 or after 9999 (OverflowError)."""
    try:
        at = datetime.fromisoformat(text)
        return at.astimezone(UTC) if at.tzinfo else None
    except (ValueError, OverflowError):
        return None
