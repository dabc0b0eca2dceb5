"""Completes commands that name no version (registrar/queries/omitted_version.py) before they are committed.

A command that is repeated means what it meant the first time, whatever happened since.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from registrar.events.event import Event
from registrar.events.left_out import is_left_out
from registrar.ledger import Ledger
from registrar.ledger.deliveries import known
from registrar.ledger.engine import now
from registrar.ledger.event_rows import Delivery
from registrar.ledger.queries import event_status
from registrar.policy import Policy
from registrar.queries.omitted_version import VersionInDoubt, complete
from webhooks.ingress import validation
from webhooks.ingress.errors import VersionUnclear
from webhooks.ingress.validation import clean

_LONGEST = 1000


@dataclass(frozen=True)
class VersionFinder:
    """One per app; thread-safe. Blocks: it reads the ledger."""

    ledger: Ledger
    policy: Policy

    def is_known(self, delivery: Delivery) -> bool:
        """Return whether a delivery was accepted before. Raises DeliveryConflict, LedgerUnavailable."""
        with self.ledger.read() as connection:
            return known(connection, delivery) is not None

    def completed(
        self, delivery: Delivery, event: Event, *, may_name: Callable[[str], bool] = lambda name: True
    ) -> Event:
        """Return the event with the version that it means. may_name: as for omitted_version.complete.

        Raises VersionUnclear, DeliveryConflict, LedgerUnavailable.
        """
        if not is_left_out(event.data):
            return event
        with self.ledger.read() as connection:
            if first := known(connection, delivery):
                written = event_status.event(connection, first.events[0][0])
                # None: it is in an archive file. Then it stays as it is: nothing of a repetition is written.
                return replace(event, data=validation.data(written["type"], written["data"])) if written else event
            try:
                data = complete(connection, self.policy, event.data, at=now(), may_name=may_name)
            except VersionInDoubt as error:
                detail = clean(str(error), length=_LONGEST)
                raise VersionUnclear(detail, errors=[{"field": "data.version", "message": detail}]) from None
        return replace(event, data=data)
