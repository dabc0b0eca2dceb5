"""Describe what is wrong with a field of an event, in words that follow the field's name."""

from typing import Any

from registrar.events.types import VOCABULARY
from registrar.text.validation import describe_limit, expected_words, none_of, own_message

_MESSAGES = {
    "missing": "is missing",
    "extra_forbidden": "is not a field of it",
    "int_parsing": "is no whole number",
    "int_type": "is no whole number",
}
_SENTENCES = ("is ", "has ")  # beginnings of the messages of the vocabulary's own validators


def wording(detail: Any, type_: str) -> str:
    """Describe one of pydantic's errors. type_: the event's. The value is quoted where `detail` has it."""
    match detail["type"]:
        case "extra_forbidden" if len(detail["loc"]) == 1:
            return f"is not a field of {type_}; its fields are {', '.join(VOCABULARY[type_].model_fields)}"
        case "literal_error":
            return f"is {none_of(expected_words(detail['ctx']['expected']), str(detail.get('input', '')))}"
    if known := _MESSAGES.get(detail["type"]) or describe_limit(detail["type"], detail.get("ctx", {})):
        return known
    message = own_message(detail)
    return message if message.startswith(_SENTENCES) else f"is wrong: {message}"
