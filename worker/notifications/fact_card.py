"""What people are shown of a fact: its icon and sentence; and as a card, what it takes to decide, or how it ended.

In plain lines: each notifier escapes them for its channel.
"""

from datetime import datetime
from typing import Any

from registrar.config.encryption import Encryptor
from registrar.events import approval_buttons
from registrar.events.outcome import Fact
from worker.notifications import approval_summary
from worker.notifications.notifiers import Notification

# They ask somebody to decide, and carry all that it takes to: their messages are cards.
ASKED = "promotion.awaiting_approval"
ASKING = (ASKED, "promotion.reminder", "promotion.escalated")
# With a promotion in their details they say what became of it: its cards are rewritten.
CLOSING = frozenset(
    {
        "promotion.approved",
        "promotion.broke_glass",
        "promotion.rejected",
        "promotion.cancelled",
        "promotion.expired",
        "promotion.superseded",
        "promotion.void",
        "promotion.failed",
        "model_version.transitioned",
        "model_version.promoted",
        "task.refused",
        "task.failed",
        "task.dead",
        "task.dropped",
    }
)
ICONS = {
    "deployment.failed": "\N{COLLISION SYMBOL}",
    "deployment.requested": "\N{SATELLITE ANTENNA}",
    "deployment.succeeded": "\N{LARGE GREEN CIRCLE}",
    "deployment.timed_out": "\N{ALARM CLOCK}",
    "model.rolled_back": "\N{BLACK LEFT-POINTING DOUBLE TRIANGLE}",
    "model_version.archived": "\N{CARD FILE BOX}",
    "model_version.held_back": "\N{NO ENTRY}",
    "model_version.promoted": "\N{ROCKET}",
    "model_version.pruned": "\N{BROOM}",
    "model_version.registered": "\N{PACKAGE}",
    "model_version.transitioned": "\N{ROCKET}",
    "promotion.approved": "\N{WHITE HEAVY CHECK MARK}",
    "promotion.awaiting_approval": "\N{RAISED HAND}",
    "promotion.broke_glass": "\N{POLICE CARS REVOLVING LIGHT}",
    "promotion.cancelled": "\N{LEFTWARDS ARROW WITH HOOK}",
    "promotion.escalated": "\N{UP-POINTING SMALL RED TRIANGLE}",
    "promotion.expired": "\N{HOURGLASS}",
    "promotion.failed": "\N{WARNING SIGN}",
    "promotion.rejected": "\N{CROSS MARK}",
    "promotion.reminder": "\N{BELL}",
    "promotion.superseded": "\N{BLACK RIGHT-POINTING DOUBLE TRIANGLE}",
    "promotion.void": "\N{CLOCKWISE RIGHTWARDS AND LEFTWARDS OPEN CIRCLE ARROWS}",
    "promotion.waiting": "\N{HOURGLASS WITH FLOWING SAND}",
    "registry.changed_by_hand": "\N{WAVING HAND SIGN}",
    "task.dead": "\N{POLICE CARS REVOLVING LIGHT}",
    "task.dropped": "\N{WASTEBASKET}",
    "task.failed": "\N{WARNING SIGN}",
    "task.refused": "\N{NO ENTRY}",
    "training_run.failed": "\N{WARNING SIGN}",
}
OPEN = "Open in Registrar"  # what a link to the page is called
_OTHER = "\N{INFORMATION SOURCE}"


def is_card(fact: Fact) -> bool:
    return fact.type in ASKING and "promotion" in fact.details


def pressable(notice: Notification) -> bool:
    """Whether it is still to be decided by a press."""
    return is_card(notice.fact) and notice.until is not None


def headline(fact: Fact) -> str:
    icon = _OTHER if fact.details.get("version_known") is False else ICONS.get(fact.type, _OTHER)
    return f"{icon} {fact.text}"


def ended(fact: Fact, at: datetime) -> str:
    """How a promotion ended, by whom and when: it takes the place of the question."""
    return f"{headline(fact)} ({at:%Y-%m-%d %H:%M} UTC)"


def title(notice: Notification) -> str:
    return notice.end or headline(notice.fact)


def parts(notice: Notification) -> list[list[str]]:
    """What a card shows below its title. Of one that has ended, the question too."""
    asked = [approval_summary.bounded([notice.fact.text])] if notice.end else []
    return [*asked, *approval_summary.parts(notice.fact.details)]


def evidence(fact: Fact) -> list[str]:
    return [line for part in approval_summary.parts(fact.details) for line in part]


def sealed(verdict: str, notice: Notification, encryptor: Encryptor, *, place: str | None) -> str:
    """The value of a button, for its source and channel alone. place: the chat's id of the channel, where known."""
    said = said_by_button(verdict, notice, nonce=approval_buttons.nonce(verdict, notice.id))
    return encryptor.encrypt(said, audience=audience(notice, place))


def audience(notice: Notification, place: str | None) -> str:
    """Raises ValueError for a notice whose presses no source takes."""
    if notice.presses is None:
        raise ValueError("a button that no source takes the presses of")
    return notice.presses.at(place)


def said_by_button(verdict: str, notice: Notification, *, nonce: str) -> dict[str, Any]:
    """Of a notice that is pressable: what its button holds, pinned to what is shown. Raises ValueError for another."""
    if notice.until is None:
        raise ValueError("a button without an end")
    fact = notice.fact
    pinned = {"promotion": fact.details["promotion"], "target": fact.details["target"]}
    pinned |= {"model": fact.model, "version": fact.version}
    return approval_buttons.content(verdict, nonce=nonce, until=notice.until, pinned=pinned)


def command(verdict: str, fact: Fact) -> str:
    """What to write where there is no button to press."""
    model = f'"{fact.model}"' if " " in (fact.model or "") else fact.model
    return f"{verdict} {model} {fact.version} {fact.details['target']}"


def in_a_shell(verdict: str, fact: Fact) -> str:
    """What to write where no chat takes an answer."""
    return f"registrar promotions {verdict} {fact.details['promotion']}"
