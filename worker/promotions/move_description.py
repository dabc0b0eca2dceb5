"""The line about a move in a version's description."""

from worker.registry import entities
from worker.registry.entities import Version
from worker.registry.protocol import RegistryError
from worker.task_context import TaskContext

MAX_LINES = 20  # lines about moves; older ones are dropped


def move_line(context: TaskContext, version: Version, stage: str) -> str:
    """Return the line, the same on every attempt: it has the event's time."""
    at = context.task.accepted_at
    return f"version {version.version} was transitioned to {stage} on {at:%Y-%m-%d %H:%M} UTC by {context.actor_name}"


def describe_move(context: TaskContext, version: Version, line: str) -> tuple[Version | None, str | None]:
    """Add a line to the version's description. Returns the version as it is then, or None where nothing was written;
    and why the line could not be added, for people, or None.
    """
    text = _with_line(version.description, line)
    if text == version.description:
        return None, None
    if len(text) > entities.MAX_DESCRIPTION:
        return None, f"it has no room left, MLflow keeps {entities.MAX_DESCRIPTION:,} characters"
    try:
        return context.registry.set_description(version.model, version.version, text), None
    except RegistryError as error:
        if not context.ends(error):
            raise
        return None, str(error)


def remove_line(context: TaskContext, version: Version, line: str) -> bool:
    """Remove the line again. version: as it is now. Returns whether it was there."""
    lines = version.description.split("\n")
    if line not in lines:
        return False
    text = "\n".join(each for each in lines if each != line)
    context.registry.set_description(version.model, version.version, text)
    return True


def _with_line(description: str, line: str) -> str:
    """Return a description with a line about a move. The oldest lines about moves make room, never people's text."""
    lines = [old for old in description.split("\n") if old]
    if line in lines:
        return description
    moves = [old for old in lines if " was transitioned to " in old]
    dropped = set(moves[: max(0, len(moves) + 1 - MAX_LINES)])
    kept = [*(old for old in lines if old not in dropped), line]
    for old in moves:
        if len("\n".join(kept)) <= entities.MAX_DESCRIPTION:
            break
        kept = [each for each in kept if each != old]
    return "\n".join(kept)
