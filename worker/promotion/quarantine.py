"""Versions that were rolled back go nowhere again, whoever asks: their tag says since when and why.

It is a tag so that it is seen where deployment engineers look. Whoever takes it away in MLflow lifts it.
"""

from worker.door import Version
from worker.work import Work

TAG = "registrar.quarantined"


def impose(work: Work, version: Version, reason: str) -> None:
    """Again with the same reason, it changes nothing."""
    said = f"{reason} (rolled back on {work.task.accepted_at:%Y-%m-%d %H:%M} UTC by {work.who})"
    if version.tags.get(TAG) != said:
        work.registry.set_tag(version.model, version.version, TAG, said)


def why(version: Version) -> str | None:
    """The sentence for people, or None where it is free to go."""
    said = version.tags.get(TAG)
    return f"it is quarantined: {said}" if said else None
