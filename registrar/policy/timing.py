"""Gates that only time opens. worker/promotion/holds.py says of each whether it is open, and when it will be.

- {soak: 24h}
- {freeze: "0 15 * * FRI", duration: 65h, zone: Europe/Paris}
- {max_per_day: 1}
"""

from datetime import UTC, datetime
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError
from pydantic import AfterValidator, Field

from registrar.policy.duration import Duration, length
from registrar.policy.strict import Strict

_LONGEST = 366  # days


def _cron(text: str) -> str:
    try:
        CronSim(text, datetime(2026, 1, 1, tzinfo=UTC))
    except CronSimError as error:
        raise ValueError(f"{text!r} is no cron expression such as '0 15 * * FRI': {error}") from None
    return text


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError, ValueError):
        raise ValueError(f"{name!r} is no time zone such as Europe/Paris") from None
    return name


def _short_enough(duration: str) -> str:
    if length(duration).days > _LONGEST:
        raise ValueError(f"a freeze lasts {_LONGEST} days at most")
    return duration


Cron = Annotated[
    str,
    AfterValidator(_cron),
    Field(max_length=100, description="minute hour day month weekday: 0 15 * * FRI"),
]
Zone = Annotated[str, AfterValidator(_zone), Field(max_length=100, description="such as Europe/Paris")]


class Soak(Strict):
    """The version has been so long in the stage that it comes from. It is asked for by itself when it has."""

    soak: Duration

    def __str__(self) -> str:
        return f"at least {self.soak} in the stage before"


class Freeze(Strict):
    """Nothing moves for `duration` from each time that the cron expression names. It may be approved meanwhile."""

    freeze: Cron
    duration: Annotated[Duration, AfterValidator(_short_enough)]
    zone: Zone = "UTC"

    def __str__(self) -> str:
        return f"not for {self.duration} from {self.freeze!r} ({self.zone})"

    def until(self, now: datetime) -> datetime | None:
        """The end of the freeze that `now` is in, in UTC; None outside. Hours are real ones, whatever clocks do."""
        start = last(self.freeze, now, zone=self.zone)
        end = start + length(self.duration) if start else None
        return end if end and end > now else None


class MaxPerDay(Strict):
    """At most so many promotions of the model to this target within 24 hours."""

    max_per_day: Annotated[int, Field(ge=1, le=1000)]

    def __str__(self) -> str:
        return f"at most {self.max_per_day} in 24 h"


Timing = Soak | Freeze | MaxPerDay


def last(cron: str, now: datetime, *, zone: str = "UTC") -> datetime | None:
    """The latest time, not after `now`, that a cron expression names, in UTC; None for one that names none."""
    # cronsim leaves out the time it starts from; the present minute counts.
    local = now.astimezone(ZoneInfo(zone)).replace(second=30)
    found = next(CronSim(cron, local, reverse=True), None)
    return found.astimezone(UTC) if found else None
