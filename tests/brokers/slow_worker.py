"""A worker whose `report` takes a while, and which waits less for it when it stops.

python -m tests.brokers.slow_worker SECONDS
"""

import sys
import time

from worker import __main__ as worker
from worker import closing
from worker.actions import report
from worker.work import Work

closing.DRAIN, closing.HAND_BACK = 1.0, 3.0
act = report.act


def slowly(work: Work) -> object:
    time.sleep(float(sys.argv[1]))
    return act(work)


report.act = slowly
worker.main(["run"])
