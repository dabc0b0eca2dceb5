"""Find a time in a table by bisection: rows numbered in order of time need no index on the time."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Column, ColumnElement, Connection, func, select

_SLACK = timedelta(hours=1)  # tolerated when clocks are set back
_EARLIEST, _LATEST = datetime(1970, 1, 2, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class TimeBisect:
    """Select rows in [since, until) with numbers above `after` and below `before`. None: no restriction."""

    since: datetime | None = None
    until: datetime | None = None
    after: int | None = None
    before: int | None = None

    def where(self, connection: Connection, number: Column[int], at: Column[datetime]) -> list[ColumnElement[bool]]:
        """Return conditions on the times, and on the numbers between which they can be.

        number, at: columns of one table, whose rows were written in the order of both. On each side there is only the
        narrower bound: with two, SQLite would look up the wider one and read on to the narrower.
        """
        conditions: list[ColumnElement[bool]] = []
        lower = [self.after + 1] if self.after is not None else []
        upper = [self.before - 1] if self.before is not None else []
        if self.since is not None:
            conditions.append(at >= self.since)
            lower.append(_first_at_or_after(connection, number, at, max(self.since, _EARLIEST) - _SLACK))
        if self.until is not None:
            conditions.append(at < self.until)
            upper.append(_first_at_or_after(connection, number, at, min(self.until, _LATEST) + _SLACK))
        conditions += [number >= max(lower)] if lower else []
        return [*conditions, number <= min(upper)] if upper else conditions


def _first_at_or_after(connection: Connection, number: Column[int], at: Column[datetime], time: datetime) -> int:
    """Return the number of the first row at or after a time, or one beyond the last."""
    # One query each: for MIN and MAX in one query, SQLite reads the whole table.
    first, last = (connection.execute(select(end(number))).scalar() for end in (func.min, func.max))
    low, high = (first, last + 1) if first is not None and last is not None else (1, 1)
    while low < high:
        middle = (low + high) // 2
        seq, row_time = connection.execute(select(number, at).where(number >= middle).order_by(number).limit(1)).one()
        if row_time >= time:
            high = middle
        else:
            low = seq + 1
    return int(low)
