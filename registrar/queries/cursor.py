"""Page cursors: where a page ended, as opaque text."""

import base64
import binascii
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from registrar.queries.query_service import BadQuestion
from registrar.text.sanitize import is_visible

# Characters. The longest part of a cursor is a model's name.
_LONGEST = 1500


def encode(kind: str, *position: int | str | datetime | None) -> str:
    """Return a cursor. kind: the list that it belongs to; it is valid for no other."""
    values = [value.isoformat() if isinstance(value, datetime) else value for value in position]
    return base64.urlsafe_b64encode(json.dumps([kind, *values]).encode()).decode().rstrip("=")


def decode(kind: str, cursor: str, *types: type) -> Sequence[Any]:
    """Return the values of a cursor. Raises BadQuestion unless `encode` made it, for that kind."""
    error = BadQuestion("cursor must be `next` of the page before, unchanged and of the same list")
    if len(cursor) > _LONGEST or not cursor.isascii():
        raise error
    try:
        kind_of_cursor, *values = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        position = [_convert(type_, value) for type_, value in zip(types, values, strict=True)]
    except (binascii.Error, ValueError, TypeError, OverflowError, RecursionError):
        raise error from None
    if kind_of_cursor != kind:
        raise error
    return position


def _convert(type_: type, value: Any) -> Any:
    """Convert a value from JSON. Raises ValueError, TypeError, OverflowError."""
    if type_ is datetime:
        at = datetime.fromisoformat(value)
        if at.tzinfo is None:
            raise ValueError(value)
        return at.astimezone(UTC)  # OverflowError: year 1 or 9999, at the far end of a zone
    if type_ is int and not (type(value) is int and 0 <= value < 2**63):
        raise ValueError(value)
    if type_ is str and not (isinstance(value, str) and is_visible(value)):
        raise ValueError(value)
    return value
