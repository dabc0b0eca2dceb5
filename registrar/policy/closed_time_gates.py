"""Evaluate time gates (soak, freeze, max_per_day): which are closed, and until when. Pure functions.

They are no evidence: no approval becomes void because a weekend began.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from registrar.policy.gates import Gate
from registrar.policy.time_gates import Freeze, MaxPerDay, Soak, Timing
from registrar.text.duration import length

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Times:
    """The times that time gates need. since: when the version came to its stage, if the record knows.

    promoted: when versions of the model were promoted to the target, newest first.
    """

    now: datetime
    came_from: str
    since: datetime | None
    promoted: Sequence[datetime] = ()


@dataclass(frozen=True)
class ClosedTimeGate:
    """A closed time gate. until: when to check again. before_request: approvals are requested only once it is open."""

    gate: str
    reason: str
    until: datetime
    before_request: bool = False


def closed_time_gates(gates: Iterable[Gate], times: Times) -> list[ClosedTimeGate]:
    """Return the time gates that are closed, in their order."""
    return [closed for gate in gates if isinstance(gate, Timing) and (closed := _check(gate, times))]


def _check(gate: Timing, times: Times) -> ClosedTimeGate | None:
    match gate:
        case Soak():
            return _check_soak(gate, times)
        case Freeze():
            return _check_freeze(gate, times)
    return _check_daily_limit(gate, times)


def _check_soak(gate: Soak, times: Times) -> ClosedTimeGate | None:
    """Check the time in the stage; it counts from now where the record does not know since when."""
    since, least = times.since or times.now, length(gate.soak)
    if times.since and times.now - since >= least:
        return None
    return ClosedTimeGate(
        str(gate),
        f"in {times.came_from} since {_format_time(since)}, {gate} is required",
        since + least,
        before_request=True,
    )


def _check_freeze(gate: Freeze, times: Times) -> ClosedTimeGate | None:
    until = gate.until(times.now)
    return ClosedTimeGate(str(gate), f"frozen until {_format_time(until)}", until) if until else None


def _check_daily_limit(gate: MaxPerDay, times: Times) -> ClosedTimeGate | None:
    recent = [at for at in times.promoted if times.now - at < _DAY]
    if len(recent) < gate.max_per_day:
        return None
    free = recent[gate.max_per_day - 1] + _DAY
    return ClosedTimeGate(
        str(gate), f"{len(recent)} promoted within 24 h, {gate} is allowed; free at {_format_time(free)}", free
    )


def _format_time(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M} UTC"
