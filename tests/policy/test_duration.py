"""Lengths of time: what is one, how long it is, and what was meant by what is none."""

from datetime import date, timedelta
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from registrar.text.duration import Duration, length

DURATIONS: TypeAdapter[str] = TypeAdapter(Duration)


def complaint(value: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        DURATIONS.validate_python(value)
    [error] = caught.value.errors()
    return str(error["msg"]).removeprefix("Value error, ")


@pytest.mark.parametrize(
    ("text", "long"),
    [
        ("30s", timedelta(seconds=30)),
        ("15m", timedelta(minutes=15)),
        ("12h", timedelta(hours=12)),
        ("99999d", timedelta(days=99999)),
    ],
)
def test_a_length_is_a_whole_number_and_its_unit(text: str, long: timedelta):
    assert DURATIONS.validate_python(text) == text
    assert length(text) == long


@pytest.mark.parametrize("text", ["0s", "100000s", "s", "1w", "1 h", "1h\n", "01h", "-1h", ""])
def test_anything_else_is_none(text: str):
    assert "is no length of time such as 30s, 15m, 12h or 7d" in complaint(text)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("24 hours", "24h"),
        ("24H", "24h"),
        ("1 hr", "1h"),
        ("2 weeks", "14d"),
        ("1w 1d", "8d"),
        ("1h30m", "90m"),
        ("1h, 30min", "90m"),
        ("1.5h", "90m"),
        ("0.5 days", "12h"),
        ("90 seconds", "90s"),
        ("1 day and 2 hours", "26h"),
        ("PT24H", "24h"),
        ("P7D", "7d"),
        ("P1DT12H", "36h"),
        ("99999 sec", "99999s"),
    ],
)
def test_what_people_write_in_its_place_is_understood(written: str, meant: str):
    assert complaint(written).endswith(f"; did you mean {meant}?")


@pytest.mark.parametrize("text", ["1.5s", "100000 sec", "12 apples", "1h of rest", "h", "soon"])
def test_nothing_is_guessed_of_what_is_no_length(text: str):
    assert complaint(text).endswith("12h or 7d")


@pytest.mark.parametrize("number", [1, 30, 99_999])
def test_a_number_lacks_its_unit(number: int):
    lacks = f"; it lacks its unit: {number}s, {number}m, {number}h or {number}d"
    assert complaint(number) == f"{number} is no length of time such as 30s, 15m, 12h or 7d{lacks}"
    assert complaint(str(number)).endswith(lacks)


@pytest.mark.parametrize("value", ["0d", "0 hours", "0", 0])
def test_nothing_is_too_short(value: Any):
    assert complaint(value).endswith("12h or 7d; it must be more than zero")


@pytest.mark.parametrize("value", [-1, 100_000, True, 1.5, ["1h"], date(2026, 12, 24)])
def test_no_unit_is_offered_for_what_would_be_none_with_it(value: Any):
    assert complaint(value) == f"{value} is no length of time such as 30s, 15m, 12h or 7d"


def test_what_is_shown_of_a_value_is_short():
    assert complaint(None).startswith("nothing is no length")
    assert complaint("x" * 100).startswith("'" + "x" * 39 + " is no length")
    assert complaint(["x" * 100]).startswith("['" + "x" * 38 + " is no length")
