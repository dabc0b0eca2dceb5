"""Turn a fact into a status or comment of the commit that the version was trained from."""

import re
from typing import Annotated, Any, Literal

from pydantic import Field

from registrar.events.facts import CommitState, traits
from registrar.events.outcome import Fact
from registrar.text import markdown
from registrar.text.wording import cut
from worker.notifications.notifiers import NotApplicable

As = Annotated[Literal["status", "comment"], Field(alias="as")]
Context = Annotated[str, Field(min_length=1, max_length=100, description="before /TARGET; one per model in a monorepo")]
_MAX_DESCRIPTION = 140  # characters; GitHub's limit


def sha(fact: Fact) -> str:
    """Return the fact's commit, 40 hex digits. Raises NotApplicable for a shorter one, which could be ambiguous."""
    commit = fact.details.get("commit")
    if not isinstance(commit, str) or not re.fullmatch("[0-9a-fA-F]{40}", commit):
        raise NotApplicable("it knows no commit" if not commit else "its commit is not one of 40 hex digits")
    return commit.lower()


def state(fact: Fact) -> CommitState:
    """Return the commit's new state. Raises NotApplicable for a fact that does not change it, such as a description."""
    if (commit_state := traits(fact.type).commit) is None:
        raise NotApplicable("it makes no difference to a commit's status")
    return commit_state


def context(fact: Fact, prefix: str) -> str:
    """Return the status's label, such as `registrar/Production`; a later status with the same label replaces it."""
    details = fact.details
    about = details.get("target") or details.get("stage") or details.get("environment") or fact.type.partition(".")[0]
    return f"{prefix}/{' '.join(str(about).split())[:60]}"


def description(fact: Fact) -> str:
    return cut(" ".join(fact.text.split()), _MAX_DESCRIPTION)


def status(fact: Fact, prefix: str, *, label: str) -> dict[str, Any]:
    """Return the status' known fields, as GitHub names them. label: the field for the label. Raises NotApplicable."""
    fields = {
        "state": state(fact),
        label: context(fact, prefix),
        "description": description(fact),
        "target_url": link(fact),
    }
    return {name: value for name, value in fields.items() if value is not None}


def comment(fact: Fact) -> str:
    return markdown_line(fact.text)


def markdown_line(text: str) -> str:
    """Return one line of Markdown that mentions nobody and runs nothing: GitLab runs a line that starts with /."""
    return f"Registrar: {markdown.without_references(' '.join(text.split()), most=4000)}"


def link(fact: Fact) -> str | None:
    """Return the address of the deployment's page, if it is a plain http(s) address."""
    url = fact.details.get("url")
    return url if isinstance(url, str) and re.fullmatch(r"https?://[!-~]{1,2000}", url) else None
