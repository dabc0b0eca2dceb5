"""What waits for one person: the count beside "Overview" on every page, and in the title of its tab."""

from dataclasses import dataclass
from datetime import datetime

from registrar.ledger import Connection
from registrar.ledger.disputes import disputes
from registrar.ledger.queries.metrics import count_dead_letters
from registrar.ledger.votes import awaiting_approval
from registrar.policy import Policy
from registrar.policy.access import Role
from registrar.policy.permissions import includes
from registrar.queries import promotion_list

MOST = 200  # promotions, and dead letters, that are looked at


@dataclass(frozen=True)
class WaitingFor:
    """promotions: ids of those that this person's approval would bring nearer. dead_letters: MOST at most. disputes:
    models; both for an operator alone, who settles them.
    """

    promotions: tuple[str, ...]
    dead_letters: int
    disputes: tuple[str, ...]

    @property
    def count(self) -> int:
        return len(self.promotions) + self.dead_letters + len(self.disputes)

    @property
    def shown(self) -> str:
        """The count for people: "3", or "200+" where there may be more."""
        return f"{self.count}{'+' if MOST in (len(self.promotions), self.dead_letters) else ''}"


def waiting_for(connection: Connection, policy: Policy, who: str, role: Role, *, at: datetime) -> WaitingFor:
    """Return what waits for a person with this role. Takes five statements at most, whatever the ledger holds."""
    if not includes(role, "approver"):
        return WaitingFor((), 0, ())
    awaiting = awaiting_approval(connection, limit=MOST)
    votes = tuple(one.id for one in promotion_list.waiting_for(connection, policy, awaiting, who, at=at))
    if not includes(role, "operator"):
        return WaitingFor(votes, 0, ())
    return WaitingFor(votes, count_dead_letters(connection, at_most=MOST), tuple(sorted(disputes(connection))))
