"""pydantic's errors in words, each to stand behind the name of a field: for events and for registrar.yml."""

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


def none_of(words: Sequence[str], given: str) -> str:
    """Say that a value is none of a few words, and which one was probably meant."""
    near = nearest(given, words)
    return f"none of {', '.join(words)}" + (f"; did you mean {near}?" if near else "")


def own_message(detail: Mapping[str, Any]) -> str:
    """Return the message of one of pydantic's errors, which is ours where a validator of ours raised a ValueError."""
    return str(detail["msg"]).removeprefix("Value error, ")
