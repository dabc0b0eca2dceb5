"""What is asked for in a query; each raises InvalidQuery for what can't be meant."""

import re
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any, TypeVar

from flask import request

from registrar.queries.query_service import MOST, Page
from webhooks.ingress.errors import InvalidQuery
from webhooks.ingress.validation import clean

PAGE = ("limit", "cursor")
One = TypeVar("One", bound=str)


def only(*names: str) -> None:
    """The names that a route's query may have: a filter that is misspelt would filter nothing."""
    if unknown := sorted(set(request.args) - set(names)):
        known = ", ".join(names) or "nothing"
        raise InvalidQuery(f"{clean(unknown[0])!r} can't be asked for here; what can: {known}")
    if twice := [name for name in request.args if len(request.args.getlist(name)) > 1]:
        raise InvalidQuery(f"{twice[0]} is given twice")


def limit() -> int:
    given = request.args.get("limit", "50")
    if not re.fullmatch("[0-9]{1,3}", given) or not 1 <= int(given) <= MOST:
        raise InvalidQuery(f"limit must be a whole number from 1 to {MOST}")
    return int(given)


def cursor() -> str | None:
    return request.args.get("cursor")


def one_of(name: str, known: Collection[One]) -> One | None:
    given = request.args.get(name)
    found = next((each for each in known if each == given), None)
    if given is not None and found is None:
        raise InvalidQuery(f"{name} must be one of {', '.join(known)}")
    return found


def number(name: str) -> int:
    given = request.args.get(name, "0")
    if not re.fullmatch("[0-9]{1,18}", given):
        raise InvalidQuery(f"{name} must be a whole number")
    return int(given)


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
    raise InvalidQuery(f"{name} must be ISO 8601 with a zone, such as 2026-11-22T12:00:00Z (+ is written %2B)")


def paged(name: str, page: Page) -> dict[str, Any]:
    """next: what to give as cursor for the page after this one; null: it was the last."""
    return {name: list(page.rows), "next": page.next}
