"""Parses the query parameters of /v1. Each function raises InvalidQuery for an invalid value."""

import re
from collections.abc import Collection
from datetime import UTC, datetime
from typing import TypeVar

from flask import request

from registrar.queries.query_service import MOST
from webhooks.ingress.errors import InvalidQuery
from webhooks.ingress.validation import clean

PAGE = ("limit", "cursor")
Value = TypeVar("Value", bound=str)


def only(*names: str) -> None:
    """Refuse unknown and repeated parameters: a misspelt filter would filter nothing."""
    if unknown := sorted(set(request.args) - set(names)):
        known = ", ".join(names) or "none"
        raise InvalidQuery(f"{clean(unknown[0])!r} is no parameter of this address; its parameters: {known}")
    if twice := [name for name in request.args if len(request.args.getlist(name)) > 1]:
        raise InvalidQuery(f"{twice[0]} is given twice; give it once")


def limit() -> int:
    text = request.args.get("limit", "50")
    if not re.fullmatch("[0-9]{1,3}", text) or not 1 <= int(text) <= MOST:
        raise InvalidQuery(f"limit must be a whole number from 1 to {MOST}")
    return int(text)


def cursor() -> str | None:
    return request.args.get("cursor")


def one_of(name: str, values: Collection[Value]) -> Value | None:
    text = request.args.get(name)
    value = next((value for value in values if value == text), None)
    if text is not None and value is None:
        raise InvalidQuery(f"{name} must be one of {', '.join(values)}")
    return value


def number(name: str) -> int:
    text = request.args.get(name, "0")
    if not re.fullmatch("[0-9]{1,18}", text):
        raise InvalidQuery(f"{name} must be a whole number")
    return int(text)


def version(name: str) -> int:
    """Parse the required number of a version."""
    text = request.args.get(name, "")
    if not re.fullmatch("[0-9]{1,10}", text):
        raise InvalidQuery(f"{name} must be a version, a whole number such as 3")
    return int(text)


def time(name: str) -> datetime | None:
    text = request.args.get(name)
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
        if at.tzinfo:
            return at.astimezone(UTC)  # OverflowError: year 1 or 9999, at the far end of a zone
    except (ValueError, OverflowError):
        pass
    raise InvalidQuery(f"{name} must be ISO 8601 with a zone, such as 2026-11-22T12:00:00Z (+ is written %2B)")
