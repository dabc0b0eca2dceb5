"""worker.adopt_version, on registry.changed and registry.reconcile: take in a version that was registered in MLflow."""

from registrar.events.outcome import Outcome
from registrar.events.types import ModelAdopt
from worker.promotions import adoption
from worker.registry.protocol import find_version
from worker.task_context import TaskContext


def act(context: TaskContext) -> Outcome:
    context = context.with_recent_reads()
    version = find_version(context.registry, context.model, context.version)
    if version is None:
        return Outcome(f"{context.model} version {context.version} is gone again; nothing to do")
    if adoption.is_registered(context, version, but_left=context.task.event_type == ModelAdopt.type):
        return Outcome(f"{version} is in the record already; nothing to do")
    return adoption.take_in(context, version)
