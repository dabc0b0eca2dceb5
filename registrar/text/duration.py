"""Lengths of time as registrar.yml writes them: 30s, 15m, 12h, 7d."""

import re
from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator, Field

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_SECONDS = {"d": 86_400, "h": 3600, "m": 60, "s": 1}
PATTERN = re.compile(r"^[1-9][0-9]{0,4}[smhd]$(?!\n)")
# What people write in its place: 24 hours, 24H, 2 weeks, 1h30m, 1.5h, and ISO 8601's PT24H and P7D.
_PIECE = re.compile(
    r"(\d{1,6}(?:\.\d{1,3})?)\s*(s(?:ec(?:ond)?s?)?|m(?:in(?:ute)?s?)?|h(?:(?:ou)?rs?)?|d(?:ays?)?|w(?:eeks?)?)(?![a-z])"
)


def checked(value: object) -> str:
    """Return a length of time as it is. Raises ValueError, which says what is wrong with another value."""
    if isinstance(value, str) and PATTERN.match(value):
        return value
    raise ValueError(
        f"{_describe_value(value)} is no length of time such as 30s, 15m, 12h or 7d{_suggest_duration(value)}"
    )


Duration = Annotated[str, BeforeValidator(checked), Field(json_schema_extra={"pattern": PATTERN.pattern})]


def length(duration: str) -> timedelta:
    """Of 30s, 15m, 12h, 7d."""
    return timedelta(**{_UNITS[duration[-1]]: int(duration[:-1])})


def _describe_value(value: object) -> str:
    if value is None:
        return "nothing"
    return f"{value!r:.40}" if isinstance(value, str) else f"{value!s:.40}"


def _suggest_duration(value: object) -> str:
    if isinstance(value, str) and len(value) < 6 and value.isascii() and value.isdecimal():
        value = int(value)
    if not isinstance(value, bool) and re.fullmatch(r"0+\s*[a-z]*", str(value).lower()):
        return "; it must be more than zero"
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 100_000:
        return f"; it lacks its unit: {value}s, {value}m, {value}h or {value}d"
    suggestion = _read(value.lower()) if isinstance(value, str) else None
    return f"; did you mean {suggestion}?" if suggestion else ""


def _read(text: str) -> str | None:
    """In the smallest unit that stands there, or a smaller one where that is not whole; None: it is no length."""
    plain = re.sub(r"^pt?(?=\d)|(?<=\dd)t(?=\d)|,|\band\b", " ", text)
    pieces = _PIECE.findall(plain)
    if not pieces or re.sub(r"\s", "", _PIECE.sub("", plain)):
        return None
    weeks = {"w": 7 * _SECONDS["d"], **_SECONDS}
    seconds = sum(float(number) * weeks[unit[0]] for number, unit in pieces)
    smallest = min(weeks[unit[0]] for _, unit in pieces)
    fitting = ((seconds / size, unit) for unit, size in _SECONDS.items() if size <= smallest)
    return next((f"{int(count)}{unit}" for count, unit in fitting if count == int(count) and 0 < count < 100_000), None)
