"""What a registration is about: the run, the place of its model, and the version that it may be already."""

from registrar.events.types import Registration, RunSearch
from worker.registry.protocol import ModelSource, NotFound, Refused, Registry, Run, Version

_ENDED_BADLY = ("FAILED", "KILLED")


def choose_run(registry: Registry, data: Registration, artifact_path: str) -> tuple[Run, ModelSource]:
    """Return the given run, or the first of the search that has a model. Raises Refused where there is none.

    artifact_path: the name that the model was logged under, where the event has none.
    """
    path = data.artifact_path or artifact_path
    if data.search:
        return _best_run(registry, data.search, path)
    run = registry.run(data.run_id or "")
    if run.deleted or run.status in _ENDED_BADLY:
        state = "was deleted" if run.deleted else f"ended as {run.status}"
        raise Refused(f"run {run.id} {state}: a version is registered from a run that finished")
    return run, registry.source_of(run, path)


def find_registered(
    registry: Registry, data: Registration, run: Run, source: ModelSource, artifact_path: str
) -> Version | None:
    """Return the version that has this run's model: made by this task before a crash, by an earlier event, or by the
    training.

    A registration by hand may name the model by the run's path, or by where the run's files are.
    """
    path = data.artifact_path or artifact_path
    same = {source.uri, f"runs:/{run.id}/{path}", f"{run.artifact_uri.rstrip('/')}/{path}"}
    versions = registry.versions(data.model, run_id=run.id)
    return next((version for version in reversed(versions) if version.source in same), None)


def _best_run(registry: Registry, search: RunSearch, artifact_path: str) -> tuple[Run, ModelSource]:
    found = registry.search_runs(
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
            return run, registry.source_of(run, artifact_path)
        except NotFound:
            continue
    none = "no run" if not found else f"none of {len(found)} run(s) ended well with a model named {artifact_path!r}"
    raise Refused(f"{none} in experiment {search.experiment!r} for {search.filter_string or 'any run'!r}")
