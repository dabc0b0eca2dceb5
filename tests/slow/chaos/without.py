"""A worker that lacks one of the four things that keep the promises: the harness must find out.

python -m tests.slow.chaos.without lease | sweep | look-first | lane-order
"""

import sys
from collections.abc import Callable, Mapping
from unittest.mock import patch

from sqlalchemy import bindparam, false

from registrar.ledger import predicates, tables, task_dispatch
from worker import app, lease
from worker.actions import register


def _take(owner: object, name: str, by: object) -> None:
    """Not by assignment, which would make a name that the worker no longer has, and take nothing away."""
    patch.object(owner, name, by).start()


def _lease() -> None:
    """Who lost a task goes on with it, and ends it. `is_held` alone would still refuse the end."""
    _take(lease.Lease, "renew", lambda self: None)
    _take(predicates, "is_held", lambda: tables.tasks.c.id == bindparam("task_id"))


def _sweep() -> None:
    _take(task_dispatch, "sweep", lambda connection, **_: [])


def _look_first() -> None:
    _take(register, "find_registered", lambda *_: None)


def _lane_order() -> None:
    _take(predicates, "is_blocked", false)


WITHOUT: Mapping[str, Callable[[], None]] = {
    "lease": _lease,
    "sweep": _sweep,
    "look-first": _look_first,
    "lane-order": _lane_order,
}

if __name__ == "__main__":
    WITHOUT[sys.argv[1]]()
    app.main()
