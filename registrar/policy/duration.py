"""Lengths of time as registrar.yml writes them: 30s, 15m, 12h, 7d."""

import re
from datetime import timedelta
from typing import Annotated

from pydantic import StringConstraints

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
PATTERN = re.compile(r"^[1-9][0-9]{0,4}[smhd]$(?!\n)")
Duration = Annotated[str, StringConstraints(pattern=PATTERN.pattern)]


def length(duration: str) -> timedelta:
    """Of 30s, 15m, 12h, 7d."""
    return timedelta(**{_UNITS[duration[-1]]: int(duration[:-1])})
