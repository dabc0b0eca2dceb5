"""A version's metrics against those of the version that it would replace: which are better, by the policy's gates."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from registrar.policy import Target
from registrar.policy.gates import Comparison, Threshold

Verdict = Literal["better", "worse", "same", "higher", "lower"]


@dataclass(frozen=True)
class MetricRow:
    """A metric. baseline: of the other version; None: it has none. verdict: None where the two can't be compared.

    higher and lower: no gate of the target says which is better.
    """

    name: str
    value: object
    baseline: object | None
    verdict: Verdict | None


def compare_metrics(shown: Mapping[str, Any], target: Target | None) -> list[MetricRow]:
    """Return the rows of a comparison. shown: as approvers were shown it (worker/promotions/approval_request.py)."""
    baselines = (shown.get("champion") or {}).get("metrics") or {}
    return [
        MetricRow(
            name, value, baselines.get(name), verdict(value, baselines.get(name), greater_is_better(target, name))
        )
        for name, value in (shown.get("metrics") or {}).items()
    ]


def greater_is_better(target: Target | None, metric: str) -> bool | None:
    """Return which direction a target's gates ask of a metric; None: they ask for none, or for both."""
    directions: set[bool] = set()
    for gate in target.gates if target else ():
        if isinstance(gate, Threshold) and gate.metric == metric:
            directions.add(gate.op in (">", ">="))
        if isinstance(gate, Comparison) and gate.metric == metric:
            directions.add(gate.greater_is_better)
    return directions.pop() if len(directions) == 1 else None


def verdict(new: object, old: object, greater: bool | None) -> Verdict | None:
    """Compare two values. greater: whether greater is better; None: not known."""
    a, b = _number(new), _number(old)
    if a is None or b is None:
        return None
    if a == b:
        return "same"
    if greater is None:
        return "higher" if a > b else "lower"
    return "better" if (a > b) == greater else "worse"


def _number(value: object) -> float | None:
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None
