"""Route an outcome to channels, to the cards of a promotion that it decides, and to the person who asked."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from registrar.config.encryption import Encryptor
from registrar.events.facts import traits
from registrar.events.outcome import Fact, FollowUp, Outcome
from registrar.events.states import TaskState
from registrar.events.types import VOCABULARY
from registrar.ledger import Ledger
from registrar.ledger.fact_references import reference
from registrar.ledger.notification_cards import EDIT, POST, channels_with_cards
from registrar.ledger.tasks import Task
from registrar.plugins import UnknownKind, load
from registrar.policy import Policy
from worker.notifications import fact_card
from worker.promotions import deployment_gate_response


def notification_tasks(
    ledger: Ledger, policy: Policy, outcome: Outcome, *, task: Task, state: TaskState | None, at: datetime
) -> list[FollowUp]:
    """Return a task per fact and channel, in a lane of channel and model: in order, and blocking nothing else.

    task: whose outcome it is. state: how it ends; None: it goes on, and its facts are not stored with it. The ledger is
    read for facts that decide or end a promotion. Raises LedgerUnavailable.
    """
    return [
        step
        for nth, fact in enumerate(outcome.facts)
        for told in [reference(fact, task_id=task.id, nth=nth, state=state)]
        for step in (*_notify_tasks(policy, fact, told), *_edit_card_tasks(ledger, policy, fact, told, at))
    ]


def _notify_tasks(policy: Policy, fact: Fact, told: Mapping[str, Any]) -> list[FollowUp]:
    card = {"promotion": fact.details["promotion"]} if fact_card.is_card(fact) else {}
    return [
        FollowUp(POST, {"channel": to, **told, **card}, lane=_lane(to, fact))
        for to in dict.fromkeys([*policy.channels_for(fact.type, fact.model), *fact.to])
    ]


def _edit_card_tasks(
    ledger: Ledger, policy: Policy, fact: Fact, told: Mapping[str, Any], at: datetime
) -> list[FollowUp]:
    """Return the tasks that edit the promotion's cards, for every channel that has one, whatever the routes are now; in
    the lane, each runs after the tasks that post cards.
    """
    promotion = fact.details.get("promotion")
    if traits(fact.type).promotion is None or not promotion:
        return []
    lanes = {name: _lane(name, fact) for name, channel in policy.channels.items() if _can_edit(channel.kind)}
    if not lanes:
        return []
    with ledger.read() as connection:
        channels = channels_with_cards(connection, promotion, lanes)
    args = {"promotion": promotion, **told, "at": at.isoformat()}
    return [FollowUp(EDIT, {**args, "channel": to}, lane=lanes[to]) for to in channels]


def _lane(channel: str, fact: Fact) -> str:
    return f"notify:{channel}:{fact.model or ''}"


def _can_edit(kind: str) -> bool:
    try:
        return hasattr(load("worker.notifications.notifiers", kind), "edit")
    except UnknownKind:  # the notify task of that channel fails with this
        return False


def reply_tasks(encryptor: Encryptor, task: Task, text: str, *, for_other_task: bool = False) -> list[FollowUp]:
    """Return the reply to an event, from its first task alone; none where a deployment waits for the promotion's end.

    for_other_task: another event's task replies, because this one never runs.
    """
    if task.reply_to is None or not task.first or task.name != VOCABULARY[task.event_type].task:
        return []
    if deployment_gate_response.is_awaited(task, encryptor):
        return []
    to = {"to": task.reply_to, "source": task.source, "who": task.actor_name} if for_other_task else {}
    return [FollowUp("worker.reply", {"text": text, **to}, lane=f"reply:{task.event_id}")]
