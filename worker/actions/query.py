"""worker.query, on registry.query: a person's question, answered in chat."""

from registrar.events.outcome import Outcome
from registrar.events.types import RegistryQuery
from worker import lookups
from worker.promotions.plan import plan
from worker.retention.plan import plan_prune
from worker.task_context import TaskContext


def act(work: TaskContext) -> Outcome:
    data = work.data_as(RegistryQuery)
    return Outcome(_plan(work, data) if data.question == "plan" else _table(work, data).as_text())


def _plan(work: TaskContext, data: RegistryQuery) -> str:
    model, number, stage = data.model or "", data.version or 0, data.target or ""
    found = plan(work, model, number, stage)
    return "\n".join([f"{model} version {number} to {stage}: {found.state}", *found.lines])


def _table(work: TaskContext, data: RegistryQuery) -> lookups.Table:
    match data.question:
        case "experiments":
            return lookups.experiments(work.registry, work.now)
        case "models":
            return lookups.models(work.registry, work.now)
        case "versions":
            return lookups.versions(work.registry, work.now, model=data.model or "")
        case "history" | "dead":
            return _recorded(work, data)
        case "plan_prune":
            return plan_prune(work, data.model or "").table()
        case _:
            return _runs(work, data)


def _recorded(work: TaskContext, data: RegistryQuery) -> lookups.Table:
    if data.question == "dead":
        return lookups.dead(work.ledger, work.now, model=data.model)
    return lookups.history(work.ledger, model=data.model or "")


def _runs(work: TaskContext, data: RegistryQuery) -> lookups.Table:
    return lookups.runs(
        work.registry,
        work.now,
        experiment=data.experiment or "",
        filter_string=data.filter_string,
        order_by=data.order_by,
        max_results=data.max_results,
    )
