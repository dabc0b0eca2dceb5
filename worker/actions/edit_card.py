"""worker.edit_card, after an outcome that ends a promotion: rewrite its cards in one channel, without buttons.

The whole message is written each time, so a repetition changes nothing.
"""

from datetime import datetime
from typing import cast

from registrar.events.outcome import Fact, Outcome
from registrar.ledger.notification_cards import Card, posted
from worker.notifications import channels, fact_card
from worker.notifications.notifiers import EditableNotifier
from worker.registry.protocol import PermanentError
from worker.task_context import TaskContext


def act(context: TaskContext) -> Outcome:
    channel, promotion = channels.bind(context, str(context.param("channel"))), str(context.param("promotion"))
    end = fact_card.closing_line(context.told_fact(), datetime.fromisoformat(context.param("at")))
    with context.ledger.read() as connection:
        cards = posted(connection, promotion, channel.name)
    errors = [error for card in cards if (error := _edit(context, channel, card, end))]
    if errors:
        raise PermanentError("; ".join(dict.fromkeys(errors)))
    if not cards:
        return Outcome(f"{channel.name} has no card of {promotion} that can be edited; nothing to do")
    return Outcome(f"{channel.name}: {len(cards)} card(s) of {promotion} say now: {end}")


def _edit(context: TaskContext, channel: channels.ChannelBinding, card: Card, end: str) -> str | None:
    """Edit a card. Returns why it can't be edited (somebody may have deleted it), so that the others still are."""
    notification = channel.notification(context, Fact(**card.fact), end=end)
    try:
        cast("EditableNotifier", channel.notifier).edit(notification, card.ref, context.http, context.encryptor)
    except PermanentError as error:
        return str(error)
    return None
