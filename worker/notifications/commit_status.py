"""What a fact means for the commit that a version was trained from: a status, a label for it, and a line of text."""

import re
from typing import Annotated, Literal

from pydantic import Field

from registrar.events.facts import CommitState, traits
from registrar.events.outcome import Fact
from registrar.text import markdown
from worker.notifications.notifiers import NotApplicable

As = Annotated[Literal["status", "comment"], Field(alias="as")]
Context = Annotated[str, Field(min_length=1, max_length=100, description="before /TARGET; one per model in a monorepo")]
_MOST = 140  # characters of a description that GitHub takes


def sha(fact: Fact) -> str:
    """The commit, 40 hex digits. Raises NotApplicable for a fact without one: a short one could be another's."""
    found = fact.details.get("commit")
    if not isinstance(found, str) or not re.fullmatch("[0-9a-fA-F]{40}", found):
        raise NotApplicable("it knows no commit" if not found else "its commit is not one of 40 hex digits")
    return found.lower()


def state(fact: Fact) -> CommitState:
    """Raises NotApplicable for a fact that changes nothing about a commit, such as a description."""
    if (found := traits(fact.type).commit) is None:
        raise NotApplicable("it makes no difference to a commit's status")
    return found


def context(fact: Fact, prefix: str) -> str:
    """What the status is about: `registrar/Production`. The same target's next status takes its place."""
    details = fact.details
    about = details.get("target") or details.get("stage") or details.get("environment") or fact.type.partition(".")[0]
    return f"{prefix}/{' '.join(str(about).split())[:60]}"


def description(fact: Fact) -> str:
    text = " ".join(fact.text.split())
    return text if len(text) <= _MOST else text[: _MOST - 1] + "…"


def comment(fact: Fact) -> str:
    return markdown_line(fact.text)


def markdown_line(text: str) -> str:
    """One line of Markdown that calls nobody and does nothing: what begins a line with / is a command to GitLab."""
    return f"Registrar: {markdown.unreferred(' '.join(text.split()), most=4000)}"


def link(fact: Fact) -> str | None:
    """Where a deployment can be looked at."""
    url = fact.details.get("url")
    return url if isinstance(url, str) and re.fullmatch(r"https?://[!-~]{1,2000}", url) else None
