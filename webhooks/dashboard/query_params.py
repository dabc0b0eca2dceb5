"""Parse the query parameters of pages. Each function raises InvalidEvent for a malformed value."""

import re
from datetime import UTC, datetime

from flask import request

from webhooks.ingress.errors import InvalidEvent
from webhooks.ingress.validation import clean


def text(name: str) -> str:
    """Return a printable text without blanks around it; "" if absent."""
    return clean(request.args.get(name, "").strip())


def time(name: str) -> datetime | None:
    """Parse the value of a datetime-local field; without a zone it is UTC."""
    given = text(name)
    if not given:
        return None
    try:
        at = datetime.fromisoformat(given)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidEvent(f"{name} is a day or a time in UTC, such as 2026-11-22 or 2026-11-22T12:00") from None


def number(name: str) -> int | None:
    """Parse a row's number, at which the page before ended."""
    given = request.args.get(name)
    if given is None:
        return None
    if not re.fullmatch("[0-9]{1,18}", given):
        raise InvalidEvent(f"{name} is a number, as the link to older ones has it")
    return int(given)


def moment(name: str) -> tuple[datetime, str] | None:
    """Parse what `mark` makes: the time and the id of the row at which the page before ended."""
    given = request.args.get(name)
    if given is None:
        return None
    at, _, rest = given.partition("~")
    try:
        found = datetime.fromisoformat(at)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None or not (rest.isascii() and rest.isprintable() and len(rest) <= 300):
        raise InvalidEvent(f"{name} is the end of a page, as the link to older ones has it")
    return found, rest


def mark(at: datetime, rest: object) -> str:
    """Format a row's time and id for a link to older rows."""
    return f"{at.isoformat()}~{rest}"
