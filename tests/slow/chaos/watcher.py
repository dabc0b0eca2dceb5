"""How long it took, by the harness's own clock: the parts' clocks are among the things that are broken."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy import func, select

from registrar.ledger import Ledger, LedgerUnavailable
from registrar.ledger.tables import tasks
from tests.slow.chaos.fleet import Fleet


@dataclass
class Watcher:
    """done: when the last task of an event was seen to be finished, of time.monotonic()."""

    ledger: Ledger
    fleet: Fleet
    done: dict[str, float] = field(default_factory=dict)
    _closing: threading.Event = field(default_factory=threading.Event)

    def open_events(self) -> set[str]:
        query = select(tasks.c.event_id).where(tasks.c.state.in_(("queued", "running"))).distinct()
        with self.ledger.read() as connection:
            return set(connection.execute(query).scalars())

    def tasks_done(self) -> int:
        query = select(func.count()).select_from(tasks).where(tasks.c.state.not_in(("queued", "running")))
        with self.ledger.read() as connection:
            return connection.execute(query).scalar_one()

    def look(self) -> int:
        """How many events are open."""
        sent = [one.event_id for one in self.fleet.acknowledged]
        still = self.open_events()
        for event_id in sent:
            if event_id not in still:
                self.done.setdefault(event_id, time.monotonic())
        return len(still)

    @property
    def longest(self) -> float:
        """Seconds from an acknowledgement to the end of all that came of it."""
        ended = [(one, self.done.get(one.event_id, time.monotonic())) for one in self.fleet.acknowledged]
        return max((at - one.at for one, at in ended), default=0.0)

    def run(self) -> None:
        while not self._closing.wait(1):
            try:
                self.look()
            except LedgerUnavailable:
                continue

    def close(self) -> None:
        self._closing.set()


@contextmanager
def watcher(ledger: Ledger, fleet: Fleet) -> Iterator[Watcher]:
    made = Watcher(ledger, fleet)
    thread = threading.Thread(target=made.run, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        made.close()
        thread.join()
