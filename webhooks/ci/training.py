"""Turns a finished training in CI into training_run.finished or training_run.failed, by rules of registrar.yml."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from registrar.events.types import ArtifactPath, Data, ModelName, Name, RunId
from registrar.policy.base_model import Strict
from webhooks.ci.pattern import Pattern
from webhooks.ci.payload import first_line
from webhooks.ingress import validation
from webhooks.ingress.errors import InvalidEvent


class ByCommit(Strict):
    """The newest run that finished with a model, among the experiment's runs with the commit as a tag.

    MLflow itself sets the longer tag.
    """

    by: Literal["commit"]
    experiment: Name
    tag: Literal["git_commit", "mlflow.source.git.commit"] = "git_commit"
    max_results: Annotated[int, Field(ge=1, le=1000)] = 10


class ByPattern(Pattern):
    """The run's id is in the title of the CI's run or the commit, the workflow's name, or the branch."""

    by: Literal["title", "name", "branch"]


class ByMapping(Strict):
    """One run per value of a field, written out."""

    by: Literal["mapping"]
    field: Literal["title", "name", "branch"]
    runs: Annotated[dict[str, RunId], Field(min_length=1)]


class Training(Strict):
    """A rule for builds that train `model`; `run` finds the MLflow run."""

    model: ModelName
    run: Annotated[ByCommit | ByPattern | ByMapping, Field(discriminator="by")]
    artifact_path: ArtifactPath | None = None


@dataclass(frozen=True)
class Ended:
    """A finished training, as its CI system reports it. summary: one sentence. fields: title, name, branch."""

    succeeded: bool
    commit: str
    summary: str
    url: str | None
    fields: dict[str, str]


def data(rules: Sequence[Training], ended: Ended) -> list[Data]:
    """Return an event's data per model, by the rules that find a run. Raises InvalidEvent if none does.

    A failed training needs no run: it may have failed before the run began.
    """
    with_run = [(rule, run) for rule in rules if (run := _run(rule.run, ended)) is not None]
    if not ended.succeeded:
        return [_failed(rule, run, ended) for rule, run in with_run or [(rule, {}) for rule in rules]]
    if not with_run:
        raise InvalidEvent(f"{ended.summary}, but has no MLflow run where options.training looks for it")
    return [_finished(rule, run, ended) for rule, run in with_run]


def _run(run: ByCommit | ByPattern | ByMapping, ended: Ended) -> dict[str, Any] | None:
    """Return the run's id, or the search for it; None if the rule does not find one."""
    match run:
        case ByCommit():
            return {"search": search(run, ended.commit)}
        case ByPattern():
            run_id = run.search(ended.fields)
        case ByMapping():
            run_id = run.runs.get(first_line(ended.fields.get(run.field, "")))
    return {"run_id": run_id} if run_id else None


def search(run: ByCommit, commit: str) -> dict[str, Any]:
    """Return MLflow's filter for finished runs: https://mlflow.org/docs/latest/search-runs"""
    tag = f"`{run.tag}`" if "." in run.tag else run.tag
    return {
        "experiment": run.experiment,
        "filter_string": f"tags.{tag} = '{commit}' AND attributes.status = 'FINISHED'",
        "order_by": ["attributes.start_time DESC"],
        "max_results": run.max_results,
    }


def _finished(rule: Training, run: dict[str, Any], ended: Ended) -> Data:
    tags = {"ci.url": ended.url} if ended.url else {}
    fields = {"model": rule.model, "artifact_path": rule.artifact_path, "commit": ended.commit, "tags": tags}
    return validation.data("training_run.finished", {**fields, **run})


def _failed(rule: Training, run: dict[str, Any], ended: Ended) -> Data:
    reason = f"{ended.summary}: {ended.url}" if ended.url else ended.summary
    fields = {"model": rule.model, "run_id": run.get("run_id"), "reason": reason, "commit": ended.commit}
    return validation.data("training_run.failed", fields)
