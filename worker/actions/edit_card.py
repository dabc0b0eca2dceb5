"""worker.edit_card, after each outcome that ends a promotion: its cards in one channel say so, and lose their buttons.

The whole message is written each time, so once more changes nothing.
"""

from datetime import datetime

from registrar.events.outcome import Fact, Outcome
from registrar.ledger.notification_cards import Card, posted
from worker.notifications import channels as telling
from worker.notifications import fact_card
from worker.registry.protocol import PermanentError
from worker.task_context import TaskContext


def act(context: TaskContext) -> Outcome:
    told, promotion = telling.channel(context, str(context.param("channel"))), str(context.param("promotion"))
    end = fact_card.closing_line(Fact(**context.task.args["fact"]), datetime.fromisoformat(context.param("at")))
    with context.ledger.read() as connection:
        cards = posted(connection, promotion, told.name)
    refused = [why for each in cards if (why := _edit(context, told, each, end))]
    if refused:
        raise PermanentError("; ".join(dict.fromkeys(refused)))
    return Outcome(f"{told.name}: {len(cards)} card(s) of {promotion} say now: {end}")


def _edit(context: TaskContext, told: telling.ChannelBinding, each: Card, end: str) -> str | None:
    """Why one can't be edited: somebody deleted it, perhaps. The others are nevertheless."""
    try:
        told.notifier.edit(told.notice(context, Fact(**each.fact), end=end), each.ref, context.http, context.encryptor)
    except PermanentError as error:
        return str(error)
    return None
