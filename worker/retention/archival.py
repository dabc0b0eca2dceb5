"""Decide which versions a model.archive moves to Archived: by retention's rules, with the event's age and count."""

from dataclasses import dataclass
from typing import Literal

from registrar.policy.models import Retention
from worker.lookups import Table
from worker.promotions.evidence import EvaluationContext
from worker.registry.entities import Version
from worker.registry.protocol import Refused
from worker.retention.survey import RetentionDecision, judge_version, name_versions, survey

_STEP_TEXTS = {"archive": "is archived", "done": "is archived already", "stay": "stays"}


@dataclass(frozen=True)
class Row:
    """One version. reasons: why it stays."""

    version: int
    stage: str
    step: Literal["archive", "done", "stay"]
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class ArchivePlan:
    """The plan for a model, the newest version first. ready: there is something to archive. title: a sentence."""

    state: Literal["ready", "nothing to do"]
    title: str
    rows: list[Row]

    def table(self) -> Table:
        rows = [(str(row.version), row.stage, _STEP_TEXTS[row.step], "; ".join(row.reasons)) for row in self.rows]
        return Table(self.title, ("version", "stage", "what", "why"), rows)


def plan_archive(context: EvaluationContext, model: str, *, older_than: str, keep: int) -> ArchivePlan:
    """Plan the archival of a model's old versions. Raises Refused, NotFound, RetryableError, PermanentError."""
    if context.policy.model(model).mode == "aliases":
        raise Refused(f"versions of {model} have no stages (mode: aliases), so none is archived")
    decisions = survey(context, model, Retention(keep_last=keep, older_than=older_than))
    rows = [_row(decision) for decision in reversed(decisions)]
    if numbers := sorted(row.version for row in rows if row.step == "archive"):
        return ArchivePlan("ready", f"{name_versions(model, numbers)} would be archived", rows)
    return ArchivePlan("nothing to do", f"Nothing of {model} would be archived now", rows)


def judge_old(
    context: EvaluationContext, model: str, number: int, *, older_than: str, keep: int
) -> tuple[Version | None, tuple[str, ...]]:
    """Look at one version right before it is archived. Returns it, or None where it is gone; and why it stays."""
    decision = judge_version(context, model, number, Retention(keep_last=keep, older_than=older_than))
    return (decision.version, decision.reasons) if decision else (None, ())


def _row(decision: RetentionDecision) -> Row:
    version = decision.version
    step: Literal["archive", "done", "stay"] = "stay" if decision.reasons else "archive"
    if version.stage == "Archived":
        step = "done"
    return Row(version.version, version.stage, step, decision.reasons if step == "stay" else ())
