"""Our worker on another pool, or with another number at a time: `python -m tests.bench.peers.worker POOL NUMBER`."""

import sys
import threading
from typing import Any

from celery.signals import worker_process_init

from registrar.config.settings import Settings
from registrar.ledger import Ledger
from registrar.policy import Policy
from worker import app
from worker.context import WorkerContext


def main() -> None:
    pool, concurrency = sys.argv[1:]
    build, arguments = app.build, app._arguments
    app.CONCURRENCY = int(concurrency)

    def forked(settings: Settings, policy: Policy, ledger: Ledger) -> WorkerContext:
        """What a child may not share with its parent: the connections, and a lock that somebody held at the fork."""

        def begin(**_: Any) -> None:
            ledger.engine.dispose(close=False)
            ledger._turn = threading.Lock() if ledger._turn else None

        worker_process_init.connect(begin, weak=False)
        return build(settings, policy, ledger)

    app.build = forked
    app._arguments = lambda *given: [word.replace("--pool=threads", f"--pool={pool}") for word in arguments(*given)]
    app.main()


if __name__ == "__main__":
    main()
