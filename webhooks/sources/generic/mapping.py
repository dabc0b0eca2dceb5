"""Turns payloads into events by rules of registrar.yml, in JMESPath: https://jmespath.org/specification.html

    - when: type == 'workflow-completed' && workflow.status == 'success'
      type: training_run.finished
      data: {model: "'churn'", run_id: pipeline.parameters.run_id, commit: pipeline.vcs.revision}

The cost of an expression is bounded: payloads have a limited size and depth, and expressions have no loops.
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

# Raised by jmespath if an expression can't be applied to a payload: a sort by keys that are no texts, for example.
_PAYLOAD_ERRORS = (JMESPathError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RecursionError)


@cache
def _compiled(expression: str) -> Any:
    return jmespath.compile(expression)


def _valid(expression: str) -> str:
    try:
        _compiled(expression)
    except JMESPathError as error:
        lines = str(error).splitlines() or ["empty"]
        raise ValueError(
            f"{expression!r} is not JMESPath: {lines[0].rstrip(':')}; a literal text is 'in quotes'"
        ) from None
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    return expression


def _known(type_: str) -> str:
    if type_ not in VOCABULARY or type_ == "registry.query":
        known = ", ".join(sorted(VOCABULARY.keys() - {"registry.query"}))
        raise ValueError(f"{type_!r} is not an event type; the types are {known}")
    return type_


Expression = Annotated[str, Field(min_length=1, max_length=500), AfterValidator(_valid)]


class Rule(Strict):
    """when: a condition; None: every payload meets the rule. data: an expression per field, or one for all data.

    at: the time of the event, in a form of webhooks/ci/payload.py.
    """

    when: Expression | None = None
    type: Annotated[str, AfterValidator(_known)]
    data: dict[str, Expression] | Expression
    at: Expression | None = None

    @model_validator(mode="after")
    def _valid_search(self) -> Self:
        """Check a search that does not depend on the payload when the receiver starts."""
        expression = self.data.get("search") if isinstance(self.data, dict) else None
        search = _without_payload(expression) if expression else None
        if isinstance(search, dict):
            if isinstance(search.get("filter_string"), str):
                checked_filter(search["filter_string"])
            if isinstance(orders := search.get("order_by"), list) and all(isinstance(order, str) for order in orders):
                checked_order(orders)
        return self


@dataclass(frozen=True)
class Mapped:
    """The result of a rule or preset; data and at are not validated yet."""

    type: str
    data: dict[str, Any]
    at: Any


def apply(rules: Sequence[Rule], payload: Any) -> Mapped | None:
    """Apply the first rule that the payload meets; None if it meets none. Raises InvalidEvent."""
    for rule in rules:
        if rule.when is None or met(rule.when, payload):
            return Mapped(rule.type, _data(rule, payload), value(rule.at, payload) if rule.at else None)
    return None


def met(when: str, payload: Any) -> bool:
    """Return whether a payload meets an expression; False if the expression can't be applied to it."""
    try:
        return value(when, payload) is True
    except InvalidEvent:
        return False


def value(expression: str, payload: Any) -> Any:
    """Evaluate an expression. Raises InvalidEvent if it can't be applied to the payload."""
    try:
        return _compiled(expression).search(payload)
    except _PAYLOAD_ERRORS:
        raise InvalidEvent(f"{expression!r} of registrar.yml can't be applied to the payload") from None


def _without_payload(expression: str) -> Any:
    """Evaluate an expression on an empty payload: its literals; None if it needs more."""
    try:
        return value(expression, {})
    except InvalidEvent:
        return None


def _data(rule: Rule, payload: Any) -> dict[str, Any]:
    """Evaluate the fields; leave out null and empty ones, since fields may be optional."""
    if isinstance(rule.data, str):
        data = value(rule.data, payload)
        if not isinstance(data, dict):
            raise InvalidEvent(f"{rule.data} of the payload must be an object: the data of {rule.type}")
        return data
    return _evaluate(rule.data, payload)


def _evaluate(data: Mapping[str, str], payload: Any) -> dict[str, Any]:
    fields = {name: value(expression, payload) for name, expression in data.items()}
    return {name: field for name, field in fields.items() if not absent(field)}


def with_data(rules: Sequence[Rule], more: Mapping[str, str]) -> list[Rule]:
    """Return the rules with these fields added or replaced, where their event types have such fields."""
    return [_with(rule, rule.data, more) if isinstance(rule.data, dict) else rule for rule in rules]


def _with(rule: Rule, data: Mapping[str, str], more: Mapping[str, str]) -> Rule:
    return rule.model_copy(update={"data": {**data, **_fitting(rule.type, more)}})


def overridden(type_: str, data: Mapping[str, Any], more: Mapping[str, str], payload: Any) -> dict[str, Any]:
    """Return an event's data, overridden by the values of these expressions. Raises InvalidEvent."""
    own = {name: field for name, field in data.items() if name not in more}
    return {**own, **_evaluate(_fitting(type_, more), payload)}


def _fitting(type_: str, more: Mapping[str, str]) -> dict[str, str]:
    """Return those fields that events of this type have."""
    return {name: more[name] for name in more if name in VOCABULARY[type_].model_fields}
