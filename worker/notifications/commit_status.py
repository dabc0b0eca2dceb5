"""What a fact means for the commit that a version was trained from: a status, its label, and a line of text."""

import re
from typing import Annotated, Literal

from pydantic import Field

from registrar.events.facts import CommitState, traits
from registrar.events.outcome import Fact
from registrar.text import markdown
from worker.notifications.notifiers import NotApplicable

As = Annotated[Literal["status", "comment"], Field(alias="as")]
Context = Annotated[str, Field(min_length=1, max_length=100, description="before /TARGET; one per model in a monorepo")]
_MOST = 140  # characters of a description; GitHub's limit


def sha(fact: Fact) -> str:
    """Return the commit, 40 hex digits. Raises NotApplicable for a shorter one: it could be another's."""
    found = fact.details.get("commit")
    if not isinstance(found, str) or not re.fullmatch("[0-9a-fA-F]{40}", found):
        raise NotApplicable("it knows no commit" if not found else "its commit is not one of 40 hex digits")
    return found.lower()


def state(fact: Fact) -> CommitState:
    """Raises NotApplicable for a fact that does not change a commit's status, such as a description."""
    if (found := traits(fact.type).commit) is None:
        raise NotApplicable("it makes no difference to a commit's status")
    return found


def context(fact: Fact, prefix: str) -> str:
    """Return the status's label, such as `registrar/Production`; a later status with the same label replaces it."""
    details = fact.details
    about = details.get("target") or details.get("stage") or details.get("environment") or fact.type.partition(".")[0]
    return f"{prefix}/{' '.join(str(about).split())[:60]}"


def description(fact: Fact) -> str:
    text = " ".join(fact.text.split())
    return text if len(text) <= _MOST else text[: _MOST - 1] + "…"


def comment(fact: Fact) -> str:
    return markdown_line(fact.text)


def markdown_line(text: str) -> str:
    """Return one line of Markdown that mentions nobody and runs nothing: GitLab takes a line that starts with / as a
    command.
    """
    return f"Registrar: {markdown.without_references(' '.join(text.split()), most=4000)}"


def link(fact: Fact) -> str | None:
    """Return the page of a deployment, if it is a plain http(s) address."""
    url = fact.details.get("url")
    return url if isinstance(url, str) and re.fullmatch(r"https?://[!-~]{1,2000}", url) else None
