"""A worker one of whose actions takes a while, and which waits less for it when it stops.

python -m tests.slow.brokers.slow_worker ACTION SECONDS
"""

import importlib
import sys
import time
from typing import Any

from worker import __main__ as worker
from worker import shutdown
from worker.task_context import TaskContext

shutdown.DRAIN, shutdown.RELEASE_AFTER = 1.0, 3.0
action: Any = importlib.import_module(f"worker.actions.{sys.argv[1]}")
act = action.act


def slowly(work: TaskContext) -> object:
    time.sleep(float(sys.argv[2]))
    return act(work)


action.act = slowly
worker.main(["run"])
