"""How deliveries get into the ledger: those of one batch share a transaction, and one wait for the disk."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeAlias

from registrar.event import Event
from registrar.ledger import Ledger, LedgerUnavailable
from registrar.ledger.accept import Arrival, Delivery, Receipt, prepared
from webhooks.crew import together

# Returns after the commit. Raises DeliveryConflict, LedgerUnavailable.
Accept: TypeAlias = Callable[[Delivery, Sequence[Event], datetime], Receipt]


class GroupCommit:
    """An Accept, shared by all threads."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def __call__(self, delivery: Delivery, events: Sequence[Event], at: datetime) -> Receipt:
        return together(self._commit, Arrival(delivery, events, at))

    def _commit(self, group: Sequence[Arrival]) -> Sequence[Receipt | Exception]:
        try:
            return self._ledger.written(prepared(group, self._ledger.engine.dialect.name))
        except LedgerUnavailable as error:
            return [LedgerUnavailable(str(error), error.reason) for _ in group]
        except Exception as error:  # noqa: BLE001 (raised for the one that it is about)
            if len(group) == 1:
                return [error]
            # What the database can't take of one must not be the others' end.
            return [answer for one in group for answer in self._commit([one])]
