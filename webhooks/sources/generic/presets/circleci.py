"""CircleCI: a workflow that ended.

https://circleci.com/docs/guides/integration/outbound-webhooks/ ("only check the latest signature type": v1)
https://circleci.com/docs/reference/outbound-webhooks-reference/ : pipelines of GitHub's OAuth app and Bitbucket Cloud
have `vcs`; those of GitLab, GitHub's App and Bitbucket Data Center `trigger_parameters` in its place.
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
_WELL = {"success": True, "failed": False, "error": False}
_PULLED = re.compile(r"pull/(\d+)(?:/(?:head|merge))?")
_MADE_BY = "pipeline.trigger_parameters"


def ended(payload: Any) -> Build:
    kind, status = text(payload, "type"), text(payload, "workflow", "status")
    if kind != "workflow-completed":
        raise Ignored(f"events of the kind {clean(kind) or '(none)'}")
    if at(payload, "job") is not None:  # the reference's example for GitLab has a job's under this type, too
        raise Ignored("a job of a workflow: the whole workflow counts")
    name = text(payload, "workflow", "name")
    return Build(
        well=build.well(_WELL, status, what="workflow"),
        branch=_branch(payload),
        names=(name,),
        said=f"workflow {clean(name)} ended as {status}",
        commit=first(
            payload,
            "pipeline.vcs.revision",
            f"{_MADE_BY}.git.checkout_sha",
            *_of_provider(payload, "checkout_sha"),
            *_of_provider(payload, "commit_sha"),
        ),
        url=text(payload, "workflow", "url"),
        at=text(payload, "happened_at"),
    )


def _branch(payload: Any) -> str:
    """Raises Ignored for pull requests: a fork's have pull/NUMBER for a branch, or a ref of their own."""
    _no_pull_request(payload)
    tag = first(payload, "pipeline.vcs.tag", f"{_MADE_BY}.git.tag")
    if tag:
        return build.tag(tag)
    branch = text(payload, "pipeline", "vcs", "branch")
    if found := _PULLED.fullmatch(branch):
        raise build.pull_request(found[1])
    said = [first(payload, path) for path in (f"{_MADE_BY}.git.ref", *_of_provider(payload, "ref"))]
    refs = [build.of_ref(ref) for ref in said if ref]  # whichever of them is a pull request's
    return branch or next(iter(refs), "") or first(payload, f"{_MADE_BY}.git.branch")


def _no_pull_request(payload: Any) -> None:
    vcs = at(payload, "pipeline", "vcs")
    origin, target = text(vcs, "origin_repository_url"), text(vcs, "target_repository_url")
    if origin and target and origin != target:
        raise build.fork()
    event = first(payload, f"{_MADE_BY}.circleci.event_type")
    if build.proposed(event, first(payload, *_of_provider(payload, "type"))):
        raise build.pull_request(first(payload, *_of_provider(payload, "pull_request_number")))


def _of_provider(payload: Any, name: str) -> list[str]:
    """Where a pipeline's provider (`gitlab`, `github_app`, ...) has a field of its own."""
    made_by = at(payload, *_MADE_BY.split("."))
    providers = set(made_by) - {"git", "circleci"} if isinstance(made_by, dict) else ()
    return [f"{_MADE_BY}.{provider}.{name}" for provider in sorted(providers)]
