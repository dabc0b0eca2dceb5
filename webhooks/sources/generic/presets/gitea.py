"""Gitea and Forgejo: a workflow of Actions that ended.

https://docs.gitea.com/usage/webhooks (X-Gitea-Signature: bare hexadecimal; Forgejo sends it, too)
https://forgejo.org/docs/latest/user/webhooks/ : {"action": "success" | "failure" | "recover", "run": {...}}
"""

from typing import Any

from webhooks.ci import build
from webhooks.ci.build import Build, first
from webhooks.ci.payload import Ignored, at, number, text
from webhooks.ingress import strict_json
from webhooks.ingress.errors import NotJson
from webhooks.ingress.validation import clean

VERIFY = {"how": "hmac", "header": "x-gitea-signature"}
DELIVERY_ID = None
WORKFLOW = "workflow"
_OUTCOMES = {"success": True, "failure": False}
_DONE = frozenset({"success", "failure", "recover"})


def ended(payload: Any) -> Build:
    run = at(payload, "workflow_run")
    if run is None and at(payload, "run") is not None:
        return _of_forgejo(payload)
    if run is None:
        raise Ignored("an event other than workflow_run, or Forgejo's action_run_...")
    if (action := text(payload, "action")) != "completed":
        raise Ignored(f"a workflow's run that is {clean(action)}")
    # The workflow's file and the ref: train.yml@refs/heads/main.
    file, _, ref = text(run, "path").partition("@")
    branch = _branch(text(run, "event"), ref=ref) or text(run, "head_branch")
    _no_fork(run, payload)
    return Build(
        succeeded=build.succeeded(_OUTCOMES, text(run, "conclusion"), what="workflow's run"),
        branch=branch,
        names=_names(file, text(payload, "workflow", "path"), text(payload, "workflow", "id")),
        summary=f"workflow {clean(text(run, 'display_title'))} ended as {text(run, 'conclusion')}",
        commit=text(run, "head_sha"),
        url=text(run, "html_url"),
        at=text(run, "completed_at"),
    )


def _of_forgejo(payload: Any) -> Build:
    """Read Forgejo's payload.

    `recover` is an additional report of a success after a failure. A cancelled run is a failure.
    """
    action, run = text(payload, "action"), at(payload, "run")
    if action not in _DONE:
        raise Ignored(f"a workflow's run that is {clean(action)}")
    if at(run, "is_fork_pull_request") is True:
        raise build.fork()
    status = text(run, "status") or ("failure" if action == "failure" else "success")
    return Build(
        succeeded=build.succeeded(_OUTCOMES, status, what="workflow's run"),
        branch=_forgejo_branch(run),
        names=_names(text(run, "workflow_id")),
        summary=f"workflow {clean(first(run, 'title', 'workflow_id'))} ended as {status}",
        commit=text(run, "commit_sha"),
        url=text(run, "html_url"),
        at=first(run, "stopped", "updated"),
    )


def _forgejo_branch(run: Any) -> str:
    """Raises Ignored for pull requests. `prettyref` is a branch, a tag, or a pull request's #NUMBER; the trigger tells
    a tag from a branch.
    """
    pretty, trigger = text(run, "prettyref"), _parse_text(text(run, "event_payload"))
    if pretty.startswith("#") and pretty.removeprefix("#").isdecimal():
        raise build.pull_request(pretty.removeprefix("#"))
    events = (text(run, "trigger_event"), text(run, "event"))
    ref = _branch(*events, ref=text(trigger, "ref"))
    is_tag = ref == build.tag(pretty) or text(trigger, "ref_type") == "tag" or "release" in events
    return build.tag(pretty) if is_tag else pretty


def _branch(*events: str, ref: str) -> str:
    """Return a ref's branch or tag. Raises Ignored for pull requests: pull_request_target has the target's ref."""
    if build.is_of_pull_request(*events):
        raise build.pull_request()
    return build.branch_of(ref)


def _no_fork(run: Any, payload: Any) -> None:
    """Raise Ignored for a fork, by the repositories' ids and names as far as both have them."""
    head, here = at(run, "head_repository"), at(payload, "repository")
    ids, names = (number(head, "id"), number(here, "id")), (text(head, "full_name"), text(here, "full_name").lower())
    if (None not in ids and ids[0] != ids[1]) or (all(names) and names[0].lower() != names[1]):
        raise build.fork()


def _names(*files: str) -> tuple[str, ...]:
    """Return a workflow's file name, with and without its folder."""
    return tuple(name for file in files for name in dict.fromkeys([file.rpartition("/")[2], file]))


def _parse_text(json: str) -> Any:
    """Parse the JSON in a text field; None if it is malformed."""
    try:
        return strict_json.parse(json.encode()) if json else None
    except NotJson:
        return None
