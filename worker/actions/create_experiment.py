"""worker.create_experiment, on experiment.create: ensure that an experiment of that name exists."""

from registrar.events.facts import FactType
from registrar.events.outcome import Fact, Outcome
from registrar.events.types import ExperimentCreate
from worker.registry.protocol import Refused
from worker.task_context import TaskContext


def act(context: TaskContext) -> Outcome:
    data = context.data_as(ExperimentCreate)
    existing = context.registry.experiment(data.name)
    if existing and existing.deleted:
        raise Refused(
            f"experiment {data.name!r} (id {existing.id}) was deleted, and MLflow keeps its name: have it restored "
            f"(`mlflow experiments restore --experiment-id {existing.id}`) or purged (`mlflow gc`), "
            "or choose another name"
        )
    if existing and context.task.attempts == 1:
        text = f"experiment {data.name!r} is there already (id {existing.id})"
        return Outcome(text, answer={"experiment_id": existing.id})
    # A second attempt may find what the first one created before it was interrupted.
    experiment_id = existing.id if existing else context.registry.create_experiment(data.name, tags=data.tags)
    text = f"experiment {data.name!r} (id {experiment_id}) was created by {context.actor_name}"
    fact = Fact(FactType.EXPERIMENT_CREATED, text)
    return Outcome(text, facts=(fact,), answer={"experiment_id": experiment_id})
