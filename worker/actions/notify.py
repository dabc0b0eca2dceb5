"""worker.notify, for each fact and channel that a route names: post the fact to the channel.

A request that is posted late, when it was decided already, is a card without buttons that says so.
"""

from registrar.events.outcome import Fact, Outcome
from registrar.events.states import PromotionState
from registrar.ledger import promotions
from registrar.ledger.notification_cards import Posted, posted
from worker.notifications import channels, fact_card
from worker.notifications.notifiers import NotApplicable
from worker.task_context import TaskContext


def act(context: TaskContext) -> Outcome:
    channel, fact = channels.bind(context, str(context.param("channel"))), context.told_fact()
    promotion = fact.details.get("promotion")
    thread = _thread(context, promotion, channel.name)
    notification = channel.notification(context, fact, thread=thread, end=_end(context, fact))
    try:
        ref = channel.notifier.post(notification, context.http, context.encryptor)
    except NotApplicable as reason:
        return Outcome(f"{channel.name} was not told of {fact.type}: {reason}")
    cards = (Posted(str(promotion), channel.name, ref, fact.to_json()),) if ref and fact_card.is_card(fact) else ()
    return Outcome(f"{channel.name} was told of {fact.type}", records=cards)


def _thread(context: TaskContext, promotion: object, channel: str) -> str | None:
    """Return the ref of the promotion's first card, which has the thread."""
    if not isinstance(promotion, str):
        return None
    with context.ledger.read() as connection:
        cards = posted(connection, promotion, channel)
    return cards[0].ref if cards else None


def _end(context: TaskContext, fact: Fact) -> str | None:
    """Return the text that closes the card of a promotion that no longer waits for approval."""
    if not fact_card.is_card(fact):
        return None
    with context.ledger.read() as connection:
        promotion = promotions.get(connection, str(fact.details["promotion"]))
    if promotion is None or promotion.state == PromotionState.AWAITING_APPROVAL:
        return None
    return fact_card.state_line(promotion)
