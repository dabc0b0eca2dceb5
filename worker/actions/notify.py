"""worker.notify, after each outcome that a route wants: one channel is told one fact."""

from registrar.events.outcome import Fact, Outcome
from registrar.ledger.notification_cards import Posted, posted
from worker.notifications import channels as telling
from worker.notifications import fact_card
from worker.notifications.notifiers import NotApplicable
from worker.task_context import TaskContext


def act(context: TaskContext) -> Outcome:
    told, fact = telling.channel(context, str(context.param("channel"))), Fact(**context.task.args["fact"])
    promotion = fact.details.get("promotion")
    notice = told.notice(context, fact, thread=_thread(context, promotion, told.name))
    try:
        ref = told.notifier.post(notice, context.http, context.encryptor)
    except NotApplicable as reason:
        return Outcome(f"{told.name} was not told of {fact.type}: {reason}")
    kept = (Posted(str(promotion), told.name, ref, fact.to_json()),) if ref and fact_card.is_card(fact) else ()
    return Outcome(f"{told.name} was told: {fact.text}", records=kept)


def _thread(context: TaskContext, promotion: object, channel: str) -> str | None:
    """The first card's: threads have no threads."""
    if not isinstance(promotion, str):
        return None
    with context.ledger.read() as connection:
        cards = posted(connection, promotion, channel)
    return cards[0].ref if cards else None
