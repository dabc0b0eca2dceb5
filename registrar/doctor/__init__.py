"""`registrar doctor`: is everything well, part by part, and what to do where it is not.

Each file of registrar/doctor/checks/ is one part: it offers `look(site: Site) -> Iterator[Finding]`, and its name is
what the line begins with. It changes nothing, waits for nobody longer than PATIENCE, and says what it can't see. What
it raises is a finding too. A new check is one file there and one test.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from registrar.config.settings import Settings
from registrar.policy import Policy

Level = Literal["ok", "warn", "FAIL"]


@dataclass(frozen=True)
class Finding:
    """seen: what is so. do: what would mend it; "" where nothing need be done."""

    level: Level
    seen: str
    do: str = ""


@dataclass(frozen=True)
class DoctorContext:
    """What is looked at. data: the folder of `registrar up`, there or not. policy None: it can't be read."""

    data: Path
    settings: Settings
    policy: Policy | None


def ok(seen: str) -> Finding:
    return Finding("ok", seen)


def warn(seen: str, do: str) -> Finding:
    """It works, and something about it will hurt some day."""
    return Finding("warn", seen, do)


def fail(seen: str, do: str) -> Finding:
    """Something does not work."""
    return Finding("FAIL", seen, do)
