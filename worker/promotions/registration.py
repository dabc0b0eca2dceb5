"""Find the run of a registration, its model, and the version that it may be already; take up versions made elsewhere.

A version that its training (registered_model_name=) or a person registered is taken up when an event announces it, as
if it were registered here: it gets the event's tags and commit and a line in its description, and the first target is
asked for. Only once: the tag registrar.event says that an event registered the version or took it up.
"""

import math
from collections.abc import Iterator

from registrar.events.facts import FactType
from registrar.events.outcome import Fact, FollowUp, Outcome
from registrar.events.types import Registration, RunSearch
from registrar.policy import ModelPolicy
from registrar.text.wording import cut
from worker.promotions.stage_occupancy import refresh_periodically
from worker.promotions.version_state import current_stage
from worker.registry import entities
from worker.registry.entities import ModelSource, Run, Version
from worker.registry.protocol import NotFound, Refused, Registry
from worker.task_context import TaskContext

_ENDED_BADLY = ("FAILED", "KILLED")
_MOST_LISTED = 10  # names of a run's models in a message


def choose_run(registry: Registry, data: Registration, policy: ModelPolicy) -> tuple[Run, ModelSource]:
    """Return the run that the event names, or the first of its search that has a model, and where the model is.

    Raises Refused where there is none.
    """
    if data.search:
        return _best_run(registry, data, data.search, policy)
    run = registry.run(data.run_id or "")
    if run.deleted or run.status in _ENDED_BADLY:
        state = "was deleted" if run.deleted else f"ended as {run.status}"
        raise Refused(f"run {run.id} {state}: a version is registered from a run that finished")
    return run, _find_source(registry, run, data, policy)


def _find_source(registry: Registry, run: Run, data: Registration, policy: ModelPolicy) -> ModelSource:
    """Return where the run's model is: of the name in the event, else in the policy. Where neither names one, the run's
    only model counts, whatever its name. Raises NotFound, which lists the run's models.
    """
    name = data.artifact_path or policy.artifact_path
    try:
        return registry.source_of(run, name)
    except NotFound:
        logged = registry.logged_models(run)
        if logged == [name] or not logged:
            raise
        if len(logged) == 1 and data.artifact_path is None and not policy.names_artifact_path:
            return registry.source_of(run, logged[0])
        others = ", ".join(map(repr, logged[:_MOST_LISTED]))
        raise NotFound(
            f"run {run.id} logged no model named {name!r}, but {others}: say which in artifact_path"
        ) from None


def find_registered(registry: Registry, data: Registration, run: Run, source: ModelSource) -> Version | None:
    """Return the version of this run's model, if this task before a crash, an earlier event or the training made it.

    A registration by hand may name the model by the run's path, or by where the run's files are.
    """
    sources = {source.uri, f"runs:/{run.id}/{source.name}", f"{run.artifact_uri.rstrip('/')}/{source.name}"}
    versions = registry.versions(data.model, run_id=run.id)
    return next((version for version in reversed(versions) if version.source in sources), None)


def _best_run(
    registry: Registry, data: Registration, search: RunSearch, policy: ModelPolicy
) -> tuple[Run, ModelSource]:
    runs = registry.search_runs(
        search.experiment,
        filter_string=search.filter_string,
        order_by=search.order_by,
        max_results=search.max_results,
        run_view_type=search.run_view_type,
    )
    for run in runs:
        if run.deleted or run.status in _ENDED_BADLY:
            continue
        try:
            return run, _find_source(registry, run, data, policy)
        except NotFound:
            continue
    named = f"a model named {data.artifact_path or policy.artifact_path!r}"
    none = "no run" if not runs else f"none of {len(runs)} run(s) ended well with {named}"
    raise Refused(f"{none} in experiment {search.experiment!r} for {search.filter_string or 'any run'!r}")


def commit_of(run: Run | None) -> str | None:
    """Return the commit that a run was trained from, as its tags say."""
    return (run.tags.get("mlflow.source.git.commit") or run.tags.get("git_commit") or None) if run else None


def registered_outcome(
    context: TaskContext,
    run: Run | None,
    version: Version,
    text: str,
    *,
    reason: str | None = None,
    asks: bool = True,
    **details: str,
) -> Outcome:
    """Return the outcome of a registration: it is told, and the first targets are asked for.

    reason: of those requests, for people. asks: whether there are any. details: more of the fact.
    """
    metrics = run.metrics if run else {}
    finite = {name: value for name, value in metrics.items() if math.isfinite(value)}  # JSON knows no NaN
    shown = {"run_id": version.run_id, "metrics": finite, "commit": version.tags.get("registrar.commit")}
    shown |= {"created_at": version.created_at.isoformat()} | details
    because = {"reason": reason} if reason else {}
    policy = context.policy.model(version.model)
    targets = policy.next_targets("None") if asks and current_stage(policy, version) == "None" else []
    return Outcome(
        summary=text,
        facts=(Fact(FactType.MODEL_VERSION_REGISTERED, text, version.model, version.version, shown),),
        follow_ups=tuple(
            FollowUp("worker.request", {"version": version.version, "target": target.stage, **because})
            for target in targets
        ),
        records=refresh_periodically(context, version),
    )


_EVENT = "registrar.event"  # of what was registered here or taken up; for people: the record counts


def take_up(context: TaskContext, data: Registration, run: Run, version: Version, commit: str | None) -> Version:
    """Write the tags and the description line that are missing. Returns the version as it is then."""
    for key, value in _adopted_tags(context, data, run, commit):
        if version.tags.get(key) != value:
            context.registry.set_tag(version.model, version.version, key, value)
    line = _description_line(context, run, version, commit)
    if line not in version.description:
        text = version.description or data.description or ""
        context.registry.set_description(version.model, version.version, entities.join_description(text, line))
    return context.registry.version(version.model, version.version)


def _adopted_tags(context: TaskContext, data: Registration, run: Run, commit: str | None) -> Iterator[tuple[str, str]]:
    yield from data.tags.items()
    yield "registrar.run", run.id
    yield "registrar.by", context.actor_name
    if commit:
        yield "registrar.commit", entities.cut_tag(commit)
    yield _EVENT, context.task.event_id


def _description_line(context: TaskContext, run: Run, version: Version, commit: str | None) -> str:
    built = f" at commit {commit[:12]}" if commit else ""
    line = f"taken up from run {run.name or run.id} ({run.id}){built} by {context.actor_name}; it was in MLflow already"
    return with_link(context, version.model, line)


def with_link(context: TaskContext, model: str, line: str) -> str:
    """Add to a description's line the link from MLflow's pages, which show Markdown, to ours of the model. A line that
    leaves no room for it is cut. Returns the line as it is where no public address is set.
    """
    if not (page := context.settings.page("models", model)):
        return line
    link = f" ([gates, votes and history]({page}))"
    return cut(line, entities.MAX_DESCRIPTION - len(link)) + link
