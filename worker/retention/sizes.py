"""What old versions occupy, and how that is said. MLflow deletes entries only: their files are left to `mlflow gc`."""

from worker.promotions.evidence import EvaluationContext
from worker.registry.protocol import PermanentError, Version
from worker.retention.survey import RetentionDecision


def sizes(
    context: EvaluationContext, decisions: list[RetentionDecision], everything: list[RetentionDecision]
) -> dict[int, int | None]:
    """Bytes that the versions' files occupy, by version; None where they can't be counted.

    Files that several versions share count once, and not where one of those stays.
    """
    counted = {decision.version.source for decision in everything if decision.reasons}
    found: dict[int, int | None] = {}
    for decision in decisions:
        shared = decision.version.source in counted
        found[decision.version.version] = 0 if shared else _size(context, decision.version)
        counted.add(decision.version.source)
    return found


def format_sizes(found: list[int | None]) -> str:
    """For people: "12,345 bytes", and of how many versions nobody could tell."""
    unknown = found.count(None)
    said = f"{sum(size or 0 for size in found):,} bytes"
    return f"{said}, and {unknown} that can't be counted" if unknown else said


def name_versions(model: str, numbers: list[int]) -> str:
    """taxi version 1; taxi versions 1, 2, 3."""
    return f"{model} version{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}"


def _size(context: EvaluationContext, version: Version) -> int | None:
    try:
        return context.registry.size_of(version.model, version.version)
    except PermanentError:
        return None
