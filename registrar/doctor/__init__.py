"""`registrar doctor`: checks every part of an installation, and says what to do about each problem.

Each module in registrar/doctor/checks/ checks the part that it is named after, and offers
`check(context: DoctorContext) -> Iterator[Finding]`. A check changes nothing and waits at most PATIENCE seconds for
each answer. An exception that it raises becomes a finding. A new check needs one module there and one test.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from registrar.config.settings import Settings
from registrar.policy import Policy

Level = Literal["ok", "warn", "FAIL"]


@dataclass(frozen=True)
class Finding:
    """seen: the observation. do: how to fix it; "" where nothing needs to be done."""

    level: Level
    seen: str
    do: str = ""


@dataclass(frozen=True)
class DoctorContext:
    """data: the folder of `registrar up`, which need not exist. policy: None where registrar.yml can't be read."""

    data: Path
    settings: Settings
    policy: Policy | None


def ok(seen: str) -> Finding:
    return Finding("ok", seen)


def warn(seen: str, do: str) -> Finding:
    """Report something that works, but will cause trouble."""
    return Finding("warn", seen, do)


def fail(seen: str, do: str) -> Finding:
    """Report something that does not work."""
    return Finding("FAIL", seen, do)
