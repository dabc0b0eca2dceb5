"""Reads GitLab's hooks for webhooks/sources/gitlab/__init__.py.

https://docs.gitlab.com/user/project/integrations/webhook_events/
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from registrar.events.types import Data
from registrar.policy.base_model import Glob, matches
from webhooks.ci import build, deployment, training
from webhooks.ci.payload import Ignored, Place, at, commit, is_one_of, link, number, text
from webhooks.ingress import validation
from webhooks.ingress.validation import clean

_WELL = {"success": True, "failed": False}
_DEPLOYED = {"success": "deployment.succeeded", "failed": "deployment.failed"}


class Training(training.Training):
    """Which pipeline, or with `jobs` which jobs of it, train the model. refs: branches; a tag is refs/tags/NAME."""

    project: Place | None = None
    refs: Annotated[list[Glob], Field(min_length=1)]
    jobs: list[Glob] = []


class Deployment(deployment.Deployment):
    """Which deployments are of models."""

    project: Place | None = None


@dataclass(frozen=True)
class HookEvents:
    """The data of a hook's events. at: their time, as GitLab wrote it."""

    data: list[Data]
    at: str


def comes_from(payload: Any, places: Sequence[Place]) -> bool:
    """Return whether a hook comes from one of these projects. Job hooks of older GitLab have the number only."""
    id = number(payload, "project", "id")
    id = number(payload, "project_id") if id is None else id
    return is_one_of(places, id=id, path=text(payload, "project", "path_with_namespace"))


def project_of(payload: Any) -> str:
    """Return the project's path, else its number, for people."""
    path = text(payload, "project", "path_with_namespace")
    return clean(path) or f"project {number(payload, 'project_id')}"


def pipeline(payload: Any, rules: Sequence[Training]) -> HookEvents:
    """Read a finished pipeline, for the rules without jobs."""
    about = at(payload, "object_attributes")
    status = _status(text(about, "status"), "pipeline")
    _no_fork(payload)
    fitting = [rule for rule in _fitting(payload, about, rules) if not rule.jobs]
    if not fitting:
        raise Ignored("the rules of options.training for this ref are about jobs")
    title = text(payload, "commit", "title")
    ended = training.Ended(
        well=_WELL[status],
        commit=commit(payload, "object_attributes", "sha"),
        said=f"pipeline {number(about, 'id')} of {project_of(payload)} ended as {status}",
        url=link(text(about, "url")),
        fields={"title": title, "name": text(about, "name"), "branch": text(about, "ref")},
    )
    return HookEvents(training.data(fitting, ended), text(about, "finished_at"))


def job(payload: Any, rules: Sequence[Training]) -> HookEvents:
    """Read a finished job; its kind is "build".

    Of a merge request's pipeline the ref is refs/merge-requests/..., and nothing says whether it is a fork's.
    """
    status, name = _status(text(payload, "build_status"), "job"), text(payload, "build_name")
    fitting = [rule for rule in _fitting(payload, payload, rules) if matches(rule.jobs, name)]
    if not fitting:
        raise Ignored(f"job {clean(name)!r} is none of options.training")
    build.of_ref(text(payload, "ref"))  # whatever globs of refs there are
    home = text(payload, "project", "web_url") or text(payload, "repository", "homepage")
    ended = training.Ended(
        well=_WELL[status],
        commit=commit(payload, "sha"),
        said=f"job {clean(name)} ({number(payload, 'build_id')}) of {project_of(payload)} ended as {status}",
        url=link(f"{home}/-/jobs/{number(payload, 'build_id')}"),
        fields={"title": text(payload, "commit", "message"), "name": name, "branch": text(payload, "ref")},
    )
    return HookEvents(training.data(fitting, ended), text(payload, "build_finished_at"))


def deployed(payload: Any, rules: Sequence[Deployment]) -> HookEvents:
    """Read a deployment. options.deployments says which field has the version."""
    if (status := text(payload, "status")) not in _DEPLOYED:
        raise Ignored(f"a deployment that is {clean(status) or 'in no state'}")
    here = [rule for rule in rules if rule.project is None or comes_from(payload, [rule.project])]
    title, branch, environment = (text(payload, name) for name in ("commit_title", "ref", "environment"))
    fields = {"title": title, "branch": branch, "environment": environment}
    about = deployment.named(here, payload=None, fields=fields)
    shown, log = text(payload, "environment_external_url"), text(payload, "deployable_url")
    said = {
        **about.fields,
        "environment": environment,
        "url": link(shown, log) if status == "success" else link(log, shown),
        "commit": text(payload, "short_sha") or None,
    }
    return HookEvents([validation.data(_DEPLOYED[status], said)], text(payload, "status_changed_at"))


def _status(status: str, what: str) -> str:
    """Return the status. A canceled pipeline is no failure: a person or a newer one stopped it."""
    if status not in _WELL:
        raise Ignored(f"a {what} that is {clean(status) or 'in no state'}")
    return status


def _no_fork(payload: Any) -> None:
    """Raise Ignored for a fork: its merge request may run in this project, with the fork's branch, even `main`, as ref.

    https://docs.gitlab.com/ci/pipelines/merge_request_pipelines/#use-with-forked-projects
    """
    request, project = at(payload, "merge_request"), number(payload, "project", "id")
    if request is not None and (project is None or number(request, "source_project_id") != project):
        raise Ignored("a pipeline for a fork's merge request")


def _fitting(payload: Any, about: Any, rules: Sequence[Training]) -> list[Training]:
    """Return the rules for this project and ref. Tags are matched by full ref, since a tag may have a branch's name."""
    ref = f"refs/tags/{text(about, 'ref')}" if at(about, "tag") is not False else text(about, "ref")
    here = [rule for rule in rules if rule.project is None or comes_from(payload, [rule.project])]
    fitting = [rule for rule in here if matches(rule.refs, ref)]
    if not fitting:
        raise Ignored(f"ref {clean(ref)!r} of {project_of(payload)} is none of options.training")
    return fitting
