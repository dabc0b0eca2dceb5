"""Counts the journal forward, in the background, for all processes: what is counted is in the ledger.

A process reads only what nobody has counted yet. Where that is a lot, such as at the first start after an upgrade, one
process takes a lease and the others leave it to it. A reader that dies between two lines has changed nothing, and one
that was overtaken throws its page away (registrar/ledger/metrics_checkpoint.py).
"""

import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Sequence
from dataclasses import replace

from registrar.ledger import Ledger, metrics_checkpoint
from registrar.ledger.engine import TRANSACTION_ERRORS
from registrar.ledger.heartbeats import time_of
from registrar.ledger.journal.stream import StreamedEntry, after
from registrar.ledger.metrics_checkpoint import Checkpoint, advance, claim, release
from registrar.policy import Policy
from webhooks.monitoring.metrics.journal_counter import HANDLED, JournalCounter, subjects_of

log = logging.getLogger(__name__)

# Entries counted at once: some tenths of a second, in which their bodies are in memory.
PAGE = 2000
# Seconds between two looks for new entries while nobody scrapes: so few are left that a scrape finds them counted.
EVERY = 10.0
# Seconds to wait for the present page when the process stops.
_STOP_SECONDS = 5.0


class JournalReader:
    """Counts what is new, in a thread of its own that ends when there is nothing more.

    It runs when somebody scrapes, and every EVERY seconds after start(). Thread-safe. A process may fork before.
    """

    def __init__(self, ledger: Ledger, policy: Policy) -> None:
        self._ledger = ledger
        self._policy = policy
        self._random = uuid.uuid4().hex
        self._starting = threading.Lock()
        self._running: threading.Thread | None = None
        self._stopped = threading.Event()
        self._failed = False

    def start(self) -> None:
        """Look for new entries from now on, scraped or not."""
        threading.Thread(target=self._keep, name="journal metrics", daemon=True).start()

    def stop(self) -> None:
        """Stop after the present page. Blocks for some tenths of a second, longer while the ledger does not answer."""
        self._stopped.set()
        if running := self._running:
            running.join(timeout=_STOP_SECONDS)

    def catch_up(self, *, wait: float = 0.0) -> None:
        """Count what is new in the background, and wait so many seconds at most for the end of it."""
        with self._starting:
            if self._stopped.is_set():
                return
            running = self._running
            if running is None or not running.is_alive():
                running = self._running = threading.Thread(target=self._run, name="journal reader", daemon=True)
                running.start()
        running.join(timeout=wait)

    def step(self) -> bool:
        """Count one page; return whether there are more entries for this process to count. Raises LedgerUnavailable."""
        with self._ledger.read() as connection:
            checkpoint = metrics_checkpoint.current(connection)
            if checkpoint.taken(self._reader, time_of(connection)):
                return False
            is_ours = metrics_checkpoint.counts_this_journal(connection, checkpoint)
            entries = after(connection, checkpoint.seq, limit=PAGE, detailed=HANDLED) if is_ours else []
        if not is_ours:
            return self._restart(checkpoint)
        if not entries and checkpoint.complete and checkpoint.reader is None:
            return False
        more = len(entries) >= PAGE
        if more and checkpoint.reader != self._reader:
            if not self._ledger.written(lambda connection: claim(connection, checkpoint, self._reader)):
                return False
            checkpoint = replace(checkpoint, reader=self._reader)
        return self._count(checkpoint, entries, more=more) and more

    def _count(self, checkpoint: Checkpoint, entries: Sequence[StreamedEntry], *, more: bool) -> bool:
        """Count the entries after a checkpoint; return whether that is stored, as nobody had counted meanwhile."""
        with self._ledger.read() as connection:
            counter = JournalCounter(self._policy, metrics_checkpoint.subjects(connection, subjects_of(entries)))
            for entry in entries:
                counter.count(entry)
            changes = counter.changes(metrics_checkpoint.series(connection, counter.series()))
        last = entries[-1] if entries else checkpoint
        reader = self._reader if more else None
        to = Checkpoint(last.seq, last.hash, complete=checkpoint.complete or not more, reader=reader)
        return self._ledger.written(lambda connection: advance(connection, checkpoint, to, changes))

    def _restart(self, checkpoint: Checkpoint) -> bool:
        log.warning(
            "the journal is not the one that the metrics counted up to entry %d: they are counted anew", checkpoint.seq
        )
        return self._ledger.written(lambda c: metrics_checkpoint.restart(c, checkpoint))

    @property
    def _reader(self) -> str:
        """Return the name of this reader in this process, which may have been forked since."""
        return f"{socket.gethostname()}:{os.getpid()}:{self._random}"

    def _keep(self) -> None:
        self.catch_up()
        while not self._stopped.wait(EVERY):
            self.catch_up()

    def _run(self) -> None:
        """Count to the journal's end. Rest for as long as the CPU was used, for the process's other threads."""
        try:
            began = time.thread_time()
            while self.step() and not self._stopped.wait(time.thread_time() - began):
                began = time.thread_time()
            if self._stopped.is_set():
                self._ledger.written(lambda connection: release(connection, self._reader))
        except TRANSACTION_ERRORS as error:
            if not self._failed:
                log.warning("new entries of the journal are not counted for the metrics: %s", error)
            self._failed = True
        else:
            self._failed = False
