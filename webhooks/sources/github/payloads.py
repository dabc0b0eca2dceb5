"""The shapes of GitHub's events, and checks of the repository they come from."""

from collections.abc import Mapping, Sequence
from typing import Any

from webhooks.ci.payload import Ignored, Repository, at, is_one_of, number, text

SHAPES: Mapping[str, tuple[str, ...]] = {
    "workflow_run": ("workflow_run", "workflow"),
    "repository_dispatch": ("client_payload",),
    "deployment_status": ("deployment_status", "deployment"),
    "deployment_protection_rule": ("deployment_callback_url", "deployment"),
    "deployment_review": ("workflow_run", "since"),
}


def comes_from(payload: Any, repositories: Sequence[Repository]) -> bool:
    """Return whether an event comes from one of these repositories."""
    return is_one_of(
        repositories, id=number(payload, "repository", "id"), path=text(payload, "repository", "full_name")
    )


def no_fork(payload: Any) -> None:
    """Raise Ignored for a fork: its pull request runs the base repository's workflows, and can get a signed `success`.

    https://docs.github.com/actions/reference/security/secure-use
    """
    run, repository = at(payload, "workflow_run"), number(payload, "repository", "id")
    if repository is None or number(run, "head_repository", "id") != repository:
        raise Ignored(f"workflow run {number(run, 'id')} is of a fork")
    if text(run, "event") == "pull_request_target":
        raise Ignored("a run on pull_request_target has a branch name that anybody may choose")
