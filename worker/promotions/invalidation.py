"""An approval holds for what was shown. When that changed, it is void, told, and asked for again in the same name."""

from registrar.events.outcome import Fact, FollowUp, LedgerChange, Outcome
from registrar.ledger.promotions import Promotion, PromotionStateChanged


def outcome(promotion: Promotion, why: str, *records: LedgerChange) -> Outcome:
    """records: what belongs into the same commit."""
    text = f"{why}: it is asked for again"
    step = {"version": promotion.version, "target": promotion.target}
    again = FollowUp("worker.request", {**step, "requested_by": promotion.requested_by})
    fact = Fact(
        "promotion.void",
        text,
        promotion.model,
        promotion.version,
        {"promotion": promotion.id, "target": promotion.target},
    )
    return Outcome(text, (fact,), (again,), (*records, PromotionStateChanged(promotion.id, "superseded", text)))


def changed(promotion: Promotion, what: str) -> str:
    """The reason in the words of people."""
    return f"{what} changed since {promotion} was asked for"
