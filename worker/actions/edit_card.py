"""worker.edit_card, after each outcome that ends a promotion: its cards in one channel say so, and lose their buttons.

The whole message is written each time, so once more changes nothing.
"""

from datetime import datetime

from registrar.events.outcome import Fact, Outcome
from registrar.ledger.notification_cards import Card, posted
from worker.notifications import channel_binding as telling
from worker.notifications import fact_card
from worker.registry.protocol import PermanentError
from worker.task_context import TaskContext


def act(work: TaskContext) -> Outcome:
    told, promotion = telling.channel(work, str(work.given("channel"))), str(work.given("promotion"))
    end = fact_card.ended(Fact(**work.task.args["fact"]), datetime.fromisoformat(work.given("at")))
    with work.ledger.read() as connection:
        cards = posted(connection, promotion, told.name)
    refused = [why for each in cards if (why := _edit(work, told, each, end))]
    if refused:
        raise PermanentError("; ".join(dict.fromkeys(refused)))
    return Outcome(f"{told.name}: {len(cards)} card(s) of {promotion} say now: {end}")


def _edit(work: TaskContext, told: telling.ChannelBinding, each: Card, end: str) -> str | None:
    """Why one can't be edited: somebody deleted it, perhaps. The others are nevertheless."""
    try:
        told.notifier.edit(told.notice(work, Fact(**each.fact), end=end), each.ref, work.http, work.seal)
    except PermanentError as error:
        return str(error)
    return None
