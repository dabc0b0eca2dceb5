"""Gates that only time opens. closed_time_gates.py says of each whether it is open, and when it will be.

- {soak: 24h}
- {freeze: "0 15 * * FRI", duration: 65h, zone: Europe/Paris}
- {max_per_day: 1}
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from cronsim import CronSim, CronSimError
from pydantic import AfterValidator, Field

from registrar.policy.base_model import Strict
from registrar.text.duration import Duration, length
from registrar.text.wording import nearest

_LONGEST = 366  # days


def _cron(text: str) -> str:
    try:
        CronSim(text, datetime(2026, 1, 1, tzinfo=UTC))
    except CronSimError as error:
        fields = len(text.split())
        why = f"it has {fields} of its five fields" if fields < 5 else _lowered(str(error))
        raise ValueError(f"{text!r} is no cron expression such as '0 15 * * FRI': {why}") from None
    return text


def _lowered(said: str) -> str:
    return said[:1].lower() + said[1:]


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError, ValueError):
        cities = {zone.rpartition("/")[2]: zone for zone in sorted(available_timezones()) if "/" in zone}
        near = nearest(name.rpartition("/")[2], cities, like=0.8)
        said = f"; did you mean {cities[near]}?" if near else ""
        raise ValueError(f"{name!r} is no time zone such as Europe/Paris{said}") from None
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
    """The latest time, not after `now`, that a cron expression names, in UTC; None for one that names none.

    Over a change of clocks as Debian's cron has it: a time that is shown twice is the first one, one that is skipped is
    the moment after, and an expression whose minute or hour begins with * names each time that is shown.
    """
    minute, hour = cron.split()[-5:-3]
    found = [_first_shown(cron, now, ZoneInfo(zone), skipped=not hour.startswith("*"))]
    if minute.startswith("*") or hour.startswith("*"):
        found.append(_last_shown(cron, now, ZoneInfo(zone)))
    return max((at for at in found if at), default=None)


def _first_shown(cron: str, now: datetime, zone: ZoneInfo, *, skipped: bool) -> datetime | None:
    """Of the named times the latest that the clock came to first. skipped: also those that it never showed."""
    wall = now.astimezone(zone)
    # In an hour that is shown for the second time the clock has been further already.
    furthest = wall.replace(tzinfo=None) + (_offset(wall.replace(fold=0)) - _offset(wall))
    times = (_moment(named, zone) for named in _named(cron, furthest) if skipped or _is_shown(named, zone))
    return next((at for at in times if at <= now), None)


def _last_shown(cron: str, now: datetime, zone: ZoneInfo) -> datetime | None:
    """The latest that the clock shows, be it for the second time."""
    shown = (named for named in _named(cron, now.astimezone(zone).replace(tzinfo=None)) if _is_shown(named, zone))
    times = (named.replace(tzinfo=zone, fold=1).astimezone(UTC) for named in shown)
    return next((at for at in times if at <= now), None)


def _named(cron: str, latest: datetime) -> Iterator[datetime]:
    """The times on the wall, latest first, that an expression names up to one of them, that included."""
    yield from CronSim(cron, latest.replace(microsecond=0) + timedelta(seconds=1), reverse=True)


def _moment(named: datetime, zone: ZoneInfo) -> datetime:
    """When the clock first shows a time, or the time after those that it skips."""
    while not _is_shown(named, zone):
        named += timedelta(minutes=1)
    return named.replace(tzinfo=zone).astimezone(UTC)


def _is_shown(named: datetime, zone: ZoneInfo) -> bool:
    return named.replace(tzinfo=zone).astimezone(UTC).astimezone(zone).replace(tzinfo=None) == named


def _offset(at: datetime) -> timedelta:
    return at.utcoffset() or timedelta()
