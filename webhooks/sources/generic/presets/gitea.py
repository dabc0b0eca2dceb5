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
_WELL = {"success": True, "failure": False}
_DONE = frozenset({"success", "failure", "recover"})


def ended(payload: Any) -> Build:
    run = at(payload, "workflow_run")
    if run is None and at(payload, "run") is not None:
        return _of_forgejo(payload)
    if run is None:
        raise Ignored("an event that is not of a workflow's run: workflow_run, or Forgejo's action_run_...")
    if (action := text(payload, "action")) != "completed":
        raise Ignored(f"a workflow's run that is {clean(action)}")
    # The workflow's file at the ref that it ran on: train.yml@refs/heads/main.
    file, _, ref = text(run, "path").partition("@")
    branch = _merged(text(run, "event"), ref=ref) or text(run, "head_branch")
    _no_fork(run, payload)
    return Build(
        well=build.well(_WELL, text(run, "conclusion"), what="workflow's run"),
        branch=branch,
        names=_names(file, text(payload, "workflow", "path"), text(payload, "workflow", "id")),
        said=f"workflow {clean(text(run, 'display_title'))} ended as {text(run, 'conclusion')}",
        commit=text(run, "head_sha"),
        url=text(run, "html_url"),
        at=text(run, "completed_at"),
    )


def _of_forgejo(payload: Any) -> Build:
    """Read Forgejo's payload.

    `recover` is an extra report of a success after a failure. A cancelled run is a failure.
    """
    action, run = text(payload, "action"), at(payload, "run")
    if action not in _DONE:
        raise Ignored(f"a workflow's run that is {clean(action)}")
    if at(run, "is_fork_pull_request") is True:
        raise build.fork()
    status = text(run, "status") or ("failure" if action == "failure" else "success")
    return Build(
        well=build.well(_WELL, status, what="workflow's run"),
        branch=_forgejo_branch(run),
        names=_names(text(run, "workflow_id")),
        said=f"workflow {clean(first(run, 'title', 'workflow_id'))} ended as {status}",
        commit=text(run, "commit_sha"),
        url=text(run, "html_url"),
        at=first(run, "stopped", "updated"),
    )


def _forgejo_branch(run: Any) -> str:
    """`prettyref` is a branch, a tag, or #NUMBER of a pull request; what set the run off tells a tag from a branch."""
    pretty, cause = text(run, "prettyref"), _inner(text(run, "event_payload"))
    if pretty.startswith("#") and pretty.removeprefix("#").isdecimal():
        raise build.pull_request(pretty.removeprefix("#"))
    events = (text(run, "trigger_event"), text(run, "event"))
    ref = _merged(*events, ref=text(cause, "ref"))
    tagged = ref == build.tag(pretty) or text(cause, "ref_type") == "tag" or "release" in events
    return build.tag(pretty) if tagged else pretty


def _merged(*events: str, ref: str) -> str:
    """The branch or tag of a ref. Raises Ignored for pull requests; of pull_request_target the ref is the target's."""
    if build.proposed(*events):
        raise build.pull_request()
    return build.of_ref(ref)


def _no_fork(run: Any, payload: Any) -> None:
    """Raise Ignored for a fork, by the repositories' ids and names as far as both have them."""
    head, here = at(run, "head_repository"), at(payload, "repository")
    ids, names = (number(head, "id"), number(here, "id")), (text(head, "full_name"), text(here, "full_name").lower())
    if (None not in ids and ids[0] != ids[1]) or (all(names) and names[0].lower() != names[1]):
        raise build.fork()


def _names(*files: str) -> tuple[str, ...]:
    """Return a workflow's file name, with and without its folder."""
    return tuple(name for file in files for name in dict.fromkeys([file.rpartition("/")[2], file]))


def _inner(said: str) -> Any:
    """Parse JSON within a text field."""
    try:
        return strict_json.parse(said.encode()) if said else None
    except NotJson:
        return None
