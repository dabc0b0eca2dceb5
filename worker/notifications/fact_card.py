"""Render a fact for people: its icon and sentence; on a card also the summary to decide by, and the buttons.

The lines are plain: each notifier escapes them for its channel.
"""

from datetime import datetime
from typing import Any

from registrar.config.encryption import Encryptor
from registrar.events import approval_buttons
from registrar.events.facts import FactTraits, FactType, traits
from registrar.events.outcome import Fact
from registrar.ledger.promotions import Promotion
from worker.notifications import approval_summary
from worker.notifications.notifiers import Notification
from worker.promotions.instructions import chat_command

# Facts that ask for a decision: their messages are cards.
ASKING = (FactType.PROMOTION_AWAITING_APPROVAL, FactType.PROMOTION_REMINDER, FactType.PROMOTION_ESCALATED)
OPEN = "Open in Registrar"  # the text of a link to the dashboard


def is_card(fact: Fact) -> bool:
    return fact.type in ASKING and "promotion" in fact.details


def is_pressable(notification: Notification) -> bool:
    """Return whether the card still has buttons."""
    return is_card(notification.fact) and notification.until is not None


def headline(fact: Fact) -> str:
    known = fact.details.get("version_known") is not False
    return f"{(traits(fact.type) if known else FactTraits()).icon} {fact.text}"


def closing_line(fact: Fact, at: datetime) -> str:
    """Return the line that says how and when a promotion ended: it replaces the question on its card."""
    return f"{headline(fact)} ({at:%Y-%m-%d %H:%M} UTC)"


def state_line(promotion: Promotion) -> str:
    """Return the line of a card whose promotion needs no decision any more, where the fact of that is not known."""
    return f"{FactTraits().icon} {promotion} no longer waits for approval: {promotion.state}"


def title(notification: Notification) -> str:
    return notification.end or headline(notification.fact)


def parts(notification: Notification) -> list[list[str]]:
    """Return a card's parts below its title; on a closed card, the question is one of them."""
    question = [approval_summary.bounded([notification.fact.text])] if notification.end else []
    return [*question, *approval_summary.parts(notification.fact.details)]


def evidence(fact: Fact) -> list[str]:
    return [line for part in approval_summary.parts(fact.details) for line in part]


def encrypted_button(verdict: str, notification: Notification, encryptor: Encryptor, *, place: str | None) -> str:
    """Return the value of a button, which only its source and channel can use. place: the chat's id of the channel,
    where known.
    """
    content = button_content(verdict, notification, nonce=approval_buttons.nonce(verdict, notification.id))
    return encryptor.encrypt(content, audience=audience(notification, place))


def audience(notification: Notification, place: str | None) -> str:
    """Return the source and channel that buttons are for. Raises ValueError where no source takes their presses."""
    if notification.button_audience is None:
        raise ValueError("a button that no source takes the presses of")
    return notification.button_audience.at(place)


def button_content(verdict: str, notification: Notification, *, nonce: str) -> dict[str, Any]:
    """Return a button's content, which binds it to the card's version and promotion. Raises ValueError for a card that
    is not pressable.
    """
    if notification.until is None:
        raise ValueError("a button without an end")
    fact = notification.fact
    pinned = {"promotion": fact.details["promotion"], "target": fact.details["target"]}
    pinned |= {"model": fact.model, "version": fact.version}
    return approval_buttons.content(verdict, nonce=nonce, until=notification.until, pinned=pinned)


def command(verdict: str, fact: Fact) -> str:
    """Return the chat command that does the same as a button."""
    return chat_command(verdict, fact.model or "", fact.version or 0, fact.details["target"])


def shell_command(verdict: str, fact: Fact) -> str:
    """Return the command line that does the same as a button."""
    return f"registrar promotions {verdict} {fact.details['promotion']}"
