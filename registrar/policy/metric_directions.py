"""Which way a metric gets better, where a gate of the model says so."""

import math
from collections.abc import Mapping
from typing import Literal

from registrar.policy.gates import Comparison, Threshold, is_greater_better, named
from registrar.policy.models import ModelPolicy, Target

Verdict = Literal["better", "worse", "equal"]


def directions(policy: ModelPolicy) -> dict[str, bool]:
    """Return whether greater is better, by metric as people read it; the first gate that says so counts."""
    found: dict[str, bool] = {}
    for gate in (gate for target in reversed(policy.targets) for gate in metric_gates(target)):
        found.setdefault(named(gate.metric, gate.of), is_greater_better(gate))
    return found


def metric_gates(target: Target) -> list[Threshold | Comparison]:
    """Return the gates of a target that are about a metric, in their order."""
    return [gate for gate in target.gates if isinstance(gate, Threshold | Comparison)]


def verdict(name: str, new: object, old: object, greater_is_better: Mapping[str, bool]) -> Verdict | None:
    """Return how a metric changed; None where no gate gives the direction, or a value is missing or not finite."""
    if name not in greater_is_better or not _is_finite(new) or not _is_finite(old):
        return None
    if new == old:
        return "equal"
    return "better" if (float(new) > float(old)) == greater_is_better[name] else "worse"  # type: ignore[arg-type]


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
