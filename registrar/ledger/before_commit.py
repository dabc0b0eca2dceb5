"""Do right before the commit what takes a lock that other writers wait for, so that they wait for that alone."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection

_KEY = "before_commit"  # of the work in Connection.info

Work = Callable[[Connection, Sequence[Any]], None]


@contextmanager
def collecting(connection: Connection) -> Iterator[None]:
    """Collect what is deferred in this block, and do it at the end; nothing after an error."""
    connection.info[_KEY] = {}
    try:
        yield
        flush(connection)
    finally:
        del connection.info[_KEY]


def defer(connection: Connection, work: Work, item: Any) -> None:
    """Have `work` done with this and later items before the commit.

    It is done at once where nobody collects, and in a savepoint, whose rollback it must share.
    """
    collected: dict[Work, list[Any]] | None = connection.info.get(_KEY)
    if collected is None or connection.in_nested_transaction():
        work(connection, [item])
    else:
        collected.setdefault(work, []).append(item)


def flush(connection: Connection) -> None:
    """Do now what was deferred, for a reader in the same transaction."""
    collected: dict[Work, list[Any]] = connection.info.get(_KEY) or {}
    while collected:
        work = next(iter(collected))
        work(connection, collected.pop(work))
