"""Lengths of time as registrar.yml writes them: 30s, 15m, 12h, 7d."""

from datetime import timedelta
from typing import Annotated

from pydantic import StringConstraints

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
Duration = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,4}[smhd]$(?!\n)")]


def length(duration: str) -> timedelta:
    """Of 30s, 15m, 12h, 7d."""
    return timedelta(**{_UNITS[duration[-1]]: int(duration[:-1])})
