"""A version's state by the record, with its copy in MLflow's tags, and the stage that the version counts as in."""

from collections.abc import Mapping

from registrar.ledger import Ledger
from registrar.ledger.version_state import HELD_BACK, Key, StateSet, TagGiven, current, states
from registrar.policy import ModelPolicy, Target
from worker.registry import entities
from worker.registry.entities import Version
from worker.task_context import TaskContext


def recorded(ledger: Ledger, version: Version) -> Mapping[str, str]:
    """Return a version's state by Key, from the record alone: MLflow's tags do not count."""
    with ledger.read() as connection:
        entries = states(connection, version.model, version=version.version)
    return current(entries, version.version, version.created_at)


def set_state(
    context: TaskContext, version: Version, key: Key, value: str | None, *, why: str | None = None
) -> StateSet:
    """Set or remove MLflow's tag. Returns the record for the outcome: it counts, the tag only shows. why: as in
    StateSet.
    """
    tag = version.tags.get(key)
    if value is None and tag is not None:
        context.registry.drop_tag(version.model, version.version, key)
    elif value is not None and tag != entities.cut_tag(value):
        context.registry.set_tag(version.model, version.version, key, entities.cut_tag(value))
    return StateSet(version.model, version.version, version.created_at, key, value, why=why)


def held_back_key(target: Target) -> Key:
    return Key(f"{HELD_BACK}{target.stage}")


def no_longer_held_back(context: TaskContext, version: Version, target: Target) -> tuple[StateSet, ...]:
    """Take away the reasons that held a version back from a target, as it passes now. Returns the records."""
    key = held_back_key(target)
    return (set_state(context, version, key, None),) if key in recorded(context.ledger, version) else ()


def given_tag_records(version: Version, tags: Mapping[str, str]) -> tuple[TagGiven, ...]:
    """Return the records of tags that this event sets; gates read from them who set a tag."""
    about = (version.model, version.version, version.created_at)
    return tuple(TagGiven(*about, name, value) for name, value in tags.items())


def quarantine(context: TaskContext, version: Version, reason: str) -> StateSet:
    """Quarantine a version. Returns the record for the outcome. Repeated with the same reason, it changes nothing."""
    return set_state(context, version, Key.QUARANTINED, _quarantine_text(context, reason))


def undo_quarantine(context: TaskContext, version: Version, reason: str) -> None:
    """Restore the tag where this task quarantined the version and can't record that. version: as read before it."""
    before = version.tags.get(Key.QUARANTINED)
    if before is None or before == entities.cut_tag(_quarantine_text(context, reason)):
        context.registry.drop_tag(version.model, version.version, Key.QUARANTINED)
    else:
        context.registry.set_tag(version.model, version.version, Key.QUARANTINED, before)


def quarantine_reason(ledger: Ledger, version: Version) -> str | None:
    """Return why a version is quarantined, as a sentence for people; None where it is not."""
    reason = recorded(ledger, version).get(Key.QUARANTINED) or version.tags.get(Key.QUARANTINED)
    return f"it is quarantined: {reason}" if reason else None


def _quarantine_text(context: TaskContext, reason: str) -> str:
    return f"{reason} (rolled back on {context.task.accepted_at:%Y-%m-%d %H:%M} UTC by {context.actor_name})"


def holding_key(policy: ModelPolicy, target: Target) -> tuple[str, str]:
    """Return what a version holds in a target, as the record keeps holdings: ("stage", NAME) or ("alias", NAME)."""
    return policy.holding_key(target)


def current_stage(policy: ModelPolicy, version: Version) -> str:
    """Return a version's stage; in the mode `aliases` the stage of the last target whose alias it holds, else "None".

    A version that came from a search lacks its aliases: read it by its number first.
    """
    if policy.mode != "aliases":
        return version.stage
    held = [target.stage for target in policy.targets if target.alias in version.aliases]
    return held[-1] if held else "None"
