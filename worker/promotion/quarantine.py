"""Versions that were rolled back go nowhere again, whoever asks: their tag says since when and why.

It is a tag so that it is seen where deployment engineers look. Whoever takes it away in MLflow lifts it.
"""

from worker.door import Version
from worker.work import Work

TAG = "registrar.quarantined"


def impose(work: Work, version: Version, reason: str) -> None:
    """Again with the same reason, it changes nothing."""
    said = _said(work, reason)
    if version.tags.get(TAG) != said:
        work.registry.set_tag(version.model, version.version, TAG, said)


def lift(work: Work, version: Version, reason: str) -> None:
    """Take back what this task imposed. version: as it was read before; what it had from elsewhere, it keeps."""
    before = version.tags.get(TAG)
    if before is None or before == _said(work, reason):
        work.registry.drop_tag(version.model, version.version, TAG)
    else:
        work.registry.set_tag(version.model, version.version, TAG, before)


def why(version: Version) -> str | None:
    """The sentence for people, or None where it is free to go."""
    said = version.tags.get(TAG)
    return f"it is quarantined: {said}" if said else None


def _said(work: Work, reason: str) -> str:
    return f"{reason} (rolled back on {work.task.accepted_at:%Y-%m-%d %H:%M} UTC by {work.who})"
