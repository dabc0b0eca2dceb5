"""worker.notify, for each fact and channel that a route names: post the fact to the channel."""

from registrar.events.outcome import Outcome
from registrar.ledger.notification_cards import Posted, posted
from worker.notifications import channels, fact_card
from worker.notifications.notifiers import NotApplicable
from worker.task_context import TaskContext


def act(context: TaskContext) -> Outcome:
    channel, fact = channels.bind(context, str(context.param("channel"))), context.told_fact()
    promotion = fact.details.get("promotion")
    notification = channel.notification(context, fact, thread=_thread(context, promotion, channel.name))
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
