"""Turns payloads into events by rules of registrar.yml, in JMESPath: https://jmespath.org/specification.html

    - when: type == 'workflow-completed' && workflow.status == 'success'
      type: training_run.finished
      data: {model: "'churn'", run_id: pipeline.parameters.run_id, commit: pipeline.vcs.revision}

An expression walks a payload of limited size and depth and has no loops of its own: what it costs is bounded by both.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Self

import jmespath
from jmespath.exceptions import JMESPathError
from pydantic import AfterValidator, Field, model_validator

from registrar.events.types import VOCABULARY
from registrar.events.types.filters import checked_filter, checked_order
from registrar.policy.base_model import Strict
from registrar.text.sanitize import absent
from webhooks.ingress.errors import InvalidEvent

# A sort by a key that is no text, a number of 5,000 digits: the payload's fault, whatever jmespath raises for it.
_THEIRS = (JMESPathError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RecursionError)


@cache
def _compiled(expression: str) -> Any:
    return jmespath.compile(expression)


def _readable(expression: str) -> str:
    try:
        _compiled(expression)
    except JMESPathError as error:
        lines = str(error).splitlines() or ["empty"]
        raise ValueError(
            f"{expression!r} is not JMESPath: {lines[0].rstrip(':')}; a text of its own is 'in quotes'"
        ) from None
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    return expression


def _known(type_: str) -> str:
    if type_ not in VOCABULARY or type_ == "registry.query":
        known = ", ".join(sorted(VOCABULARY.keys() - {"registry.query"}))
        raise ValueError(f"{type_!r} is not an event type; they are {known}")
    return type_


Expression = Annotated[str, Field(min_length=1, max_length=500), AfterValidator(_readable)]


class Rule(Strict):
    """when: what the payload must meet; none: any does. data: each field's expression, or one for all of it.

    at: when it happened, in one of the forms of webhooks/ci/payload.py.
    """

    when: Expression | None = None
    type: Annotated[str, AfterValidator(_known)]
    data: dict[str, Expression] | Expression
    at: Expression | None = None

    @model_validator(mode="after")
    def _possible_search(self) -> Self:
        """Check a search that does not depend on the payload when the receiver starts."""
        said = self.data.get("search") if isinstance(self.data, dict) else None
        found = _without_payload(said) if said else None
        if isinstance(found, dict):
            if isinstance(found.get("filter_string"), str):
                checked_filter(found["filter_string"])
            if isinstance(orders := found.get("order_by"), list) and all(isinstance(one, str) for one in orders):
                checked_order(orders)
        return self


@dataclass(frozen=True)
class Found:
    """The result of a rule; data and at are not validated yet."""

    type: str
    data: dict[str, Any]
    at: Any


def apply(rules: Sequence[Rule], payload: Any) -> Found | None:
    """Apply the first rule that the payload meets; None if it meets none. Raises InvalidEvent."""
    for rule in rules:
        if rule.when is None or met(rule.when, payload):
            return Found(rule.type, _data(rule, payload), value(rule.at, payload) if rule.at else None)
    return None


def met(when: str, payload: Any) -> bool:
    """Return whether a payload meets an expression. One that the expression can't be applied to does not."""
    try:
        return value(when, payload) is True
    except InvalidEvent:
        return False


def value(expression: str, payload: Any) -> Any:
    """Evaluate an expression. Raises InvalidEvent if it can't be applied to the payload."""
    try:
        return _compiled(expression).search(payload)
    except _THEIRS:
        raise InvalidEvent(f"the payload is not what {expression!r} of registrar.yml takes") from None


def _without_payload(expression: str) -> Any:
    """Evaluate an expression on an empty payload: its literals; None if it needs more."""
    try:
        return value(expression, {})
    except InvalidEvent:
        return None


def _data(rule: Rule, payload: Any) -> dict[str, Any]:
    """Evaluate the fields; leave out null and empty ones, which optional fields may be."""
    if isinstance(rule.data, str):
        found = value(rule.data, payload)
        if not isinstance(found, dict):
            raise InvalidEvent(f"{rule.data} of the payload must be an object: the data of {rule.type}")
        return found
    return _read(rule.data, payload)


def _read(data: Mapping[str, str], payload: Any) -> dict[str, Any]:
    fields = {name: value(expression, payload) for name, expression in data.items()}
    return {name: found for name, found in fields.items() if not absent(found)}


def with_data(rules: Sequence[Rule], more: Mapping[str, str]) -> list[Rule]:
    """Return the rules with these fields added or replaced, where their event types have such fields."""
    return [_with(rule, rule.data, more) if isinstance(rule.data, dict) else rule for rule in rules]


def _with(rule: Rule, data: Mapping[str, str], more: Mapping[str, str]) -> Rule:
    return rule.model_copy(update={"data": {**data, **_fitting(rule.type, more)}})


def added(type_: str, data: Mapping[str, Any], more: Mapping[str, str], payload: Any) -> dict[str, Any]:
    """Return an event's data with the values of these expressions instead of its own. Raises InvalidEvent."""
    own = {name: said for name, said in data.items() if name not in more}
    return {**own, **_read(_fitting(type_, more), payload)}


def _fitting(type_: str, more: Mapping[str, str]) -> dict[str, str]:
    """Return the fields that events of this type have."""
    return {name: more[name] for name in more if name in VOCABULARY[type_].model_fields}
