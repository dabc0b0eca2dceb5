"""The space that old versions take. MLflow deletes only entries: their files are left to `mlflow gc`."""

from worker.promotions.evidence import EvaluationContext
from worker.registry.protocol import PermanentError, Version
from worker.retention.survey import RetentionDecision


def sizes(
    context: EvaluationContext, decisions: list[RetentionDecision], everything: list[RetentionDecision]
) -> dict[int, int | None]:
    """Return the bytes of the versions' files, by version; None where they can't be counted.

    Files that several versions share count once, and not at all where one of those stays.
    """
    counted = {decision.version.source for decision in everything if decision.reasons}
    found: dict[int, int | None] = {}
    for decision in decisions:
        shared = decision.version.source in counted
        found[decision.version.version] = 0 if shared else _size(context, decision.version)
        counted.add(decision.version.source)
    return found


def format_sizes(found: list[int | None]) -> str:
    """Return text such as "12,345 bytes, and 2 that can't be counted"."""
    unknown = found.count(None)
    text = f"{sum(size or 0 for size in found):,} bytes"
    return f"{text}, and {unknown} that can't be counted" if unknown else text


def name_versions(model: str, numbers: list[int]) -> str:
    """Return text such as "taxi versions 1, 2, 3"."""
    return f"{model} version{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}"


def _size(context: EvaluationContext, version: Version) -> int | None:
    try:
        return context.registry.size_of(version.model, version.version)
    except PermanentError:
        return None
