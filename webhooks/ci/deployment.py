"""Rules that find the model, version and stage of a deployment."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from registrar.events.types import ModelName, Stage
from registrar.policy.base_model import Glob, Strict, most_specific
from webhooks.ci.pattern import Pattern
from webhooks.ci.payload import Ignored
from webhooks.ingress.validation import clean

_NUMBER = re.compile("[0-9]{1,9}")


class VersionPattern(Pattern):
    """A pattern that finds the version in one of these fields."""

    by: Literal["title", "name", "branch", "environment"]


class Deployment(Strict):
    """environments: the stage of each, by name or glob. model, version: used if the payload has none."""

    environments: Annotated[dict[Glob, Stage], Field(min_length=1)]
    model: ModelName | None = None
    version: VersionPattern | None = None


@dataclass(frozen=True)
class Subject:
    """The subject of a deployment. model, version: as sent, not validated yet."""

    model: Any
    version: Any
    stage: str
    environment: str

    @property
    def fields(self) -> dict[str, Any]:
        return {"model": self.model, "version": self.version}


def subject(rules: Sequence[Deployment], *, payload: Any, fields: dict[str, str]) -> Subject:
    """Find model and version by the first rule that yields both. payload: the deployment's own.

    fields: title, name, branch, environment. Raises Ignored: most deployments have nothing to do with a model.
    """
    environment = fields["environment"]
    fitting = [(rule, pattern) for rule in rules if (pattern := most_specific(list(rule.environments), environment))]
    if not fitting:
        raise Ignored(f"environment {clean(environment)!r} is none of options.deployments")
    for rule, pattern in fitting:
        model, version = _field(payload, "model") or rule.model, _version(payload) or _version_by_pattern(rule, fields)
        if model is not None and version is not None:
            return Subject(model, version, rule.environments[pattern], environment)
    raise Ignored(
        f"the deployment to {clean(environment)!r} names no model and version: put both into its payload, "
        "or say in options.deployments where they are"
    )


def _field(payload: Any, name: str) -> Any:
    return payload.get(name) if isinstance(payload, dict) else None


def _version(payload: Any) -> Any:
    """Return the payload's version.

    Without a model beside it only a number counts, since most deployments have nothing to do with a model.
    """
    version = _field(payload, "version")
    is_number = isinstance(version, str | int) and _NUMBER.fullmatch(str(version))
    return version if is_number or _field(payload, "model") is not None else None


def _version_by_pattern(rule: Deployment, fields: dict[str, str]) -> str | None:
    return rule.version.search(fields) if rule.version else None
