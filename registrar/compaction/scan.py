"""What the two kinds of archives have in common: what is chosen, read, and deleted."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

from sqlalchemy import Connection

Line: TypeAlias = dict[str, Any]


@dataclass(frozen=True)
class Candidate:
    """A row that may go. key: an event's id, a refusal's number. at: what its age is counted from."""

    key: str | int
    at: datetime
    tasks: int = 0

    @property
    def month(self) -> str:
        return f"{self.at:%Y-%m}"


@dataclass(frozen=True)
class Scan:
    """Some rows, in their order. next: the number to go on after; None: nothing further on is old enough.

    kept: why others that are old enough stay, and how many.
    """

    chosen: Sequence[Candidate]
    next: int | None
    kept: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Kind:
    """What goes into files of one kind.

    look(connection, after, cutoff) goes through the table. lines(connection, keys, lock=) reads what is still there, by
    key, in order. key says which one a line is. delete(connection, lines, archive_seq) takes it away.
    """

    name: str
    look: Callable[[Connection, int, datetime], Scan]
    lines: Callable[..., dict[Any, Line]]
    key: Callable[[Line], str | int]
    delete: Callable[[Connection, Sequence[Line], int], None]
