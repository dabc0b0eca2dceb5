"""worker.register, on training_run.finished and model_version.register: a run's model becomes a version."""

import math
import time

from registrar.events.outcome import Fact, FollowUp, LedgerChange, Outcome
from registrar.events.types import Registration
from worker.promotions import adoption, author
from worker.promotions.current_stage import standing
from worker.promotions.registration import chosen, registered
from worker.promotions.stage_occupancy import now_and_then
from worker.promotions.version_state import given
from worker.registry import limits
from worker.registry.protocol import ModelSource, NotFound, Run, Version
from worker.task_context import TaskContext

SLOW = 2.0  # seconds from before the look at the lease to the end of the write; another worker has the task after 15


def act(work: TaskContext) -> Outcome:
    data = work.data_as(Registration)
    # Before anything is created: a run without a model leaves nothing behind.
    run, source = chosen(work.registry, data, _path(work))
    if earlier := registered(work.registry, data, run, source, _path(work)):
        return _there(work, data, run, earlier)
    began = time.monotonic()
    made = _create(work, data, run, source)
    return _there(work, data, run, _alone(work, run, source, made, seconds=time.monotonic() - began))


def _path(work: TaskContext) -> str:
    return work.policy.model(work.model).artifact_path


def _create(work: TaskContext, data: Registration, run: Run, source: ModelSource) -> Version:
    commit = _commit(data, run)
    tags = {
        **data.tags,
        "registrar.run": run.id,
        "registrar.event": work.task.event_id,
        "registrar.task": work.task.id,
        "registrar.by": work.who,
        **({"registrar.commit": limits.cut(commit)} if commit else {}),
    }
    built = f" at commit {commit[:12]}" if commit else ""
    line = f"registered from run {run.name or run.id} ({run.id}){built} by {work.who}"
    description = limits.both(data.description or "", line)

    def create() -> Version:
        return work.registry.create_version(data.model, source, run_id=run.id, description=description, tags=tags)

    try:
        return create()
    except (
        NotFound
    ):  # of a model's first version alone: to ask each time whether the model is there would be one more call
        work.registry.ensure_model(data.model)
        return create()


def _commit(data: Registration, run: Run) -> str | None:
    return data.commit or run.tags.get("mlflow.source.git.commit") or run.tags.get("git_commit") or None


def _alone(work: TaskContext, run: Run, source: ModelSource, made: Version, *, seconds: float) -> Version:
    """A first attempt's call that nobody answered may have come to MLflow after we had looked; or this is that call,
    of a worker that stood still between the look at its lease and the write, and woke when it was over. The older one
    stays.
    """
    if work.task.attempts == 1 and seconds < SLOW:
        return made
    first = registered(work.registry, work.data_as(Registration), run, source, _path(work)) or made
    if first.version != made.version:
        work.registry.take_back(made.model, made.version)
    return first


def _there(work: TaskContext, data: Registration, run: Run, version: Version) -> Outcome:
    """Of a version that is this run's: made by this task, by its own training, or by an earlier event."""
    named = run.name or run.id
    if version.tags.get("registrar.task") == work.task.id:
        return _told(work, run, version, f"{version} was registered from run {named}, by {work.who}")
    if adoption.is_foreign(version, work.task.event_id):
        version = adoption.write(work, data, run, version, _commit(data, run))
        text = f"{version} of run {named}, which was in MLflow already, was taken up by {work.who}"
        return _told(work, run, version, text)
    first = author.seen(work.ledger, version, run.user)
    return Outcome(f"run {run.id} is {version} already; nothing to do", records=first)


def _told(work: TaskContext, run: Run, version: Version, text: str) -> Outcome:
    finite = {name: value for name, value in run.metrics.items() if math.isfinite(value)}  # JSON knows no NaN
    details = {"run_id": run.id, "metrics": finite, "commit": version.tags.get("registrar.commit")}
    details |= {"created_at": version.created_at.isoformat()}
    policy = work.policy.model(version.model)
    asked = policy.next_targets("None") if standing(policy, version) == "None" else []
    return Outcome(
        summary=text,
        facts=(Fact("model_version.registered", text, version.model, version.version, details),),
        follow_ups=tuple(
            FollowUp("worker.request", {"version": version.version, "target": target.stage}) for target in asked
        ),
        records=(*_bound(work, run, version), *now_and_then(work, version)),
    )


def _bound(work: TaskContext, run: Run, version: Version) -> tuple[LedgerChange, ...]:
    """Who trained and registered it, and whose its tags are. Of one that was taken up, who trained it as seen now."""
    ours = version.tags.get("registrar.task") == work.task.id
    people = author.bound(work, version, run.user) if ours else author.seen(work.ledger, version, run.user)
    return (*people, *given(version, work.data_as(Registration).tags))
