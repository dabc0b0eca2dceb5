"""Gates: a version's metrics against its policy, each with a reason that a person can read. Pure functions."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from registrar.policy.models import OPERATORS, Gate


@dataclass(frozen=True)
class Verdict:
    """One gate's word. value: the metric, or None where it is missing or not finite."""

    gate: str
    passed: bool
    reason: str
    value: float | None


def evaluate(gates: Iterable[Gate], metrics: Mapping[str, float]) -> list[Verdict]:
    """One verdict per gate, in their order. A missing metric or NaN fails: silence is not consent."""
    return [_verdict(gate, metrics.get(gate.metric)) for gate in gates]


def _verdict(gate: Gate, value: float | None) -> Verdict:
    if value is None:
        return Verdict(str(gate), False, f"{gate.metric} was not logged; {gate} is required", None)
    if math.isnan(value):
        return Verdict(str(gate), False, f"{gate.metric} is NaN; {gate} is required", None)
    passed = OPERATORS[gate.op](value, gate.threshold)
    verb = "is" if passed else "is not"
    reason = f"{gate.metric} {_short(value)} {verb} {gate.op} {gate.threshold:g}"
    return Verdict(str(gate), passed, reason, value if math.isfinite(value) else None)


def _short(value: float) -> str:
    """Four digits, unless that would hide which side of a threshold it is on: 6.99996 is not shown as 7."""
    short = f"{value:.4g}"
    return short if math.isclose(float(short), value, rel_tol=1e-3) and float(short) % 1 else f"{value:.10g}"
