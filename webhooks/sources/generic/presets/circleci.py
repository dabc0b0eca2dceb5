"""CircleCI: a workflow that ended.

https://circleci.com/docs/guides/integration/outbound-webhooks/ ("only check the latest signature type": v1)
https://circleci.com/docs/reference/outbound-webhooks-reference/ : pipelines of GitHub's OAuth app and Bitbucket Cloud
have `vcs`; those of GitLab, GitHub's App and Bitbucket Data Center have `trigger_parameters` instead.
"""

import re
from typing import Any

from webhooks.ci import build
from webhooks.ci.build import Build, first
from webhooks.ci.payload import Ignored, at, text
from webhooks.ingress.validation import clean

VERIFY = {"how": "hmac", "header": "circleci-signature", "prefix": "v1=", "separator": ","}
DELIVERY_ID = "id"
WORKFLOW = "workflow"
_OUTCOMES = {"success": True, "failed": False, "error": False}
_PULL_BRANCH = re.compile(r"pull/(\d+)(?:/(?:head|merge))?")
_TRIGGER = "pipeline.trigger_parameters"


def ended(payload: Any) -> Build:
    kind, status = text(payload, "type"), text(payload, "workflow", "status")
    if kind != "workflow-completed":
        raise Ignored(f"events of the kind {clean(kind) or '(none)'}")
    if at(payload, "job") is not None:  # the reference's example for GitLab has this type for a job, too
        raise Ignored("a job of a workflow: the whole workflow counts")
    name = text(payload, "workflow", "name")
    return Build(
        succeeded=build.succeeded(_OUTCOMES, status, what="workflow"),
        branch=_branch(payload),
        names=(name,),
        summary=f"workflow {clean(name)} ended as {status}",
        commit=first(
            payload,
            "pipeline.vcs.revision",
            f"{_TRIGGER}.git.checkout_sha",
            *_of_provider(payload, "checkout_sha"),
            *_of_provider(payload, "commit_sha"),
        ),
        url=text(payload, "workflow", "url"),
        at=text(payload, "happened_at"),
    )


def _branch(payload: Any) -> str:
    """Raises Ignored for pull requests: a fork's branch is pull/NUMBER, or it has a ref of its own."""
    _no_pull_request(payload)
    tag = first(payload, "pipeline.vcs.tag", f"{_TRIGGER}.git.tag")
    if tag:
        return build.tag(tag)
    branch = text(payload, "pipeline", "vcs", "branch")
    if match := _PULL_BRANCH.fullmatch(branch):
        raise build.pull_request(match[1])
    refs = [first(payload, path) for path in (f"{_TRIGGER}.git.ref", *_of_provider(payload, "ref"))]
    branches = [build.branch_of(ref) for ref in refs if ref]  # all, since any of them may be a pull request's
    return branch or next(iter(branches), "") or first(payload, f"{_TRIGGER}.git.branch")


def _no_pull_request(payload: Any) -> None:
    vcs = at(payload, "pipeline", "vcs")
    origin, target = text(vcs, "origin_repository_url"), text(vcs, "target_repository_url")
    if origin and target and origin != target:
        raise build.fork()
    event = first(payload, f"{_TRIGGER}.circleci.event_type")
    if build.is_of_pull_request(event, first(payload, *_of_provider(payload, "type"))):
        raise build.pull_request(first(payload, *_of_provider(payload, "pull_request_number")))


def _of_provider(payload: Any, name: str) -> list[str]:
    """Return the paths of a field of the pipeline's provider (`gitlab`, `github_app`, ...)."""
    trigger = at(payload, *_TRIGGER.split("."))
    providers = set(trigger) - {"git", "circleci"} if isinstance(trigger, dict) else ()
    return [f"{_TRIGGER}.{provider}.{name}" for provider in sorted(providers)]
