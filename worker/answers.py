"""Answer the questions of registry.query: to chat in a text, to programs in rows or a plan."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from registrar.events.types import RegistryQuery
from registrar.ledger import Ledger
from worker import lookups
from worker.promotions.evidence import EvaluationContext
from worker.promotions.plan import plan
from worker.registry.protocol import Registry
from worker.retention.archival import ArchivePlan, plan_archive
from worker.retention.plan import PrunePlan, plan_prune


@dataclass(frozen=True)
class Answer:
    """text: for chat. content: a table's title, columns, rows, values and `more`, or a `plan`, or both."""

    text: str
    content: Mapping[str, Any]


def answer(context: EvaluationContext, data: RegistryQuery) -> Answer:
    """Answer any question. Raises Refused, NotFound, RetryableError, PermanentError."""
    match data.question:
        case "plan":
            return _plan(context, data)
        case "plan_prune":
            return _plan_of_versions(plan_prune(context, data.model or ""))
        case "plan_archive":
            model, older_than = data.model or "", data.older_than or ""
            return _plan_of_versions(plan_archive(context, model, older_than=older_than, keep=data.keep))
        case "history" | "dead":
            return table_answer(_recorded(context.ledger, context.now, data))
        case _:
            return table_answer(look_up(context.registry, context.now, data))


def table_answer(table: lookups.Table) -> Answer:
    return Answer(table.as_text(), asdict(table))


def look_up(registry: Registry, now: datetime, data: RegistryQuery) -> lookups.Table:
    """Return what MLflow has of experiments, runs, models or versions. Raises NotFound, RetryableError."""
    match data.question:
        case "experiments":
            return lookups.experiments(registry, now)
        case "models":
            return lookups.models(registry, now)
        case "versions":
            newest = data.max_results or lookups.NEWEST
            return lookups.versions(registry, now, model=data.model or "", newest=newest, version=data.version)
    return lookups.runs(
        registry,
        now,
        experiment=data.experiment or "",
        filter_string=data.filter_string,
        order_by=data.order_by,
        max_results=data.max_results or lookups.BEST,
        run_view_type=data.run_view_type,
    )


def _recorded(ledger: Ledger, now: datetime, data: RegistryQuery) -> lookups.Table:
    if data.question == "dead":
        return lookups.dead(ledger, now, model=data.model)
    return lookups.history(ledger, model=data.model or "")


def _plan(context: EvaluationContext, data: RegistryQuery) -> Answer:
    model, number, stage = data.model or "", data.version or 0, data.target or ""
    planned = plan(context, model, number, stage)
    text = "\n".join([f"{model} version {number} to {stage}: {planned.state}", *planned.lines])
    return Answer(text, {"plan": {"version": number, "target": stage, **asdict(planned)}})


def _plan_of_versions(planned: PrunePlan | ArchivePlan) -> Answer:
    table = planned.table()
    return Answer(table.as_text(), {**asdict(table), "plan": asdict(planned)})
