"""Which version of which model a deployment is about, and which stage its environment stands for."""

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
    """The version stands in one of these."""

    by: Literal["title", "name", "branch", "environment"]


class Deployment(Strict):
    """environments: the stage that each stands for, by name or glob. model, version: where the payload has none."""

    environments: Annotated[dict[Glob, Stage], Field(min_length=1)]
    model: ModelName | None = None
    version: VersionPattern | None = None


@dataclass(frozen=True)
class Named:
    """What a deployment is about; model and version are as they were sent, and not yet judged."""

    model: Any
    version: Any
    stage: str
    environment: str

    @property
    def fields(self) -> dict[str, Any]:
        return {"model": self.model, "version": self.version}


def named(rules: Sequence[Deployment], *, payload: Any, fields: dict[str, str]) -> Named:
    """By the first rule that can name both. payload: the deployment's own. fields: title, name, branch, environment.

    Raises Ignored: most deployments are of something else than a model.
    """
    environment = fields["environment"]
    fitting = [(rule, pattern) for rule in rules if (pattern := most_specific(list(rule.environments), environment))]
    if not fitting:
        raise Ignored(f"environment {clean(environment)!r} is none of options.deployments")
    for rule, pattern in fitting:
        model, version = _field(payload, "model") or rule.model, _version(payload) or _version_by_pattern(rule, fields)
        if model is not None and version is not None:
            return Named(model, version, rule.environments[pattern], environment)
    raise Ignored(
        f"the deployment to {clean(environment)!r} names no model and version: put both into its payload, "
        "or say in options.deployments where they stand"
    )


def _field(payload: Any, name: str) -> Any:
    return payload.get(name) if isinstance(payload, dict) else None


def _version(payload: Any) -> Any:
    """Without a model beside it, only a number can be one of a model's: most deployments are of something else."""
    said = _field(payload, "version")
    meant = _field(payload, "model") is not None or (isinstance(said, str | int) and _NUMBER.fullmatch(str(said)))
    return said if meant else None


def _version_by_pattern(rule: Deployment, fields: dict[str, str]) -> str | None:
    return rule.version.search(fields) if rule.version else None
