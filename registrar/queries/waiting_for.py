"""What waits for one person: the count beside "Overview" on every page, and in the title of its tab."""

from dataclasses import dataclass
from datetime import datetime

from registrar.ledger import Connection
from registrar.ledger.disputes import disputes
from registrar.ledger.queries.metrics import count_dead_letters
from registrar.ledger.votes import approvals_of, awaiting_approval
from registrar.policy import Policy
from registrar.policy.access import Role
from registrar.policy.permissions import includes
from registrar.queries.promotion_view import is_stale
from registrar.queries.voting import is_vote_missing

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
    """Return what waits for a person with this role. Takes four statements, whatever the ledger holds."""
    open_disputes = disputes(connection) if includes(role, "approver") else {}
    stopped = {model for model, one in open_disputes.items() if not one.moves}
    operator = includes(role, "operator")
    return WaitingFor(
        _votes(connection, policy, who, stopped, at) if includes(role, "approver") else (),
        count_dead_letters(connection, at_most=MOST) if operator else 0,
        tuple(sorted(open_disputes)) if operator else (),
    )


def _votes(connection: Connection, policy: Policy, who: str, stopped: set[str], at: datetime) -> tuple[str, ...]:
    awaiting = [one for one in awaiting_approval(connection, limit=MOST) if one.model not in stopped]
    agreed = approvals_of(connection, [one.id for one in awaiting])
    return tuple(
        one.id
        for one in awaiting
        if is_vote_missing(policy, one, agreed.get(one.id, []), who, at=at) and not is_stale(policy, one)
    )
