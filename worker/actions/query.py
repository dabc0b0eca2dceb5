"""worker.query, on registry.query: answer a person's question in chat."""

from registrar.events.outcome import Outcome
from registrar.events.types import RegistryQuery
from worker import lookups
from worker.promotions.plan import plan
from worker.retention.plan import plan_prune
from worker.task_context import TaskContext


def act(context: TaskContext) -> Outcome:
    data = context.data_as(RegistryQuery)
    return Outcome(_plan(context, data) if data.question == "plan" else _table(context, data).as_text())


def _plan(context: TaskContext, data: RegistryQuery) -> str:
    model, number, stage = data.model or "", data.version or 0, data.target or ""
    planned = plan(context, model, number, stage)
    return "\n".join([f"{model} version {number} to {stage}: {planned.state}", *planned.lines])


def _table(context: TaskContext, data: RegistryQuery) -> lookups.Table:
    match data.question:
        case "experiments":
            return lookups.experiments(context.registry, context.now)
        case "models":
            return lookups.models(context.registry, context.now)
        case "versions":
            return lookups.versions(context.registry, context.now, model=data.model or "")
        case "history" | "dead":
            return _recorded(context, data)
        case "plan_prune":
            return plan_prune(context, data.model or "").table()
        case _:
            return _runs(context, data)


def _recorded(context: TaskContext, data: RegistryQuery) -> lookups.Table:
    if data.question == "dead":
        return lookups.dead(context.ledger, context.now, model=data.model)
    return lookups.history(context.ledger, model=data.model or "")


def _runs(context: TaskContext, data: RegistryQuery) -> lookups.Table:
    return lookups.runs(
        context.registry,
        context.now,
        experiment=data.experiment or "",
        filter_string=data.filter_string,
        order_by=data.order_by,
        max_results=data.max_results,
    )
