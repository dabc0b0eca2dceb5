"""Words for pydantic's errors, to follow the name of a field of an event or of registrar.yml."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from registrar.text.wording import nearest

_LIMITS = {
    "greater_than_equal": "is less than {ge}",
    "greater_than": "is not more than {gt}",
    "less_than_equal": "is more than {le}",
    "less_than": "is not less than {lt}",
    "too_short": "is empty: it needs one entry at least",
    "too_long": "has more than {max_length:,} entries",
    "string_too_short": "is empty",
    "string_too_long": "is longer than {max_length:,} characters",
    "string_pattern_mismatch": "has characters or a form that are not allowed",
    "finite_number": "is no finite number",
}


def describe_limit(type_: str, context: Mapping[str, Any]) -> str | None:
    """Say which limit a value breaks; None for an error of another kind. type_, context: of pydantic's error."""
    return _LIMITS[type_].format(**context) if type_ in _LIMITS else None


def expected_words(expected: str) -> list[str]:
    """Return the words of pydantic's "'a', 'b' or 'c'"."""
    return re.findall(r"'([^']*)'", expected) or [expected]


def none_of(words: Sequence[str], value: str) -> str:
    """Say that a value is none of a few words, and suggest the most similar one."""
    suggestion = nearest(value, words)
    return f"none of {', '.join(words)}" + (f"; did you mean {suggestion}?" if suggestion else "")


def own_message(detail: Mapping[str, Any]) -> str:
    """Return the message of one of pydantic's errors: for a ValueError of our own validators, that error's message."""
    return str(detail["msg"]).removeprefix("Value error, ")
