"""Reads workflow_run, and our own events in a repository_dispatch."""

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import Field

from registrar.events.types import Data
from registrar.policy.base_model import Glob, matches
from webhooks.ci import training
from webhooks.ci.payload import Ignored, Repository, at, commit, link, number, text
from webhooks.ingress import validation
from webhooks.ingress.errors import InvalidEvent
from webhooks.ingress.validation import clean
from webhooks.sources.github.payloads import comes_from, no_fork

_OUTCOMES = {"success": True, "failure": False, "timed_out": False, "startup_failure": False}


class Workflow(training.Training):
    """A rule for workflows that train the model. A tag's run has the tag's name as its branch."""

    repository: Repository | None = None
    branches: Annotated[list[Glob], Field(min_length=1)]
    workflows: Annotated[list[str], Field(min_length=1, description="paths such as .github/workflows/train.yml")]


def trained(payload: Any, rules: Sequence[Workflow]) -> list[Data]:
    """Read a finished workflow run. A cancelled one is no failure: a person or a newer run stopped it.

    https://docs.github.com/webhooks/webhook-events-and-payloads#workflow_run
    """
    no_fork(payload)
    conclusion = _conclusion(payload)
    fitting = _fitting(payload, rules)
    run = at(payload, "workflow_run")
    ended = training.Ended(
        succeeded=_OUTCOMES[conclusion],
        commit=commit(payload, "workflow_run", "head_sha"),
        summary=f"workflow {clean(text(run, 'name'))} of {clean(text(payload, 'repository', 'full_name'))} "
        f"(run {number(run, 'run_number')}, attempt {number(run, 'run_attempt')}) ended as {conclusion}",
        url=link(text(run, "html_url")),
        fields={"title": text(run, "display_title"), "name": text(run, "name"), "branch": text(run, "head_branch")},
    )
    return training.data(fitting, ended)


def _conclusion(payload: Any) -> str:
    if (action := text(payload, "action")) != "completed":
        raise Ignored(f"a workflow run that is {clean(action)}")
    if (conclusion := text(payload, "workflow_run", "conclusion")) not in _OUTCOMES:
        raise Ignored(f"a workflow run that ended as {clean(conclusion) or 'nothing'}")
    return conclusion


def _fitting(payload: Any, rules: Sequence[Workflow]) -> list[Workflow]:
    """Return the rules for this repository, branch and workflow. Raises Ignored, and says which has no rule."""
    # The path of another repository's workflow is PATH@REF.
    branch, path = text(payload, "workflow_run", "head_branch"), text(payload, "workflow_run", "path")
    here = [rule for rule in rules if rule.repository is None or comes_from(payload, [rule.repository])]
    if not here:
        raise Ignored(f"options.training has no rule for {clean(text(payload, 'repository', 'full_name'))}")
    on_branch = [rule for rule in here if matches(rule.branches, branch)]
    if not on_branch:
        raise Ignored(f"branch {clean(branch)!r} is none of options.training")
    fitting = [rule for rule in on_branch if path.partition("@")[0] in rule.workflows]
    if not fitting:
        raise Ignored(f"workflow {clean(path)!r} is none of options.training")
    return fitting


def dispatched(payload: Any, event_type: str) -> Data:
    """Read one of our events, whose event_type is `action`.

    https://docs.github.com/rest/repos/repos#create-a-repository-dispatch-event
    """
    if (action := text(payload, "action")) != event_type:
        raise Ignored(f"a dispatch of {clean(action)!r}, not of {event_type!r} (options.dispatch)")
    content = at(payload, "client_payload")
    if not isinstance(content, dict) or set(content) != {"type", "data"} or not isinstance(content["data"], dict):
        raise InvalidEvent("client_payload must be an object with type and data, and nothing else")
    return validation.data(text(content, "type"), content["data"])
