"""Reads deployment_status, deployment_protection_rule and deployment_review."""

import re
from collections.abc import Sequence
from typing import Any

from registrar.events.types import Data
from webhooks.chat import reply_address
from webhooks.ci import deployment
from webhooks.ci.payload import Ignored, Place, at, link, text
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
    """Which deployments are of models."""

    repository: Place | None = None


def deployed(payload: Any, rules: Sequence[Deployment]) -> Data:
    """https://docs.github.com/webhooks/webhook-events-and-payloads#deployment_status"""
    if at(payload, "workflow_run", "head_repository") is not None:
        no_fork(payload)
    if (state := text(payload, "deployment_status", "state")) not in _DEPLOYED:
        raise Ignored(f"a deployment that is {clean(state) or 'in no state'}")
    about = _about(payload, rules)
    shown, log = (text(payload, "deployment_status", name) for name in ("environment_url", "log_url"))
    return validation.data(
        _DEPLOYED[state],
        {
            **about.fields,
            "environment": about.environment,
            "url": link(shown, log) if state == "success" else link(log, shown),
            "commit": text(payload, "deployment", "sha") or None,
        },
    )


def requested(payload: Any, rules: Sequence[Deployment]) -> Data:
    """https://docs.github.com/webhooks/webhook-events-and-payloads#deployment_protection_rule

    The answer goes to deployment_callback_url, when the promotion has ended: see `callback`.
    """
    if (action := text(payload, "action")) != "requested":
        raise Ignored(f"a protection rule that is {clean(action)}")
    if text(payload, "event") in _OF_PULL_REQUESTS:
        raise Ignored("a deployment by a pull request, which may be a fork's")
    about = _about(payload, rules)
    reason = f"a deployment of {clean(text(payload, 'repository', 'full_name'))} waits at {clean(about.environment)}"
    return validation.data("promotion.request", {**about.fields, "target": about.stage, "reason": reason})


def callback(payload: Any, context: Context) -> str:
    """Return the encrypted callback address and the environment of a waiting run. Raises InvalidEvent.

    https://docs.github.com/actions/how-tos/deploy/configure-and-manage-deployments/create-custom-protection-rules
    """
    url, repository = text(payload, "deployment_callback_url"), text(payload, "repository", "full_name")
    path = rf"(/api/v3)?/repos/{re.escape(repository)}/actions/runs/[0-9]+/deployment_protection_rule"
    if not re.fullmatch(rf"https?://[^/?#]+{path}", url):
        raise InvalidEvent("deployment_callback_url is not that of a run of this repository")
    environment = text(payload, "environment") or text(payload, "deployment", "environment")
    return reply_address.encrypt(url, kind="github", hosts=HOSTS, context=context, environment=environment)


def reviewed(payload: Any, rules: Sequence[Deployment]) -> list[Data]:
    """https://docs.github.com/webhooks/webhook-events-and-payloads#deployment_review

    It has no deployment: only the run's title, name or branch can name the reviewed version.
    """
    no_fork(payload)
    if (action := text(payload, "action")) not in _REVIEWED:
        raise Ignored(f"a deployment review that is {clean(action)}")
    reason = text(payload, "comment") or None
    votes = [
        validation.data(_REVIEWED[action], {**about.fields, "target": about.stage, "reason": reason})
        for about in _each_reviewed(payload, rules)
    ]
    return [vote for index, vote in enumerate(votes) if vote not in votes[:index]]


def _about(payload: Any, rules: Sequence[Deployment]) -> deployment.Named:
    """Find model, version and stage of a payload with a deployment."""
    found = at(payload, "deployment")
    fields = {
        "environment": text(payload, "environment") or text(found, "environment"),
        "branch": text(found, "ref"),
        "title": text(found, "description"),
        "name": text(found, "task"),
    }
    return deployment.named(_here(payload, rules), payload=_payload(found), fields=fields)


def _payload(found: Any) -> Any:
    """Return a deployment's payload, which is an object or a text, often with JSON."""
    said = at(found, "payload")
    try:
        return strict_json.parse_theirs(said.encode()) if isinstance(said, str) else said
    except NotJson:
        return None


def _each_reviewed(payload: Any, rules: Sequence[Deployment]) -> list[deployment.Named]:
    """Yield a review's environments; skip those of no model. Raises Ignored if none is left."""
    run, here, named = at(payload, "workflow_run"), _here(payload, rules), []
    fields = {"title": text(run, "display_title"), "name": text(run, "name"), "branch": text(run, "head_branch")}
    ignored = Ignored("a deployment review of no environment")
    for environment in _environments(payload):
        try:
            named.append(deployment.named(here, payload=None, fields={**fields, "environment": environment}))
        except Ignored as reason:
            ignored = reason
    if not named:
        raise ignored
    return named


def _environments(payload: Any) -> list[str]:
    several = at(payload, "workflow_job_runs")
    jobs = [at(payload, "workflow_job_run"), *(several if isinstance(several, list) else ())]
    return list(dict.fromkeys(name for job in jobs if (name := text(job, "environment"))))


def _here(payload: Any, rules: Sequence[Deployment]) -> list[Deployment]:
    return [rule for rule in rules if rule.repository is None or comes_from(payload, [rule.repository])]
