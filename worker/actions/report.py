"""worker.report, on training_run.failed: announce it, and leave the registry as it is."""

from registrar.events.facts import FactType
from registrar.events.outcome import Fact, Outcome
from registrar.events.types import TrainingRunFailed
from worker.task_context import TaskContext


def act(context: TaskContext) -> Outcome:
    data = context.data_as(TrainingRunFailed)
    run = f" {data.run_id}" if data.run_id else ""
    reason = f": {data.reason}" if data.reason else ""
    text = f"training run{run} of {data.model} failed{reason}"
    details = {"run_id": data.run_id, "commit": data.commit}
    return Outcome(text, facts=(Fact(FactType.TRAINING_RUN_FAILED, text, data.model, None, details),))
