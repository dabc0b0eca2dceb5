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
from webhooks.ci.payload import Ignored, Repository, at, commit, is_one_of, link, number, text
from webhooks.ingress import validation
from webhooks.ingress.validation import clean

_OUTCOMES = {"success": True, "failed": False}
_DEPLOYED = {"success": "deployment.succeeded", "failed": "deployment.failed"}


class Training(training.Training):
    """A rule for pipelines that train the model, or with `jobs` for jobs. refs: branches; a tag is refs/tags/NAME."""

    project: Repository | None = None
    refs: Annotated[list[Glob], Field(min_length=1)]
    jobs: list[Glob] = []


class Deployment(deployment.Deployment):
    """A rule for deployments of models."""

    project: Repository | None = None


@dataclass(frozen=True)
class HookEvents:
    """The data of a hook's events. at: their time, in GitLab's form."""

    data: list[Data]
    at: str


def comes_from(payload: Any, projects: Sequence[Repository]) -> bool:
    """Return whether a hook comes from one of these projects. Job hooks of older GitLab have the number only."""
    id = number(payload, "project", "id")
    id = number(payload, "project_id") if id is None else id
    return is_one_of(projects, id=id, path=text(payload, "project", "path_with_namespace"))


def project_of(payload: Any) -> str:
    """Return the project's path, else its number, for people."""
    path = text(payload, "project", "path_with_namespace")
    return clean(path) or f"project {number(payload, 'project_id')}"


def pipeline(payload: Any, rules: Sequence[Training]) -> HookEvents:
    """Read a finished pipeline, for the rules without jobs."""
    attributes = at(payload, "object_attributes")
    status = _status(text(attributes, "status"), "pipeline")
    _no_fork(payload)
    fitting = [rule for rule in _fitting(payload, attributes, rules) if not rule.jobs]
    if not fitting:
        raise Ignored("the rules of options.training for this ref are for jobs")
    title = text(payload, "commit", "title")
    ended = training.Ended(
        succeeded=_OUTCOMES[status],
        commit=commit(payload, "object_attributes", "sha"),
        summary=f"pipeline {number(attributes, 'id')} of {project_of(payload)} ended as {status}",
        url=link(text(attributes, "url")),
        fields={"title": title, "name": text(attributes, "name"), "branch": text(attributes, "ref")},
    )
    return HookEvents(training.data(fitting, ended), text(attributes, "finished_at"))


def job(payload: Any, rules: Sequence[Training]) -> HookEvents:
    """Read a finished job; its kind is "build".

    In a merge request's pipeline the ref is refs/merge-requests/..., and nothing tells whether it is a fork's.
    """
    status, name = _status(text(payload, "build_status"), "job"), text(payload, "build_name")
    fitting = [rule for rule in _fitting(payload, payload, rules) if matches(rule.jobs, name)]
    if not fitting:
        raise Ignored(f"job {clean(name)!r} is none of options.training")
    build.branch_of(text(payload, "ref"))  # refuses merge requests, even if a glob of refs matches
    home = text(payload, "project", "web_url") or text(payload, "repository", "homepage")
    ended = training.Ended(
        succeeded=_OUTCOMES[status],
        commit=commit(payload, "sha"),
        summary=f"job {clean(name)} ({number(payload, 'build_id')}) of {project_of(payload)} ended as {status}",
        url=link(f"{home}/-/jobs/{number(payload, 'build_id')}"),
        fields={"title": text(payload, "commit", "message"), "name": name, "branch": text(payload, "ref")},
    )
    return HookEvents(training.data(fitting, ended), text(payload, "build_finished_at"))


def deployed(payload: Any, rules: Sequence[Deployment]) -> HookEvents:
    """Read a finished deployment. options.deployments says which field has the version."""
    if (status := text(payload, "status")) not in _DEPLOYED:
        raise Ignored(f"a deployment that is {clean(status) or 'in no state'}")
    rules_here = [rule for rule in rules if rule.project is None or comes_from(payload, [rule.project])]
    title, branch, environment = (text(payload, name) for name in ("commit_title", "ref", "environment"))
    fields = {"title": title, "branch": branch, "environment": environment}
    subject = deployment.subject(rules_here, payload=None, fields=fields)
    site, log = text(payload, "environment_external_url"), text(payload, "deployable_url")
    data = {
        **subject.fields,
        "environment": environment,
        "url": link(site, log) if status == "success" else link(log, site),
        "commit": text(payload, "short_sha") or None,
    }
    return HookEvents([validation.data(_DEPLOYED[status], data)], text(payload, "status_changed_at"))


def _status(status: str, what: str) -> str:
    """Return the status. A canceled pipeline is no failure: a person or a newer one stopped it."""
    if status not in _OUTCOMES:
        raise Ignored(f"a {what} that is {clean(status) or 'in no state'}")
    return status


def _no_fork(payload: Any) -> None:
    """Raise Ignored for a fork: its merge request may run in this project, with the fork's branch as ref, even `main`.

    https://docs.gitlab.com/ci/pipelines/merge_request_pipelines/#use-with-forked-projects
    """
    request, project = at(payload, "merge_request"), number(payload, "project", "id")
    if request is not None and (project is None or number(request, "source_project_id") != project):
        raise Ignored("a pipeline for a fork's merge request")


def _fitting(payload: Any, attributes: Any, rules: Sequence[Training]) -> list[Training]:
    """Return the rules for this project and ref. Tags are matched by full ref, since a tag may have a branch's name."""
    ref = f"refs/tags/{text(attributes, 'ref')}" if at(attributes, "tag") is not False else text(attributes, "ref")
    rules_here = [rule for rule in rules if rule.project is None or comes_from(payload, [rule.project])]
    fitting = [rule for rule in rules_here if matches(rule.refs, ref)]
    if not fitting:
        raise Ignored(f"ref {clean(ref)!r} of {project_of(payload)} is none of options.training")
    return fitting
