"""A worker that lacks one of the four things that keep the promises: the harness must find out.

python -m tests.chaos.without lease | sweep | look-first | lane-order
"""

import sys
from collections.abc import Callable, Mapping

from sqlalchemy import false

from registrar.ledger import tasks
from worker import lease, run
from worker import tasks as celery_side
from worker.actions import register


def _lease() -> None:
    """Who lost a task goes on with it, and ends it. `_held` alone would still refuse the end."""
    lease.Lease.renew = lambda self: None  # type: ignore[method-assign]
    tasks._held = lambda task: tasks.tasks.c.id == task.id


def _sweep() -> None:
    celery_side.tasks.sweep = lambda connection, **_: []  # type: ignore[assignment]


def _look_first() -> None:
    register._registered = lambda work, run, source: None


def _lane_order() -> None:
    tasks._blocked = false


WITHOUT: Mapping[str, Callable[[], None]] = {
    "lease": _lease,
    "sweep": _sweep,
    "look-first": _look_first,
    "lane-order": _lane_order,
}

if __name__ == "__main__":
    WITHOUT[sys.argv[1]]()
    run.main()
