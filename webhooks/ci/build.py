"""A finished build, as the presets of the kind `generic` read it, and the check whether it trains a model."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from registrar.policy.base_model import matches
from registrar.text.sanitize import absent
from webhooks.ci.payload import COMMIT, Ignored, at, link
from webhooks.ingress.validation import clean

_PULL_REQUEST_CAUSE = re.compile(r"(?:pull|merge)[-_ ]?request", re.IGNORECASE)
_PULL_REQUEST = re.compile(r"refs/(?:pull|pull-requests|merge-requests)/(\d+)(?:/.*)?")


@dataclass(frozen=True)
class Build:
    """A finished build, workflow run or job, as its CI system reports it.

    branch: its name, refs/tags/NAME for a tag, "" if not known. names: those that options.workflows may use for it.
    commit, run_id, at: as sent, "" if absent. succeeded: whether it did; else it failed. summary: one sentence.
    """

    succeeded: bool
    branch: str
    names: tuple[str, ...]
    summary: str
    commit: str = ""
    run_id: str = ""
    url: str = ""
    at: str = ""

    @property
    def type(self) -> str:
        return "training_run.finished" if self.succeeded else "training_run.failed"

    @property
    def data(self) -> dict[str, str]:
        """Return the event's data, as far as known.

        A commit that is no SHA (Buildkite's HEAD) is left out.
        """
        url = link(self.url)
        data = {"commit": self.commit if COMMIT.fullmatch(self.commit) else "", "run_id": self.run_id}
        if not self.succeeded:
            data["reason"] = f"{self.summary}: {url}" if url else self.summary
        return {name: text for name, text in data.items() if not absent(text)}


def check(build: Build, *, branches: list[str], workflows: list[str], what: str) -> None:
    """Check that a build is one that trains. Raises Ignored with the difference.

    branches, workflows: names or globs; a build without a branch matches only *. what: such as "workflow", for people.
    """
    if not matches(branches, build.branch):
        raise Ignored(f"branch {clean(build.branch)!r} is none of options.branches" if build.branch else _NO_BRANCH)
    names = [name for name in build.names if name] or [""]
    if not any(matches(workflows, name) for name in names):
        raise Ignored(f"{what} {clean(names[0])!r} is none of options.workflows")


_NO_BRANCH = "it names no branch; set options.branches to ['*'] to accept that"


def succeeded(outcomes: Mapping[str, bool], status: str, *, what: str) -> bool:
    """Return whether a build succeeded. Raises Ignored for one that neither succeeded nor failed."""
    if status not in outcomes:
        raise Ignored(f"a {what} that is {clean(status) or 'in no state'}")
    return outcomes[status]


def branch_of(ref: str) -> str:
    """Return the branch of a full ref such as refs/heads/main; a tag's ref stays. Raises Ignored for pull requests."""
    if match := _PULL_REQUEST.fullmatch(ref):
        raise pull_request(match[1])
    return ref.removeprefix("refs/heads/")


def tag(name: str) -> str:
    """Return a tag's full ref, since a tag may have a branch's name."""
    return f"refs/tags/{name}" if name else ""


def pull_request(number: object = None) -> Ignored:
    which = "a pull request" if absent(number) else f"pull request {clean(str(number))}"
    return Ignored(f"a build of {which}, which is not merged yet")


def is_of_pull_request(*causes: str) -> bool:
    """Return whether one of these triggers of a build is a pull or merge request."""
    return any(_PULL_REQUEST_CAUSE.search(cause) for cause in causes)


def fork() -> Ignored:
    return Ignored("a build of a fork")


def first(payload: Any, *paths: str) -> str:
    """Return the first text at one of the paths, such as "pipeline.vcs.branch"; "" for none."""
    texts = (at(payload, *path.split(".")) for path in paths)
    return next((text for text in texts if isinstance(text, str) and text.strip()), "")
