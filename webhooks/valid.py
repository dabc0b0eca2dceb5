"""Reads an event's data by the vocabulary, and turns pydantic's complaints into sentences."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from registrar.vocabulary import VOCABULARY, Data, UnknownType, parse
from webhooks.clean import clean
from webhooks.errors import InvalidEvent

_MOST = 20  # complaints in one answer


def data(type_: str, content: Mapping[str, Any]) -> Data:
    """The data of an event. Raises InvalidEvent, with one entry in `errors` per wrong or missing field."""
    try:
        return parse(type_, dict(content))
    except UnknownType as error:
        raise InvalidEvent(str(error), errors=[{"field": "type", "message": "is not a known event type"}]) from None
    except ValidationError as error:
        complaints = error.errors(include_url=False, include_input=False)[:_MOST]
        errors = [{"field": _field(detail), "message": _message(detail, type_)} for detail in complaints]
        raise InvalidEvent(sentence(type_, errors), errors=errors) from None


def sentence(what: str, errors: list[dict[str, str]]) -> str:
    """All complaints in one sentence."""
    return f"{what} is not valid: " + "; ".join(f"{error['field']} {error['message']}" for error in errors)


def _field(detail: Any) -> str:
    return clean(".".join(["data", *map(str, detail["loc"])]))


def _message(detail: Any, type_: str) -> str:
    match detail["type"]:
        case "missing":
            return "is missing"
        case "extra_forbidden" if len(detail["loc"]) == 1:
            return f"is not a field of {type_}; its fields are {', '.join(VOCABULARY[type_].model_fields)}"
        case "extra_forbidden":
            return "is not a field of it"
        case "string_pattern_mismatch":
            return f"has characters or a form that are not allowed; it must match {detail['ctx']['pattern']}"
    return "is wrong: " + clean(detail["msg"].removeprefix("Value error, "), length=300)
