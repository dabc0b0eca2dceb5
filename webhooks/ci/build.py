"""A finished build, as a preset of the kind `generic` reads it, and the check whether it trained a model."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from registrar.policy.base_model import matches
from registrar.text.sanitize import absent
from webhooks.ci.payload import COMMIT, Ignored, at, link
from webhooks.ingress.validation import clean

_PROPOSED = re.compile(r"(?:pull|merge)[-_ ]?request", re.IGNORECASE)
_PULL_REQUEST = re.compile(r"refs/(?:pull|pull-requests|merge-requests)/(\d+)(?:/.*)?")


@dataclass(frozen=True)
class Build:
    """A finished build, workflow run or job, as its CI system reports it.

    branch: its name, refs/tags/NAME for a tag, "" where none is said. names: what options.workflows may call it.
    commit, run_id, at: as they were sent, "" where they were not. said: how it ended, in one sentence.
    """

    well: bool
    branch: str
    names: tuple[str, ...]
    said: str
    commit: str = ""
    run_id: str = ""
    url: str = ""
    at: str = ""

    @property
    def type(self) -> str:
        return "training_run.finished" if self.well else "training_run.failed"

    @property
    def data(self) -> dict[str, str]:
        """Return the event's data, as far as the build has it.

        A commit that is no SHA (Buildkite's HEAD) is left out.
        """
        shown = link(self.url)
        said = {"commit": self.commit if COMMIT.fullmatch(self.commit) else "", "run_id": self.run_id}
        if not self.well:
            said["reason"] = f"{self.said}: {shown}" if shown else self.said
        return {name: text for name, text in said.items() if not absent(text)}


def check(build: Build, *, branches: list[str], workflows: list[str], what: str) -> None:
    """Check that a build is one that trains. what: such as "workflow", for people. Raises Ignored with the difference.

    As for github and gitlab: names or globs. A build that names no branch is of "*" alone.
    """
    if not matches(branches, build.branch):
        raise Ignored(f"branch {clean(build.branch)!r} is none of options.branches" if build.branch else _NO_BRANCH)
    names = [name for name in build.names if name] or [""]
    if not any(matches(workflows, name) for name in names):
        raise Ignored(f"{what} {clean(names[0])!r} is none of options.workflows")


_NO_BRANCH = "it names no branch; options.branches takes that where it is ['*']"


def well(outcomes: Mapping[str, bool], status: str, *, what: str) -> bool:
    """Return whether it succeeded. Raises Ignored for a build that has not ended, or neither succeeded nor failed."""
    if status not in outcomes:
        raise Ignored(f"a {what} that is {clean(status) or 'in no state'}")
    return outcomes[status]


def of_ref(ref: str) -> str:
    """Return the branch of a full ref such as refs/heads/main; a tag's ref stays. Raises Ignored for pull requests."""
    if found := _PULL_REQUEST.fullmatch(ref):
        raise pull_request(found[1])
    return ref.removeprefix("refs/heads/")


def tag(name: str) -> str:
    """Return a tag's full ref, since a tag may have a branch's name."""
    return f"refs/tags/{name}" if name else ""


def pull_request(number: object = None) -> Ignored:
    which = "a pull request" if absent(number) else f"pull request {clean(str(number))}"
    return Ignored(f"a build of {which}: what is proposed is not merged yet")


def proposed(*causes: str) -> bool:
    """Return whether one of these triggers of a build is about a pull or merge request."""
    return any(_PROPOSED.search(cause) for cause in causes)


def fork() -> Ignored:
    return Ignored("a build of a fork")


def first(payload: Any, *paths: str) -> str:
    """Return the first text at one of the paths, such as "pipeline.vcs.branch"; "" for none."""
    texts = (at(payload, *path.split(".")) for path in paths)
    return next((text for text in texts if isinstance(text, str) and text.strip()), "")
