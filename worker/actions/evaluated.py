"""worker.evaluated, on evaluation_run.finished: gates look at this run now, and the next targets are tried again."""

from registrar.ledger.version_state import Key, told
from registrar.outcome import Fact, FollowUp, Outcome
from registrar.vocabulary import EvaluationRunFinished
from worker.door import Final, Version
from worker.promotion.standing import standing
from worker.promotion.version_state import put, recorded
from worker.work import Work


def act(work: Work) -> Outcome:
    data = work.data_as(EvaluationRunFinished)
    run, version = work.registry.run(data.run_id), work.registry.version(data.model, data.version)
    if run.deleted or run.status in ("FAILED", "KILLED"):
        raise Final(f"run {run.id} {'was deleted' if run.deleted else f'ended as {run.status}'}: it is no evaluation")
    if newer := _newer(work, version):
        return Outcome(f"{version} was evaluated by run {newer} since this was told, which counts; nothing to do")
    evaluated = put(work, version, Key.EVALUATION, run.id)
    text = f"{version} was evaluated by run {run.name or run.id}, told by {work.who}"
    fact = Fact("model_version.evaluated", text, version.model, version.version, {"run_id": run.id})
    policy = work.policy.model(version.model)
    nexts = policy.next_targets(standing(policy, version))
    again = tuple(FollowUp("worker.request", {"version": version.version, "target": t.stage}) for t in nexts)
    return Outcome(text, facts=(fact,), follow_ups=again, records=(evaluated,))


def _newer(work: Work, version: Version) -> str | None:
    """The run of an evaluation that was told after this one: a replay, or a task that is tried again, comes late."""
    with work.ledger.read() as connection:
        newest = told(connection, version.model, version.version, version.created_at, Key.EVALUATION)
    return recorded(work.ledger, version).get(Key.EVALUATION) if newest and newest > work.task.told else None
