"""Versions that were rolled back go nowhere again, whoever asks: the record says since when and why.

MLflow has a tag that says the same, where deployment engineers look. Taken away there, it lifts nothing; that takes a
quarantine.lift. Set there, by hand or by a task that is not at its end yet, it holds a version too.
"""

from registrar.ledger import Ledger
from registrar.ledger.version_state import Key, StateSet
from worker.promotions.version_state import put, recorded
from worker.registry import limits
from worker.registry.protocol import Version
from worker.task_context import TaskContext


def impose(context: TaskContext, version: Version, reason: str) -> StateSet:
    """Again with the same reason, it changes nothing. The record goes into the task's outcome."""
    return put(context, version, Key.QUARANTINED, _said(context, reason))


def take_back(context: TaskContext, version: Version, reason: str) -> None:
    """Give the tag its value of before, where this task imposed a quarantine and can't record it.

    version: as it was read before.
    """
    before = version.tags.get(Key.QUARANTINED)
    if before is None or before == limits.cut(_said(context, reason)):
        context.registry.drop_tag(version.model, version.version, Key.QUARANTINED)
    else:
        context.registry.set_tag(version.model, version.version, Key.QUARANTINED, before)


def why(ledger: Ledger, version: Version) -> str | None:
    """The sentence for people, or None where it is free to go."""
    said = recorded(ledger, version).get(Key.QUARANTINED) or version.tags.get(Key.QUARANTINED)
    return f"it is quarantined: {said}" if said else None


def _said(context: TaskContext, reason: str) -> str:
    return f"{reason} (rolled back on {context.task.accepted_at:%Y-%m-%d %H:%M} UTC by {context.actor_name})"
