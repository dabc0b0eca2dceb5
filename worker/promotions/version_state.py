"""A version's state in the record, its copy in MLflow's tags, and the stage that it counts as being in."""

from collections.abc import Mapping

from registrar.ledger import Ledger
from registrar.ledger.version_state import Key, StateSet, TagGiven, current, states
from registrar.policy import ModelPolicy
from worker.registry import entities
from worker.registry.entities import Version
from worker.task_context import TaskContext


def recorded(ledger: Ledger, version: Version) -> Mapping[str, str]:
    """Return the state by Key. MLflow's tags do not count."""
    with ledger.read() as connection:
        found = states(connection, version.model, version=version.version)
    return current(found, version.version, version.created_at)


def set_state(
    context: TaskContext, version: Version, key: Key, value: str | None, *, why: str | None = None
) -> StateSet:
    """Set or remove MLflow's tag; returns the record, which decides, for the outcome. why: as of StateSet."""
    tagged = version.tags.get(key)
    if value is None and tagged is not None:
        context.registry.drop_tag(version.model, version.version, key)
    elif value is not None and tagged != entities.cut_tag(value):
        context.registry.set_tag(version.model, version.version, key, entities.cut_tag(value))
    return StateSet(version.model, version.version, version.created_at, key, value, why=why)


def given_tag_records(version: Version, tags: Mapping[str, str]) -> tuple[TagGiven, ...]:
    """Return the records of the tags that this event set, by which gates know who set them."""
    about = (version.model, version.version, version.created_at)
    return tuple(TagGiven(*about, name, value) for name, value in tags.items())


def quarantine(context: TaskContext, version: Version, reason: str) -> StateSet:
    """Quarantine a version; returns the record for the outcome. With the same reason again, it changes nothing."""
    return set_state(context, version, Key.QUARANTINED, _quarantine_text(context, reason))


def undo_quarantine(context: TaskContext, version: Version, reason: str) -> None:
    """Restore the tag, where this task quarantined the version and can't record that. version: as read before."""
    before = version.tags.get(Key.QUARANTINED)
    if before is None or before == entities.cut_tag(_quarantine_text(context, reason)):
        context.registry.drop_tag(version.model, version.version, Key.QUARANTINED)
    else:
        context.registry.set_tag(version.model, version.version, Key.QUARANTINED, before)


def quarantine_reason(ledger: Ledger, version: Version) -> str | None:
    """Return a sentence for people, or None where it is not quarantined."""
    reason = recorded(ledger, version).get(Key.QUARANTINED) or version.tags.get(Key.QUARANTINED)
    return f"it is quarantined: {reason}" if reason else None


def _quarantine_text(context: TaskContext, reason: str) -> str:
    return f"{reason} (rolled back on {context.task.accepted_at:%Y-%m-%d %H:%M} UTC by {context.actor_name})"


def current_stage(policy: ModelPolicy, version: Version) -> str:
    """Return the stage; in the mode `aliases` that of the last target whose alias the version holds, else "None".

    A version from a search lacks its aliases: read it by its number first.
    """
    if policy.mode != "aliases":
        return version.stage
    held = [target.stage for target in policy.targets if target.alias in version.aliases]
    return held[-1] if held else "None"
