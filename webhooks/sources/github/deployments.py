"""Reads deployment_status, deployment_protection_rule and deployment_review."""

import re
from collections.abc import Sequence
from typing import Any

from registrar.events.types import Data
from webhooks.chat import reply_address
from webhooks.ci import deployment
from webhooks.ci.payload import Ignored, Repository, at, link, text
from webhooks.ingress import strict_json, validation
from webhooks.ingress.errors import InvalidEvent, NotJson
from webhooks.ingress.source_types import Context
from webhooks.ingress.validation import clean
from webhooks.sources.github.payloads import comes_from, no_fork

HOSTS = frozenset({"api.github.com"})
_DEPLOYED = {"success": "deployment.succeeded", "failure": "deployment.failed", "error": "deployment.failed"}
_REVIEWED = {"approved": "promotion.approve", "rejected": "promotion.reject"}
_OF_PULL_REQUESTS = frozenset({"pull_request", "pull_request_target"})


class Deployment(deployment.Deployment):
    """A rule for deployments of models."""

    repository: Repository | None = None


def deployed(payload: Any, rules: Sequence[Deployment]) -> Data:
    """Read a finished deployment.

    https://docs.github.com/webhooks/webhook-events-and-payloads#deployment_status
    """
    if at(payload, "workflow_run", "head_repository") is not None:
        no_fork(payload)
    if (state := text(payload, "deployment_status", "state")) not in _DEPLOYED:
        raise Ignored(f"a deployment that is {clean(state) or 'in no state'}")
    subject = _subject(payload, rules)
    site, log = (text(payload, "deployment_status", name) for name in ("environment_url", "log_url"))
    return validation.data(
        _DEPLOYED[state],
        {
            **subject.fields,
            "environment": subject.environment,
            "url": link(site, log) if state == "success" else link(log, site),
            "commit": text(payload, "deployment", "sha") or None,
        },
    )


def requested(payload: Any, rules: Sequence[Deployment]) -> Data:
    """Read a deployment that waits at a protection rule, as a request for a promotion.

    The answer goes to deployment_callback_url when the promotion has ended: see `callback`.
    https://docs.github.com/webhooks/webhook-events-and-payloads#deployment_protection_rule
    """
    if (action := text(payload, "action")) != "requested":
        raise Ignored(f"a protection rule that is {clean(action)}")
    if text(payload, "event") in _OF_PULL_REQUESTS:
        raise Ignored("a deployment by a pull request, which may be a fork's")
    subject = _subject(payload, rules)
    reason = f"a deployment of {clean(text(payload, 'repository', 'full_name'))} waits at {clean(subject.environment)}"
    return validation.data("promotion.request", {**subject.fields, "target": subject.stage, "reason": reason})


def callback(payload: Any, context: Context) -> str:
    """Return the encrypted callback address of a waiting run, with its environment. Raises InvalidEvent.

    https://docs.github.com/actions/how-tos/deploy/configure-and-manage-deployments/create-custom-protection-rules
    """
    url, repository = text(payload, "deployment_callback_url"), text(payload, "repository", "full_name")
    path = rf"(/api/v3)?/repos/{re.escape(repository)}/actions/runs/[0-9]+/deployment_protection_rule"
    if not re.fullmatch(rf"https?://[^/?#]+{path}", url):
        raise InvalidEvent("deployment_callback_url is not that of a run of this repository")
    environment = text(payload, "environment") or text(payload, "deployment", "environment")
    return reply_address.encrypt(url, kind="github", hosts=HOSTS, context=context, environment=environment)


def reviewed(payload: Any, rules: Sequence[Deployment]) -> list[Data]:
    """Read a review as votes. It has no deployment: only the run's title, name or branch can name the version.

    https://docs.github.com/webhooks/webhook-events-and-payloads#deployment_review
    """
    no_fork(payload)
    if (action := text(payload, "action")) not in _REVIEWED:
        raise Ignored(f"a deployment review that is {clean(action)}")
    reason = text(payload, "comment") or None
    votes = [
        validation.data(_REVIEWED[action], {**subject.fields, "target": subject.stage, "reason": reason})
        for subject in _reviewed_subjects(payload, rules)
    ]
    return [vote for index, vote in enumerate(votes) if vote not in votes[:index]]


def _subject(payload: Any, rules: Sequence[Deployment]) -> deployment.Subject:
    """Return model, version and stage of a payload with a deployment."""
    deployed = at(payload, "deployment")
    fields = {
        "environment": text(payload, "environment") or text(deployed, "environment"),
        "branch": text(deployed, "ref"),
        "title": text(deployed, "description"),
        "name": text(deployed, "task"),
    }
    return deployment.subject(_rules_here(payload, rules), payload=_payload(deployed), fields=fields)


def _payload(deployed: Any) -> Any:
    """Return a deployment's payload, which is an object or a text, often with JSON."""
    payload = at(deployed, "payload")
    try:
        return strict_json.parse_theirs(payload.encode()) if isinstance(payload, str) else payload
    except NotJson:
        return None


def _reviewed_subjects(payload: Any, rules: Sequence[Deployment]) -> list[deployment.Subject]:
    """Return the subjects of a review's environments; skip those without a model. Raises Ignored if none is left."""
    run, rules_here, subjects = at(payload, "workflow_run"), _rules_here(payload, rules), []
    fields = {"title": text(run, "display_title"), "name": text(run, "name"), "branch": text(run, "head_branch")}
    ignored = Ignored("a deployment review of no environment")
    for environment in _environments(payload):
        try:
            subjects.append(deployment.subject(rules_here, payload=None, fields={**fields, "environment": environment}))
        except Ignored as reason:
            ignored = reason
    if not subjects:
        raise ignored
    return subjects


def _environments(payload: Any) -> list[str]:
    more_jobs = at(payload, "workflow_job_runs")
    jobs = [at(payload, "workflow_job_run"), *(more_jobs if isinstance(more_jobs, list) else ())]
    return list(dict.fromkeys(name for job in jobs if (name := text(job, "environment"))))


def _rules_here(payload: Any, rules: Sequence[Deployment]) -> list[Deployment]:
    return [rule for rule in rules if rule.repository is None or comes_from(payload, [rule.repository])]
