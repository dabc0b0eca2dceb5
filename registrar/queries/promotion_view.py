"""Open promotions for people: what is asked, who may still vote, and what is missing."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from registrar.events.states import PromotionState
from registrar.ledger import Connection
from registrar.ledger.disputes import Dispute, dispute
from registrar.ledger.promotions import Promotion
from registrar.ledger.votes import approvals
from registrar.policy import Policy
from registrar.queries.voting import Voting, name, voting


@dataclass(frozen=True)
class PromotionView:
    """An open promotion.

    voting: None where nobody is asked, since it waits for its time, or is approved and under way.
    stale: the policy changed since it was asked for, so the worker counts no approval of it and moves nothing by those
    that it has (worker/promotions/evidence.py). Whether the rest of the evidence still holds, only MLflow knows.
    dispute: why nothing of its model is moved, where that is so.
    """

    promotion: Promotion
    requested_by: str
    voting: Voting | None
    agreed: tuple[str, ...]
    gates: tuple[Mapping[str, Any], ...]
    stale: bool
    dispute: Dispute | None = None

    @property
    def passed(self) -> int:
        return sum(1 for gate in self.gates if gate["passed"])

    def waits_for(self, actor_id: str) -> bool:
        """Return whether this person's approval would count."""
        asked = (
            self.voting
            and self.promotion.state == PromotionState.AWAITING_APPROVAL
            and not (self.stale or self.dispute)
        )
        rules = self.voting.rules if self.voting and asked else ()
        return any(voter.id == actor_id for rule in rules for voter in rule.may)


def promotion_views(
    policy: Policy, connection: Connection, open_: Iterable[Promotion], *, at: datetime
) -> list[PromotionView]:
    """Return views, those that wait for people first, and of these the one that waits longest."""
    found = [promotion_view(policy, connection, one, at=at) for one in open_]
    return sorted(
        found, key=lambda each: (each.promotion.state != PromotionState.AWAITING_APPROVAL, each.promotion.asked_at)
    )


def promotion_view(policy: Policy, connection: Connection, promotion: Promotion, *, at: datetime) -> PromotionView:
    agreed = approvals(connection, promotion.id)
    return PromotionView(
        promotion,
        name(policy, promotion.requested_by),
        voting(policy, promotion, agreed, at=at),
        tuple(name(policy, who) for who, _ in agreed),
        tuple(promotion.evidence.get("gates") or ()),
        _stale(policy, promotion),
        _dispute(connection, promotion),
    )


def _dispute(connection: Connection, promotion: Promotion) -> Dispute | None:
    found = dispute(connection, promotion.model) if promotion.open else None
    return None if found is None or found.moves else found


def _stale(policy: Policy, promotion: Promotion) -> bool:
    """A promotion in the state `waiting` is never stale: its gates are evaluated again when its time comes."""
    bound = promotion.state in (PromotionState.AWAITING_APPROVAL, PromotionState.APPROVED)
    return bound and promotion.evidence.get("policy_digest") != policy.digest(promotion.model)
