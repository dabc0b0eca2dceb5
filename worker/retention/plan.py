"""Say what pruning a model would do now, version by version, without doing it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from registrar.text.duration import length
from worker.lookups import Table
from worker.promotions.evidence import EvaluationContext
from worker.retention.survey import RetentionDecision, Step, format_sizes, name_versions, sizes, survey

_ORDER: tuple[Step, ...] = ("delete", "mark", "spare", "wait", "stay")  # changes come first
_STEP_TEXTS: dict[Step, str] = {
    "delete": "is deleted",
    "mark": "is marked",
    "spare": "stays, loses its mark",
    "wait": "is marked already",
    "stay": "stays",
}


@dataclass(frozen=True)
class Row:
    """One version. due: when it may be deleted. bytes: of its files; None where it stays, or they can't be counted."""

    version: int
    stage: str
    step: Step
    reasons: tuple[str, ...]
    due: datetime | None
    bytes: int | None


@dataclass(frozen=True)
class PrunePlan:
    """The plan for a model. ready: there is something to do now. title: a sentence."""

    state: Literal["ready", "nothing to do"]
    title: str
    rows: list[Row]

    def table(self) -> Table:
        rows = [(str(row.version), row.stage, _STEP_TEXTS[row.step], _why(row), _bytes_text(row)) for row in self.rows]
        return Table(self.title, ("version", "stage", "what", "why", "bytes"), rows)


def plan_prune(context: EvaluationContext, model: str) -> PrunePlan:
    """Plan the pruning of a model. Raises NotFound, RetryableError, PermanentError."""
    everything = survey(context, model)
    size_of = sizes(context, [decision for decision in everything if not decision.reasons], everything)
    retention = context.policy.model(model).retention
    grace = length(retention.grace) if retention else timedelta()
    rows = [_row(decision, context.now + grace, size_of) for decision in reversed(everything)]
    rows.sort(key=lambda row: _ORDER.index(row.step))
    changing = any(row.step in ("delete", "mark", "spare") for row in rows)
    return PrunePlan("ready" if changing else "nothing to do", _title(model, rows), rows)


def _row(decision: RetentionDecision, after: datetime, size_of: dict[int, int | None]) -> Row:
    version, due = decision.version, after if decision.step == "mark" else decision.due
    return Row(version.version, version.stage, decision.step, decision.reasons, due, size_of.get(version.version))


def _title(model: str, rows: list[Row]) -> str:
    parts = []
    for step, done in (("delete", "deleted"), ("mark", "marked for deletion")):
        if matching := [row for row in rows if row.step == step]:
            versions = name_versions(model, sorted(row.version for row in matching))
            parts.append(f"{versions} would be {done} ({format_sizes([row.bytes for row in matching])})")
    return "; ".join(parts) or f"Nothing of {model} would be deleted or marked now"


def _why(row: Row) -> str:
    if row.reasons:
        return "; ".join(row.reasons)
    due = f"{row.due:%Y-%m-%d %H:%M} UTC" if row.due else ""
    return f"its mark ended {due}" if row.step == "delete" else f"may be deleted after {due}"


def _bytes_text(row: Row) -> str:
    if row.reasons:
        return ""
    return "can't be counted" if row.bytes is None else f"{row.bytes:,}"
