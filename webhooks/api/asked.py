"""What is asked for in a query or a path; each raises InvalidEvent for what can't be meant."""

import re
from datetime import UTC, datetime

from flask import request

from webhooks.errors import InvalidEvent

MOST = 500


def readable(id_: str) -> bool:
    """PostgreSQL refuses what is no text."""
    return id_.isascii() and id_.isprintable()


def limit() -> int:
    given = request.args.get("limit", "50")
    if not re.fullmatch("[0-9]{1,3}", given) or not 1 <= int(given) <= MOST:
        raise InvalidEvent(f"limit must be a whole number from 1 to {MOST}")
    return int(given)


def model() -> str | None:
    given = request.args.get("model")
    if given is not None and not given.isprintable():
        raise InvalidEvent("model must be a registered model's name")
    return given


def time(name: str) -> datetime | None:
    given = request.args.get(name)
    if given is None:
        return None
    try:
        at = datetime.fromisoformat(given)
        if at.tzinfo:
            return at.astimezone(UTC)  # OverflowError: year 1 or 9999, at the far end of a zone
    except (ValueError, OverflowError):
        pass
    raise InvalidEvent(f"{name} must be ISO 8601 with a zone, such as 2026-11-22T12:00:00Z (+ is written %2B)")
