"""What a fact means for the commit that a version was trained from: a status, a label for it, and a line of text."""

import re
from typing import Annotated, Literal

from pydantic import Field

from registrar.events.outcome import Fact
from registrar.text import markdown
from worker.notifications.notifiers import NotApplicable

State = Literal["pending", "success", "failure", "error"]  # GitHub's words
As = Annotated[Literal["status", "comment"], Field(alias="as")]
Context = Annotated[str, Field(min_length=1, max_length=100, description="before /TARGET; one per model in a monorepo")]
_MOST = 140  # characters of a description that GitHub takes
# By what happened to whatever it was. error: it ended, and nothing was found against the version.
_STATES: dict[str, State] = {
    "awaiting_approval": "pending",
    "waiting": "pending",
    "approved": "pending",
    "broke_glass": "pending",
    "registered": "success",
    "transitioned": "success",
    "promoted": "success",
    "succeeded": "success",
    "rejected": "failure",
    "held_back": "failure",
    "failed": "failure",
    "dead": "error",
    "expired": "error",
    "timed_out": "error",
    "superseded": "error",
    "cancelled": "error",
    "void": "error",
}


def sha(fact: Fact) -> str:
    """The commit, 40 hex digits. Raises NotApplicable for a fact without one: a short one could be another's."""
    found = fact.details.get("commit")
    if not isinstance(found, str) or not re.fullmatch("[0-9a-fA-F]{40}", found):
        raise NotApplicable("it knows no commit" if not found else "its commit is not one of 40 hex digits")
    return found.lower()


def state(fact: Fact) -> State:
    """Raises NotApplicable for a fact that changes nothing about a commit, such as a description."""
    happened = fact.type.rpartition(".")[2]
    if happened not in _STATES:
        raise NotApplicable("it makes no difference to a commit's status")
    return _STATES[happened]


def context(fact: Fact, prefix: str) -> str:
    """What the status is about: `registrar/Production`. The same target's next status takes its place."""
    details = fact.details
    about = details.get("target") or details.get("stage") or details.get("environment") or fact.type.partition(".")[0]
    return f"{prefix}/{' '.join(str(about).split())[:60]}"


def description(fact: Fact) -> str:
    text = " ".join(fact.text.split())
    return text if len(text) <= _MOST else text[: _MOST - 1] + "…"


def comment(fact: Fact) -> str:
    return said(fact.text)


def said(text: str) -> str:
    """One line of Markdown that calls nobody and does nothing: what begins a line with / is a command to GitLab."""
    return f"Registrar: {markdown.unreferred(' '.join(text.split()), most=4000)}"


def link(fact: Fact) -> str | None:
    """Where a deployment can be looked at."""
    url = fact.details.get("url")
    return url if isinstance(url, str) and re.fullmatch(r"https?://[!-~]{1,2000}", url) else None
