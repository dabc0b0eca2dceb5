"""Open promotions for people: the request, who may still vote, and which approvals are missing."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from registrar.events.states import PromotionState
from registrar.ledger import Connection
from registrar.ledger.disputes import Dispute, dispute, disputes
from registrar.ledger.promotions import Promotion
from registrar.ledger.votes import approvals, approvals_of
from registrar.policy import Policy
from registrar.queries.voting import Voting, name, voting


@dataclass(frozen=True)
class PromotionView:
    """An open promotion.

    voting: None where nobody is asked: it waits for a time gate, or is approved and under way.
    stale: the policy changed since the request, so the worker counts no further approval, and those that it has move
    nothing (worker/promotions/evidence.py). Only MLflow knows whether the rest of the evidence still holds.
    approvals: (approver, time) of those that counted. dispute: why no version of the model is moved; None: versions are
    moved.
    """

    promotion: Promotion
    requested_by: str
    voting: Voting | None
    agreed: tuple[str, ...]
    gates: tuple[Mapping[str, Any], ...]
    stale: bool
    dispute: Dispute | None = None
    approvals: tuple[tuple[str, datetime], ...] = ()

    @property
    def passed(self) -> int:
        return sum(1 for gate in self.gates if gate["passed"])

    def waits_for(self, actor_id: str) -> bool:
        """Return whether this person's approval would bring it nearer: as voting.fills_a_seat says of one person."""
        may_vote = (
            self.voting
            and self.promotion.state == PromotionState.AWAITING_APPROVAL
            and not (self.stale or self.dispute)
        )
        rules = self.voting.rules if self.voting and may_vote else ()
        return any(voter.id == actor_id for rule in rules if rule.missing for voter in rule.may)


def promotion_views(
    policy: Policy, connection: Connection, open_: Iterable[Promotion], *, at: datetime
) -> list[PromotionView]:
    """Return views: first those that wait for approvers, the longest wait first."""
    listed = list(open_)
    agreed = approvals_of(connection, [one.id for one in listed])
    disputed = disputes(connection) if listed else {}
    views = [_view(policy, one, agreed[one.id], disputed.get(one.model), at=at) for one in listed]
    return sorted(
        views, key=lambda each: (each.promotion.state != PromotionState.AWAITING_APPROVAL, each.promotion.asked_at)
    )


def promotion_view(policy: Policy, connection: Connection, promotion: Promotion, *, at: datetime) -> PromotionView:
    disputed = dispute(connection, promotion.model) if promotion.open else None
    return _view(policy, promotion, approvals(connection, promotion.id), disputed, at=at)


def _view(
    policy: Policy,
    promotion: Promotion,
    agreed: Sequence[tuple[str, datetime]],
    disputed: Dispute | None,
    *,
    at: datetime,
) -> PromotionView:
    return PromotionView(
        promotion,
        name(policy, promotion.requested_by),
        voting(policy, promotion, agreed, at=at),
        tuple(name(policy, who) for who, _ in agreed),
        tuple(promotion.evidence.get("gates") or ()),
        _stale(policy, promotion),
        disputed if promotion.open and disputed and not disputed.moves else None,
        tuple(agreed),
    )


def _stale(policy: Policy, promotion: Promotion) -> bool:
    """A promotion in the state `waiting` is never stale: its gates are evaluated again when its time comes."""
    is_bound = promotion.state in (PromotionState.AWAITING_APPROVAL, PromotionState.APPROVED)
    return is_bound and promotion.evidence.get("policy_digest") != policy.digest(promotion.model)
