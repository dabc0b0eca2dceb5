"""How deliveries get into the ledger: those that wait in one process share a transaction, and one wait for the disk."""

import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeAlias

from registrar.event import Event
from registrar.ledger import Ledger, LedgerUnavailable
from registrar.ledger.accept import Arrival, Delivery, Receipt, accept_all

# Returns after the commit. Raises DeliveryConflict, LedgerUnavailable.
Accept: TypeAlias = Callable[[Delivery, Sequence[Event], datetime], Receipt]

MOST = 64  # deliveries in one transaction


class _Waiting:
    """One request's thread. It is woken with its answer, or to lead the next group."""

    def __init__(self, arrival: Arrival) -> None:
        self.arrival = arrival
        self.answer: Receipt | Exception | None = None
        self.leads = False
        self._asleep = threading.Lock()
        self._asleep.acquire()

    def wait(self) -> None:
        self._asleep.acquire()

    def wake(self) -> None:
        self._asleep.release()


class GroupCommit:
    """An Accept, shared by all threads. Who finds nobody at work commits at once, alone; who comes meanwhile waits, and
    then one of them commits for all. So an idle receiver adds no waiting, and a busy one no commits.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._lock = threading.Lock()
        self._line: list[_Waiting] = []
        self._led = False

    def __call__(self, delivery: Delivery, events: Sequence[Event], at: datetime) -> Receipt:
        mine = _Waiting(Arrival(delivery, events, at))
        if self._must_wait(mine):
            mine.wait()
        if mine.leads:
            self._lead(mine)
        if isinstance(mine.answer, Receipt):
            return mine.answer
        raise mine.answer or LedgerUnavailable("the thread that committed for this one was stopped")

    def _must_wait(self, mine: _Waiting) -> bool:
        with self._lock:
            self._line.append(mine)
            if self._led:
                return True
            self._led = mine.leads = True
            return False

    def _lead(self, mine: _Waiting) -> None:
        with self._lock:
            group, self._line = self._line[:MOST], self._line[MOST:]
        try:
            self._commit(group)
        finally:
            self._hand_over()
            for one in group:
                if one is not mine:
                    one.wake()

    def _hand_over(self) -> None:
        with self._lock:
            self._led = bool(self._line)
            if self._led:
                self._line[0].leads = True
                self._line[0].wake()

    def _commit(self, group: Sequence[_Waiting]) -> None:
        try:
            with self._ledger.write() as connection:
                answers = accept_all(connection, [one.arrival for one in group])
        except LedgerUnavailable as error:
            for one in group:
                one.answer = LedgerUnavailable(str(error), error.reason)
        except Exception as error:  # noqa: BLE001 (raised in the thread of the one that it is about)
            if len(group) == 1:
                group[0].answer = error
                return
            for one in group:  # what the database can't take of one must not be the others' end
                self._commit([one])
        else:
            for one, answer in zip(group, answers, strict=True):
                one.answer = answer
