"""worker.register, on training_run.finished and model_version.register: a run's model becomes a version."""

import math

from registrar.outcome import Fact, FollowUp, Outcome
from registrar.vocabulary import Registration, RunSearch
from worker.door import Final, ModelSource, NotFound, Run, Version
from worker.work import Work

_ENDED_BADLY = ("FAILED", "KILLED")


def act(work: Work) -> Outcome:
    data = work.data_as(Registration)
    artifact_path = data.artifact_path or work.policy.model(data.model).artifact_path
    run, source = _chosen(work, data, artifact_path)
    if earlier := _registered(work, run, source):
        return _again(work, run, earlier)
    work.registry.ensure_model(data.model)
    return _done(work, run, _alone(work, run, source, _create(work, data, run, source)))


def _chosen(work: Work, data: Registration, artifact_path: str) -> tuple[Run, ModelSource]:
    """The run and where its model is, before anything is created: a run without a model leaves nothing behind."""
    if data.search:
        return _best(work, data.search, artifact_path)
    run = work.registry.run(data.run_id or "")
    if run.deleted or run.status in _ENDED_BADLY:
        state = "was deleted" if run.deleted else f"ended as {run.status}"
        raise Final(f"run {run.id} {state}: a version is registered from a run that finished")
    return run, work.registry.source_of(run, artifact_path)


def _best(work: Work, search: RunSearch, artifact_path: str) -> tuple[Run, ModelSource]:
    found = work.registry.search_runs(
        search.experiment,
        filter_string=search.filter_string,
        order_by=search.order_by,
        max_results=search.max_results,
        run_view_type=search.run_view_type,
    )
    for run in found:
        if run.deleted or run.status in _ENDED_BADLY:
            continue
        try:
            return run, work.registry.source_of(run, artifact_path)
        except NotFound:
            continue
    none = "no run" if not found else f"none of {len(found)} run(s) ended well with a model named {artifact_path!r}"
    raise Final(f"{none} in experiment {search.experiment!r} for {search.filter_string or 'any run'!r}")


def _registered(work: Work, run: Run, source: ModelSource) -> Version | None:
    """This run's model as a version already: by this very task before a crash, or by an earlier event."""
    versions = work.registry.versions(work.model, run_id=run.id)
    return next((version for version in reversed(versions) if version.source == source.uri), None)


def _create(work: Work, data: Registration, run: Run, source: ModelSource) -> Version:
    commit = data.commit or run.tags.get("mlflow.source.git.commit") or run.tags.get("git_commit")
    tags = {
        **data.tags,
        "registrar.run": run.id,
        "registrar.event": work.task.event_id,
        "registrar.task": work.task.id,
        "registrar.by": work.who,
        **({"registrar.commit": commit} if commit else {}),
    }
    built = f" at commit {commit[:12]}" if commit else ""
    line = f"registered from run {run.name or run.id} ({run.id}){built} by {work.who}"
    description = "\n".join(filter(None, [data.description, line]))
    return work.registry.create_version(data.model, source, run_id=run.id, description=description, tags=tags)


def _alone(work: Work, run: Run, source: ModelSource, made: Version) -> Version:
    """A first attempt's call that nobody answered may have come to MLflow after we had looked: the older one stays."""
    if work.task.attempts == 1:
        return made
    first = _registered(work, run, source) or made
    if first.version != made.version:
        work.registry.delete_version(made.model, made.version)
    return first


def _again(work: Work, run: Run, earlier: Version) -> Outcome:
    if earlier.tags.get("registrar.task") == work.task.id:
        return _done(work, run, earlier)
    return Outcome(f"run {run.id} is {earlier} already; nothing to do")


def _done(work: Work, run: Run, version: Version) -> Outcome:
    text = f"{version} was registered from run {run.name or run.id}, by {work.who}"
    finite = {name: value for name, value in run.metrics.items() if math.isfinite(value)}  # JSON knows no NaN
    details = {"run_id": run.id, "metrics": finite, "commit": version.tags.get("registrar.commit")}
    asked = work.policy.model(version.model).next_targets("None")
    return Outcome(
        summary=text,
        facts=(Fact("model_version.registered", text, version.model, version.version, details),),
        follow_ups=tuple(
            FollowUp("worker.request", {"version": version.version, "target": target.stage}) for target in asked
        ),
    )
