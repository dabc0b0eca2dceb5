"""Validates an event's data by the vocabulary, and turns pydantic's errors into sentences."""

import difflib
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from pydantic import ValidationError

from registrar.events.left_out import parse_command
from registrar.events.types import VOCABULARY, Data, UnknownType, parse
from registrar.events.types.errors import wording
from webhooks.ci.payload import Ignored
from webhooks.ingress.errors import InvalidEvent


def clean(text: str, *, length: int = 100) -> str:
    """Keep printable characters only (no controls, bidi marks or lone surrogates), and cut to `length`."""
    return "".join(char if char.isprintable() else "?" for char in text[:length])


# Errors in one response.
_MOST_ERRORS = 20
# Similarity of a misspelt type to one of ours: all but a letter or two.
_MISSPELT = 0.93
# Similarity above which a type is suggested.
_ALIKE = 0.6
# Characters of an error's message.
_LONGEST = 500


def check_ours(type_: str) -> None:
    """Raise Ignored for an event type of another product. A misspelt type of ours passes: `data` then reports it."""
    if type_ not in VOCABULARY and not _near(type_[:100], _MISSPELT):
        near = _near(type_[:100], _ALIKE)
        raise Ignored(f"the type {clean(type_)!r} is none of Registrar's" + (f"; did you mean {near}?" if near else ""))


@lru_cache(maxsize=1024)
def _near(type_: str, likeness: float) -> str | None:
    """Return our most similar type, if any. Cached: a broker sends the same few types again and again."""
    return next(iter(difflib.get_close_matches(type_, VOCABULARY, n=1, cutoff=likeness)), None)


def data(type_: str, content: Mapping[str, Any]) -> Data:
    """Validate an event's data. Raises InvalidEvent, with one entry in `errors` per wrong or missing field."""
    return _parsed(parse, type_, content)


def command(type_: str, content: Mapping[str, Any]) -> Data:
    """Validate a person's command like `data`, but for what it may leave to the record (omitted_version.complete)."""
    return _parsed(parse_command, type_, content)


def _parsed(parser: Callable[[str, dict[str, Any]], Data], type_: str, content: Mapping[str, Any]) -> Data:
    try:
        return parser(type_, dict(content))
    except UnknownType as error:
        raise InvalidEvent(str(error), errors=[{"field": "type", "message": "is not a known event type"}]) from None
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)[:_MOST_ERRORS]
        errors = [
            {"field": _field(detail), "message": clean(wording(detail, type_), length=_LONGEST)} for detail in details
        ]
        raise InvalidEvent(sentence(type_, errors), errors=errors) from None


def sentence(subject: str, errors: list[dict[str, str]]) -> str:
    """Join all errors into one sentence."""
    return f"{subject} is not valid: " + "; ".join(f"{error['field']} {error['message']}" for error in errors)


def _field(detail: Any) -> str:
    return clean(".".join(["data", *map(str, detail["loc"])]))
