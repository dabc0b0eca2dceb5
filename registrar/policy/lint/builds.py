"""Warns about repositories, branches, workflows and models in the options of CI sources that no event can match.

Branches are names or globs; repositories and GitHub's workflows are paths.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

from registrar.policy.document import Policy
from registrar.policy.errors import Complaint, Place
from registrar.policy.sources import Source

# Not allowed in a branch's name, by https://git-scm.com/docs/git-check-ref-format ; * ? [ ] belong to globs.
_NO_REF = re.compile(r"[\x00-\x20~^:\\]|\.\.|(^|/)\.|\$$")
_WORKFLOW = re.compile(r"(.+/)?\.github/workflows/[^*?/@]+\.ya?ml|dynamic/.+")
_REPOSITORY, _PROJECT = re.compile(r"[\w.-]+/[\w.-]+"), re.compile(r"[\w.-]+(/[\w.-]+)+")
_TRAINED = ("training_run.finished", "training_run.failed")
_DEPLOYED = ("deployment.succeeded", "deployment.failed", "promotion.request", "promotion.approve", "promotion.reject")
_TEXT = re.compile(r"'([^'`]+)'")  # of JMESPath


def check(policy: Policy) -> Iterator[Complaint]:
    for name, source in policy.sources.items():
        at = ("sources", name, "options")
        if source.kind in _BY_KIND:
            yield from _BY_KIND[source.kind](at, source)


def _of_github(at: Place, source: Source) -> Iterator[Complaint]:
    yield from _each((*at, "repositories"), source.options.get("repositories"), _no_repository)
    for place, rule in _rules(at, source, "training"):
        yield from _each((*place, "branches"), rule.get("branches"), _no_branch)
        yield from _each((*place, "workflows"), rule.get("workflows"), _no_workflow)
    yield from _not_granted(at, source)


def _of_gitlab(at: Place, source: Source) -> Iterator[Complaint]:
    yield from _each((*at, "projects"), source.options.get("projects"), _no_project)
    for place, rule in _rules(at, source, "training"):
        yield from _each((*place, "refs"), rule.get("refs"), _no_branch)
    yield from _not_granted(at, source)


def _of_preset(at: Place, source: Source) -> Iterator[Complaint]:
    yield from _each((*at, "branches"), source.options.get("branches"), _no_branch)
    data = source.options.get("data")
    model = _TEXT.fullmatch(str(data.get("model"))) if isinstance(data, dict) else None
    if model and "branches" in source.options and (why := _refused(source, model[1], _TRAINED)):
        yield (*at, "data", "model"), why


def _rules(at: Place, source: Source, key: str) -> Iterator[tuple[Place, dict[str, Any]]]:
    """Yield rules that are mappings; others are refused elsewhere."""
    rules = source.options.get(key)
    for nth, rule in enumerate(rules if isinstance(rules, list) else []):
        if isinstance(rule, dict):
            yield (*at, key, nth), rule


def _not_granted(at: Place, source: Source) -> Iterator[Complaint]:
    for key, events in (("training", _TRAINED), ("deployments", _DEPLOYED)):
        for place, rule in _rules(at, source, key):
            model = rule.get("model")
            if isinstance(model, str) and (why := _refused(source, model, events)):
                yield (*place, "model"), why


def _refused(source: Source, model: str, events: tuple[str, ...]) -> str | None:
    if not source.may or any(source.grants(event, model) for event in events):
        return None
    family = events[0].partition(".")[0]
    return f"may of this source grants no {family}.* about {model!r}, so every event from this rule is refused"


def _each(at: Place, values: Any, find_problem: Callable[[str], str | None]) -> Iterator[Complaint]:
    for nth, value in enumerate(values if isinstance(values, list) else []):
        if isinstance(value, str) and (why := find_problem(value)):
            yield (*at, nth), why


def _no_branch(pattern: str) -> str | None:
    if pattern.startswith("refs/heads/"):
        return f"{pattern!r} matches no branch: write the name alone, such as {pattern.removeprefix('refs/heads/')}"
    if _NO_REF.search(pattern):
        return f"{pattern!r} matches no branch: it is a name or a glob, such as main or release-*"
    return None


def _no_workflow(path: str) -> str | None:
    if _WORKFLOW.fullmatch(path):
        return None
    return f"{path!r} is not a workflow: write the path of its file, such as .github/workflows/train.yml, not a glob"


def _no_repository(path: str) -> str | None:
    return None if _REPOSITORY.fullmatch(path) else f"{path!r} is no repository: write OWNER/NAME, or its number"


def _no_project(path: str) -> str | None:
    return None if _PROJECT.fullmatch(path) else f"{path!r} is no project: write GROUP/NAME, or its number"


_BY_KIND: dict[str, Callable[[Place, Source], Iterator[Complaint]]] = {
    "github": _of_github,
    "gitlab": _of_gitlab,
    "generic": _of_preset,
}
