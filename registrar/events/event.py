"""Events: requests and reports, in one shape for all senders."""

from dataclasses import dataclass
from datetime import datetime

from registrar.events.types import Data


@dataclass(frozen=True)
class Actor:
    """The author of an event.

    id: a person of registrar.yml (`ada`), a source (`source:ci`), or an account of no person there (`slack:T1/U9`),
    which may do nothing that needs a group.
    """

    id: str
    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Event:
    """A verified, valid event, not yet in the ledger.

    reply_to: the encrypted address (registrar.config.encryption) for the answer to its author; None: there is none.
    """

    data: Data
    actor: Actor
    occurred_at: datetime
    reply_to: str | None = None

    @property
    def type(self) -> str:
        return self.data.type
