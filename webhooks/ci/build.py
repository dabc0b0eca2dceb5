"""A build that ended, as a preset of the kind `generic` reads it, and which builds have trained a model."""

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
    """What a CI system says of a build, a workflow's run or a job that ended.

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
        """The event's data, as far as the build says it. A commit that is no SHA (Buildkite's HEAD) is none."""
        shown = link(self.url)
        said = {"commit": self.commit if COMMIT.fullmatch(self.commit) else "", "run_id": self.run_id}
        if not self.well:
            said["reason"] = f"{self.said}: {shown}" if shown else self.said
        return {name: text for name, text in said.items() if not absent(text)}


def check(build: Build, *, branches: list[str], workflows: list[str], what: str) -> None:
    """Whether it is one that trains. what: such as "workflow", for people. Raises Ignored, and says which is another's.

    As for github and gitlab: names or globs. A build that names no branch is of "*" alone.
    """
    if not matches(branches, build.branch):
        raise Ignored(f"branch {clean(build.branch)!r} is none of options.branches" if build.branch else _NO_BRANCH)
    names = [name for name in build.names if name] or [""]
    if not any(matches(workflows, name) for name in names):
        raise Ignored(f"{what} {clean(names[0])!r} is none of options.workflows")


_NO_BRANCH = "it names no branch; options.branches takes that where it is ['*']"


def well(outcomes: Mapping[str, bool], status: str, *, what: str) -> bool:
    """How it ended. Raises Ignored for what has not ended, and for what ended neither well nor badly."""
    if status not in outcomes:
        raise Ignored(f"a {what} that is {clean(status) or 'in no state'}")
    return outcomes[status]


def of_ref(ref: str) -> str:
    """The branch of a whole ref, such as refs/heads/main; a tag's stays. Raises Ignored for pull requests."""
    if found := _PULL_REQUEST.fullmatch(ref):
        raise pull_request(found[1])
    return ref.removeprefix("refs/heads/")


def tag(name: str) -> str:
    """As a branch: a tag may be called as one is, so tags go by their path."""
    return f"refs/tags/{name}" if name else ""


def pull_request(number: object = None) -> Ignored:
    which = "a pull request" if absent(number) else f"pull request {clean(str(number))}"
    return Ignored(f"a build of {which}: what is proposed is not merged yet")


def proposed(*causes: str) -> bool:
    """Whether one of these, as products name what set a build off, is about a pull or merge request."""
    return any(_PROPOSED.search(cause) for cause in causes)


def fork() -> Ignored:
    return Ignored("a build of a fork")


def first(payload: Any, *paths: str) -> str:
    """The first text that is there, by paths such as "pipeline.vcs.branch"; "" for none."""
    texts = (at(payload, *path.split(".")) for path in paths)
    return next((text for text in texts if isinstance(text, str) and text.strip()), "")
