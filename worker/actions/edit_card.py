"""worker.edit_card, after an outcome that ends a promotion: rewrite its cards in one channel, without buttons.

The whole message is written each time, so a repetition changes nothing. An edit that is done late, after
that of a later fact, writes the later fact.
"""

from datetime import datetime
from typing import cast

from registrar.events.facts import FactType
from registrar.events.outcome import Fact, Outcome
from registrar.ledger import Connection, promotions
from registrar.ledger.fact_references import load_fact
from registrar.ledger.notification_cards import Card, newest_edit, posted
from worker.notifications import channels, fact_card
from worker.notifications.notifiers import EditableNotifier
from worker.registry.protocol import PermanentError
from worker.task_context import TaskContext

_APPROVED = (FactType.PROMOTION_APPROVED, FactType.PROMOTION_BROKE_GLASS)


def act(context: TaskContext) -> Outcome:
    channel, promotion = channels.bind(context, str(context.param("channel"))), str(context.param("promotion"))
    with context.ledger.read() as connection:
        end = _end(connection, context.task.id, promotion)
        cards = posted(connection, promotion, channel.name)
    errors = [error for card in cards if (error := _edit(context, channel, card, end))]
    if errors:
        raise PermanentError("; ".join(dict.fromkeys(errors)))
    if not cards:
        return Outcome(f"{channel.name} has no card of {promotion} that can be edited; nothing to do")
    return Outcome(f"{channel.name}: {len(cards)} card(s) of {promotion} say now: {end}")


def _end(connection: Connection, task_id: str, promotion_id: str) -> str:
    """Return what the cards are to say: the newest fact that decided or ended the promotion.

    Of an approved promotion that has ended, the edit of the end may be archived with its event; its state is known.
    """
    edit = newest_edit(connection, task_id, promotion_id)
    fact, promotion = load_fact(connection, edit), promotions.get(connection, promotion_id)
    if fact.type in _APPROVED and promotion and not promotion.open:
        return fact_card.state_line(promotion)
    return fact_card.closing_line(fact, datetime.fromisoformat(edit["at"]))


def _edit(context: TaskContext, channel: channels.ChannelBinding, card: Card, end: str) -> str | None:
    """Edit a card. Returns why it can't be edited (somebody may have deleted it), so that the others still are."""
    notification = channel.notification(context, Fact(**card.fact), end=end)
    try:
        cast("EditableNotifier", channel.notifier).edit(notification, card.ref, context.http, context.encryptor)
    except PermanentError as error:
        return str(error)
    return None
