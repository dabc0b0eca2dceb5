"""worker.evaluated, on evaluation_run.finished: gates look at this run now, and the next targets are tried again.

The event that was accepted last counts: one that is done late, by a retry, does not take the place of a newer one.
"""

from registrar.ledger.version_state import Key, last_told
from registrar.outcome import Fact, FollowUp, Outcome
from registrar.vocabulary import EvaluationRunFinished
from worker.door import Final, Version
from worker.promotion.standing import standing
from worker.promotion.version_state import put
from worker.work import Work


def act(work: Work) -> Outcome:
    data = work.data_as(EvaluationRunFinished)
    run, version = work.registry.run(data.run_id), work.registry.version(data.model, data.version)
    if run.deleted or run.status in ("FAILED", "KILLED"):
        raise Final(f"run {run.id} {'was deleted' if run.deleted else f'ended as {run.status}'}: it is no evaluation")
    if _later(work, version):
        return Outcome(f"{version} was evaluated anew after {work.who} said so: run {run.id} does not count any more")
    told = put(work, version, Key.EVALUATION, run.id)
    text = f"{version} was evaluated by run {run.name or run.id}, told by {work.who}"
    fact = Fact("model_version.evaluated", text, version.model, version.version, {"run_id": run.id})
    policy = work.policy.model(version.model)
    nexts = policy.next_targets(standing(policy, version))
    again = tuple(FollowUp("worker.request", {"version": version.version, "target": t.stage}) for t in nexts)
    return Outcome(text, facts=(fact,), follow_ups=again, records=(told,))


def _later(work: Work, version: Version) -> bool:
    """Whether another evaluation of it was accepted after this one, which is done late."""
    with work.ledger.read() as connection:
        last = last_told(connection, version.model, version.version, version.created_at, Key.EVALUATION)
    return last > work.task.event_seq
