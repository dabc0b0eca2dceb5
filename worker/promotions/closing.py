"""End an open promotion, with the fact that says so, or end it to ask for it again."""

from registrar.events.facts import FactType
from registrar.events.outcome import Fact, FollowUp, LedgerChange, Outcome
from registrar.events.states import PromotionState
from registrar.ledger.promotions import Promotion, PromotionStateChanged


def promotion_fact(type_: FactType, promotion: Promotion, text: str, **details: object) -> Fact:
    """Return a fact about a promotion, which names it and its target beside the details."""
    about = {"promotion": promotion.id, "target": promotion.target, **details}
    return Fact(type_, text, promotion.model, promotion.version, about)


def end_promotion(
    promotion: Promotion, state: PromotionState, type_: FactType, text: str, reason: str | None, *records: LedgerChange
) -> Outcome:
    """Return the outcome that ends a promotion. reason: as the record keeps it. records: for the same commit."""
    changed = PromotionStateChanged(promotion.id, state, reason)
    return Outcome(text, facts=(promotion_fact(type_, promotion, text),), records=(*records, changed))


def request_again(promotion: Promotion, why: str, *records: LedgerChange) -> Outcome:
    """Return the outcome that supersedes a promotion and asks for it again. records: for the same commit."""
    text = f"{why}: it is asked for again"
    ended = end_promotion(promotion, PromotionState.SUPERSEDED, FactType.PROMOTION_VOID, text, text, *records)
    args = {"version": promotion.version, "target": promotion.target, "requested_by": promotion.requested_by}
    return Outcome(text, ended.facts, (FollowUp("worker.request", args),), ended.records)


def changed_reason(promotion: Promotion, what: str) -> str:
    """Return why an approval does not hold, for people. what: what changed."""
    return f"{what} changed since {promotion} was asked for"
