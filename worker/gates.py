"""Gates: what a version shows against its policy, each with a reason that a person can read. Pure functions.

A reason says the same as long as nothing changed: an approval is bound to it.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from registrar.policy.gates import OPERATORS, Comparison, Gate, MaxAge, RequiredTags, Threshold, length


@dataclass(frozen=True)
class Baseline:
    """The version that an alias points at, and its run's metrics."""

    version: int
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class Seen:
    """What gates look at. tags: the version's and its run's. baselines: by "@alias"; one without a holder lacks."""

    metrics: Mapping[str, float]
    tags: Mapping[str, str] = field(default_factory=dict)
    trained_at: datetime | None = None
    now: datetime | None = None
    baselines: Mapping[str, Baseline] = field(default_factory=dict)


@dataclass(frozen=True)
class Verdict:
    """One gate's word. value: the metric, or None where it is missing, not finite, or not what the gate is about."""

    gate: str
    passed: bool
    reason: str
    value: float | None = None


def evaluate(gates: Iterable[Gate], seen: Seen) -> list[Verdict]:
    """One verdict per gate, in their order. A missing metric or NaN fails: silence is not consent."""
    return [_verdict(gate, seen) for gate in gates]


def _verdict(gate: Gate, seen: Seen) -> Verdict:
    match gate:
        case RequiredTags():
            return _tags(gate, seen)
        case MaxAge():
            return _age(gate, seen)
    value = seen.metrics.get(gate.metric)
    if value is None:
        return Verdict(str(gate), False, f"{gate.metric} was not logged; {gate} is required")
    if math.isnan(value):
        return Verdict(str(gate), False, f"{gate.metric} is NaN; {gate} is required")
    return _threshold(gate, value) if isinstance(gate, Threshold) else _comparison(gate, value, seen)


def _threshold(gate: Threshold, value: float) -> Verdict:
    passed = OPERATORS[gate.op](value, gate.threshold)
    verb = "is" if passed else "is not"
    reason = f"{gate.metric} {_short(value)} {verb} {gate.op} {gate.threshold:g}"
    return Verdict(str(gate), passed, reason, _finite(value))


def _comparison(gate: Comparison, value: float, seen: Seen) -> Verdict:
    said, of = f"{gate.metric} {_short(value)}", seen.baselines.get(gate.baseline)
    if of is None:
        passed = gate.when_no_baseline == "pass"
        return Verdict(str(gate), passed, f"{said}: nothing holds {gate.baseline} to compare with", _finite(value))
    base = of.metrics.get(gate.metric)
    holder = f"{gate.baseline} (version {of.version})"
    if base is None or not math.isfinite(base):
        lacking = "has none" if base is None else f"has {base}"
        return Verdict(str(gate), False, f"{said} can't be compared: {holder} {lacking}", _finite(value))
    better = value - base if gate.greater_is_better else base - value
    passed = better > 0 and better >= gate.min_absolute_change and _relative(better, base) >= gate.min_relative_change
    asked = f"; {gate} is required" if not passed else ""
    word = "better" if better > 0 else "worse" if better < 0 else "no better"
    share = f" by {_relative(better, base) * 100:.3g} %" if better and base else ""
    return Verdict(str(gate), passed, f"{said} is {word} than {_short(base)} of {holder}{share}{asked}", _finite(value))


def _relative(better: float, base: float) -> float:
    """Of nothing, any improvement is without end."""
    return abs(better) / abs(base) if base else math.inf


def _tags(gate: RequiredTags, seen: Seen) -> Verdict:
    lacking = [name for name in gate.tags if not seen.tags.get(name, "").strip()]
    if lacking:
        return Verdict(str(gate), False, f"the tag {' and '.join(lacking)} is missing on the version and on its run")
    return Verdict(str(gate), True, f"it is {gate}")


def _age(gate: MaxAge, seen: Seen) -> Verdict:
    if seen.trained_at is None or seen.now is None:
        return Verdict(str(gate), False, f"when it was trained is not known; {gate} is required")
    passed = seen.now - seen.trained_at <= length(gate.max_age)
    when = f"it was trained on {seen.trained_at:%Y-%m-%d %H:%M} UTC"
    return Verdict(str(gate), passed, f"{when}, within {gate.max_age}" if passed else f"{when}; {gate} is required")


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _short(value: float) -> str:
    """Four digits, unless that would hide which side of a threshold it is on: 6.99996 is not shown as 7."""
    short = f"{value:.4g}"
    return short if math.isclose(float(short), value, rel_tol=1e-3) and float(short) % 1 else f"{value:.10g}"
