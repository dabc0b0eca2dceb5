"""How a delivery gets into the ledger. One commit each; a group commit would take the place of this function."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeAlias

from registrar.event import Event
from registrar.ledger import Ledger
from registrar.ledger.accept import Delivery, Receipt, accept

# Returns after the commit. Raises DeliveryConflict, LedgerUnavailable.
Accept: TypeAlias = Callable[[Delivery, Sequence[Event], datetime], Receipt]


def one_each(ledger: Ledger) -> Accept:
    """Each delivery in a transaction of its own."""

    def commit(delivery: Delivery, events: Sequence[Event], at: datetime) -> Receipt:
        with ledger.write() as connection:
            return accept(connection, delivery, events, at=at)

    return commit
