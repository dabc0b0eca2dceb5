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
        """The times exactly, and the part of the table that they can be in: of two bounds the nearer one alone, since
        SQLite looks up the first and reads on to the second.

        number, at: columns of one table, whose rows were written in the order of both.
        """
        found: list[ColumnElement[bool]] = []
        least = [self.after + 1] if self.after is not None else []
        most = [self.before - 1] if self.before is not None else []
        if self.since is not None:
            found.append(at >= self.since)
            least.append(_first_at_or_after(connection, number, at, max(self.since, _EARLIEST) - _SLACK))
        if self.until is not None:
            found.append(at < self.until)
            most.append(_first_at_or_after(connection, number, at, min(self.until, _LATEST) + _SLACK))
        found += [number >= max(least)] if least else []
        return [*found, number <= min(most)] if most else found


def _first_at_or_after(connection: Connection, number: Column[int], at: Column[datetime], sought: datetime) -> int:
    """Return the number of the first row at or after a time, or one beyond the last."""
    # One by one: for both at once SQLite reads all.
    least, most = (connection.execute(select(end(number))).scalar() for end in (func.min, func.max))
    low, high = (least, most + 1) if least is not None and most is not None else (1, 1)
    while low < high:
        middle = (low + high) // 2
        seq, found = connection.execute(select(number, at).where(number >= middle).order_by(number).limit(1)).one()
        if found >= sought:
            high = middle
        else:
            low = seq + 1
    return int(low)
