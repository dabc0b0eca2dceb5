"""A freeze over a change to or from daylight saving time, against a clock that is read minute by minute."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from registrar.policy.time_gates import Freeze, last

MINUTE = timedelta(minutes=1)
# By an hour, by half of one, by two; at midnight; on other days than Europe's; never.
ZONES = [
    "Europe/Paris",
    "America/New_York",
    "Australia/Lord_Howe",
    "Antarctica/Troll",
    "America/Santiago",
    "Asia/Beirut",
    "Africa/Cairo",
    "Asia/Kolkata",
    "UTC",
]


@cache
def changes(zone: str) -> list[datetime]:
    """When the clocks of 2026 change; a day of May where they don't."""
    hours = [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=30 * n) for n in range(2 * 24 * 365)]
    offsets = [at.astimezone(ZoneInfo(zone)).utcoffset() for at in hours]
    changed = [at for at, one, next_ in zip(hours[1:], offsets, offsets[1:], strict=False) if one != next_]
    return changed or [datetime(2026, 5, 1, tzinfo=UTC)]


def wall(at: datetime, zone: str) -> datetime:
    return at.astimezone(ZoneInfo(zone)).replace(tzinfo=None)


def starts(minute: int, hour: int | None, zone: str, *, since: datetime, until: datetime) -> Iterator[datetime]:
    """Of a fixed time: when the clock first shows it, or what it skips it to. hour None: whenever it shows it."""
    at, shown = since, wall(since, zone) - MINUTE
    while at <= until:
        now = wall(at, zone)
        if hour is None:
            named = now.minute == minute
        else:
            passed = [shown + MINUTE * n for n in range(1, int((now - shown) / MINUTE) + 1)]
            named = any((time.minute, time.hour) == (minute, hour) for time in passed)
        if named:
            yield at
        at, shown = at + MINUTE, max(now, shown)


@settings(deadline=None)  # the first of each zone reads a year of its clock
@given(
    zone=st.sampled_from(ZONES),
    which=st.integers(0, 1),
    minute=st.sampled_from([0, 1, 15, 29, 30, 31, 45, 59]),
    hour=st.one_of(st.none(), st.integers(0, 4), st.integers(0, 23)),
    minutes=st.integers(1, 300),
    offset=st.integers(-400, 400),
    seconds=st.integers(0, 59),
)
@example(zone="Europe/Paris", which=1, minute=30, hour=2, minutes=240, offset=15, seconds=0)
@example(zone="America/New_York", which=1, minute=30, hour=1, minutes=240, offset=0, seconds=0)
@example(zone="America/New_York", which=0, minute=30, hour=2, minutes=60, offset=59, seconds=59)
@example(zone="Europe/Paris", which=0, minute=30, hour=None, minutes=20, offset=15, seconds=0)
@example(zone="Australia/Lord_Howe", which=0, minute=45, hour=1, minutes=30, offset=14, seconds=0)
def test_frozen_is_exactly_so_long_from_each_start(*, zone, which, minute, hour, minutes, offset, seconds):
    change = changes(zone)[which % len(changes(zone))]
    now = change + timedelta(minutes=offset, seconds=seconds)
    length = timedelta(minutes=minutes)
    begun = list(starts(minute, hour, zone, since=now.replace(second=0) - timedelta(hours=30), until=now))
    expected = begun[-1] + length if begun and begun[-1] + length > now else None
    freeze = Freeze(freeze=f"{minute} {'*' if hour is None else hour} * * *", duration=f"{minutes}m", zone=zone)
    assert freeze.until(now) == expected


@pytest.mark.parametrize(
    ("cron", "zone", "day"),
    [("30 2 * * SUN", "Europe/Paris", (2026, 10, 25)), ("30 1 * * *", "America/New_York", (2026, 11, 1))],
)
def test_a_freeze_has_no_hole_when_clocks_go_back(cron, zone, day):
    """The clock shows what is before its beginning a second time, after it began."""
    freeze = Freeze(freeze=cron, duration="23h", zone=zone)
    named = datetime.strptime(cron[:4], "%M %H").time()
    began = datetime.combine(datetime(*day), named, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    assert {freeze.until(began + MINUTE * n) for n in range(23 * 60)} == {began + timedelta(hours=23)}


@pytest.mark.parametrize("zone", ZONES)
def test_every_minute_of_an_hour_is_frozen_whichever_time_the_clock_shows_it(zone):
    """`* 1 * * *` for a minute: frozen while it is 1 o'clock; where there is no 1 o'clock, in the minute after."""
    freeze = Freeze(freeze="* 1 * * *", duration="1m", zone=zone)
    for change in changes(zone):
        for offset in range(-300, 300):
            now = change + MINUTE * offset
            skipped = wall(now - MINUTE, zone).hour < 1 < wall(now, zone).hour
            assert bool(freeze.until(now)) == (wall(now, zone).hour == 1 or skipped)


@pytest.mark.parametrize("zone", ZONES)
def test_the_last_time_is_never_after_now_nor_before_an_earlier_one(zone):
    for cron in ("30 2 * * *", "0 0 * * SUN", "*/20 * * * *", "15 */3 * * *", "0 0 29 2 *"):
        for change in changes(zone):
            nows = [change + timedelta(minutes=7 * n) for n in range(-60, 60)]
            found = [last(cron, now, zone=zone) for now in nows]
            assert all(at <= now for at, now in zip(found, nows, strict=True))
            assert found == sorted(found)


def test_a_time_is_in_utc_whichever_way_it_is_found():
    again = datetime(2026, 10, 25, 1, 45, tzinfo=UTC)  # 2:45 for the second time
    for cron, zone, hours in (("0 0 * * *", "UTC", 1.75), ("30 * * * *", "Europe/Paris", 0.25)):
        found = last(cron, again, zone=zone)
        assert found == again - timedelta(hours=hours)
        assert found.tzinfo is UTC


def test_a_schedule_is_in_utc_and_may_have_seconds():
    now = datetime(2026, 11, 22, 12, tzinfo=UTC)
    assert last("0 3 * * *", now) == now.replace(hour=3)
    assert last("30 0 3 * * *", now) == now.replace(hour=3, second=30)


@pytest.mark.parametrize("minute", ["0", "*"])
def test_a_cron_expression_that_names_no_time_has_no_last_one(minute: str):
    """The first of a month is never its fifth Monday."""
    assert last(f"{minute} 0 */31 * MON#5", datetime(2026, 11, 22, tzinfo=UTC)) is None


def test_a_freeze_lasts_a_leap_year_at_most():
    assert Freeze(freeze="0 0 1 1 *", duration="366d").duration == "366d"
    with pytest.raises(ValueError, match="a freeze lasts 366 days at most"):
        Freeze(freeze="0 0 1 1 *", duration="367d")
