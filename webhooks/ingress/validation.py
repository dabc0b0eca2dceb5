"""Reads an event's data by the vocabulary, and turns pydantic's complaints into sentences."""

import difflib
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from pydantic import ValidationError

from registrar.events.types import VOCABULARY, Data, UnknownType, parse
from registrar.events.types.errors import wording
from webhooks.ci.payload import Ignored
from webhooks.ingress.errors import InvalidEvent


def clean(text: str, *, length: int = 100) -> str:
    """Printable characters only (no controls, no bidi marks, no halves of surrogate pairs), cut to `length`."""
    return "".join(char if char.isprintable() else "?" for char in text[:length])


_MOST = 20  # complaints in one answer
_MISSPELT = 0.93  # how like one of our types another is that is meant for it: all but a letter or two
_ALIKE = 0.6  # the same, that one is told of
_LONGEST = 500  # characters of a complaint


def check_ours(type_: str) -> None:
    """Whether an event is meant for Registrar, going by its type: what others say to each other is no mistake.

    Raises Ignored. A type of ours that is misspelt passes: `data` says so.
    """
    if type_ not in VOCABULARY and not _near(type_[:100], _MISSPELT):
        near = _near(type_[:100], _ALIKE)
        raise Ignored(f"the type {clean(type_)!r} is none of Registrar's" + (f"; is {near} meant?" if near else ""))


@lru_cache(maxsize=1024)
def _near(type_: str, likeness: float) -> str | None:
    """The type of ours that is most like it. A broker says the same few types over and over."""
    return next(iter(difflib.get_close_matches(type_, VOCABULARY, n=1, cutoff=likeness)), None)


def data(type_: str, content: Mapping[str, Any]) -> Data:
    """The data of an event. Raises InvalidEvent, with one entry in `errors` per wrong or missing field."""
    try:
        return parse(type_, dict(content))
    except UnknownType as error:
        raise InvalidEvent(str(error), errors=[{"field": "type", "message": "is not a known event type"}]) from None
    except ValidationError as error:
        complaints = error.errors(include_url=False, include_input=False)[:_MOST]
        errors = [
            {"field": _field(detail), "message": clean(wording(detail, type_), length=_LONGEST)}
            for detail in complaints
        ]
        raise InvalidEvent(sentence(type_, errors), errors=errors) from None


def sentence(what: str, errors: list[dict[str, str]]) -> str:
    """All complaints in one sentence."""
    return f"{what} is not valid: " + "; ".join(f"{error['field']} {error['message']}" for error in errors)


def _field(detail: Any) -> str:
    return clean(".".join(["data", *map(str, detail["loc"])]))
