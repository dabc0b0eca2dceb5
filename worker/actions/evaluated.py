"""worker.evaluated, on evaluation_run.finished: record the run for gates, and request the next targets again.

The run itself must name the version that it evaluated; otherwise any good run would do for any version.
"""

from datetime import timedelta

from registrar.events.facts import FactType
from registrar.events.outcome import Fact, FollowUp, Outcome
from registrar.events.types import EvaluationRunFinished
from registrar.ledger.version_state import Key, reported_seq
from worker.promotions.version_state import current_stage, recorded, set_state
from worker.registry.entities import Run, Version
from worker.registry.protocol import PermanentError
from worker.task_context import TaskContext

_MODEL_URI = "models:/"
TAG = "evaluated_model"  # of an evaluation run
_CLOCKS_APART = timedelta(minutes=1)  # allowed difference between MLflow's clock and the evaluator's


def act(context: TaskContext) -> Outcome:
    data = context.data_as(EvaluationRunFinished)
    run, version = context.registry.run(data.run_id), context.registry.version(data.model, data.version)
    if run.deleted or run.status in ("FAILED", "KILLED"):
        raise PermanentError(
            f"run {run.id} {'was deleted' if run.deleted else f'ended as {run.status}'}: it is no evaluation"
        )
    if newer := _newer(context, version):
        return Outcome(f"{version} was evaluated by run {newer} after this one, and that counts; nothing to do")
    if not _evaluated(run, version):
        raise PermanentError(
            f"run {run.id} does not say that it evaluated {version}: set its tag {TAG} to "
            f"models:/{version.model}/{version.version}, or evaluate the logged model by its model_id"
        )
    evaluated = set_state(context, version, Key.EVALUATION, run.id)
    text = f"{version} was evaluated by run {run.name or run.id}, told by {context.actor_name}"
    fact = Fact(FactType.MODEL_VERSION_EVALUATED, text, version.model, version.version, {"run_id": run.id})
    policy = context.policy.model(version.model)
    targets = policy.next_targets(current_stage(policy, version))
    requests = tuple(FollowUp("worker.request", {"version": version.version, "target": t.stage}) for t in targets)
    return Outcome(text, facts=(fact,), follow_ups=requests, records=(evaluated,))


def _newer(context: TaskContext, version: Version) -> str | None:
    """Return the run of an evaluation that a later event announced: a resent event or a retried task comes late."""
    with context.ledger.read() as connection:
        newest = reported_seq(connection, version.model, version.version, version.created_at, Key.EVALUATION)
    if newest is None or newest <= context.task.original_seq:
        return None
    return recorded(context.ledger, version).get(Key.EVALUATION)


def _evaluated(run: Run, version: Version) -> bool:
    """Return whether a run evaluated a version, by MLflow's link to the logged model behind it, or by the tag.

    A tag from before the version existed names another version of that number.
    """
    if version.source.startswith(_MODEL_URI) and version.source.removeprefix(_MODEL_URI) in run.inputs:
        return True
    named = run.tags.get(TAG, "").removeprefix(_MODEL_URI) == f"{version.model}/{version.version}"
    return named and run.started_at is not None and run.started_at >= version.created_at - _CLOCKS_APART
