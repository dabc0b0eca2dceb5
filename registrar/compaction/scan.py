"""The interface of the two kinds of archive files: scan, read and delete rows."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

from sqlalchemy import Connection

Line: TypeAlias = dict[str, Any]


@dataclass(frozen=True)
class Candidate:
    """A row to archive. key: an event's id or a rejection's seq. at: the time from which its age counts."""

    key: str | int
    at: datetime
    tasks: int = 0

    @property
    def month(self) -> str:
        return f"{self.at:%Y-%m}"


@dataclass(frozen=True)
class Scan:
    """Some rows, in order. next: the seq after which to go on; None: no later row is old enough.

    kept: why others that are old enough stay, and how many.
    """

    chosen: Sequence[Candidate]
    next: int | None
    kept: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Kind:
    """A kind of archive files.

    look(connection, after, cutoff) goes through the table. lines(connection, keys, lock=) reads what is still there, by
    key, in order. key says which one a line is. delete(connection, lines, archive_seq) takes it away.
    """

    name: str
    look: Callable[[Connection, int, datetime], Scan]
    lines: Callable[..., dict[Any, Line]]
    key: Callable[[Line], str | int]
    delete: Callable[[Connection, Sequence[Line], int], None]
