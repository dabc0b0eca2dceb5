"""Evaluate gates: compare a version's values with its policy, each verdict with a reason for people. Pure functions.

worker/actions/request.py puts gates, time gates, quarantine and the targets before together.

A reason stays the same as long as nothing changed, because an approval is bound to it.
"""

import math
import sys
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from registrar.ledger.version_state import GivenTag
from registrar.policy.gates import (
    OPERATORS,
    Comparison,
    Evaluated,
    Gate,
    MaxAge,
    RequiredTags,
    Signature,
    Threshold,
    named,
)
from registrar.policy.time_gates import Timing
from registrar.text.duration import length

_CLOCKS_APART = timedelta(minutes=1)  # allowed difference between the clocks of trainers and workers


@dataclass(frozen=True)
class Evaluation:
    """The newest evaluation of a version. began: when the evaluation's run began."""

    run_id: str
    began: datetime | None
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class Baseline:
    """The version to compare with, and the metrics of its run and of its evaluation.

    last: it is the last holder of the alias by the record, as no usable version holds it now.
    """

    version: int
    metrics: Mapping[str, float]
    evaluated: Mapping[str, float] = field(default_factory=dict)
    last: bool = False


@dataclass(frozen=True)
class GateInputs:
    """A version's values. tags: the version's and its run's; version_tags: the version's alone; given: those that
    events set, by the record.

    baselines: by "@alias", without aliases that have no holder. held_before: aliases that were held before, by the
    record, though no holder is left to compare with. signature: whether the MLmodel file has one; None where no gate
    needs it.
    """

    metrics: Mapping[str, float]
    tags: Mapping[str, str] = field(default_factory=dict)
    version_tags: Mapping[str, str] = field(default_factory=dict)
    given: Mapping[str, GivenTag] = field(default_factory=dict)
    trained_at: datetime | None = None
    now: datetime | None = None
    baselines: Mapping[str, Baseline] = field(default_factory=dict)
    held_before: frozenset[str] = frozenset()
    evaluation: Evaluation | None = None
    signature: bool | None = None


@dataclass(frozen=True)
class Verdict:
    """One gate's result. value: the metric; None where it is missing, not finite, or the gate is not about a metric."""

    gate: str
    passed: bool
    reason: str
    value: float | None = None


def evaluate(gates: Iterable[Gate], inputs: GateInputs) -> list[Verdict]:
    """Return one verdict per gate, in their order, without time gates (time_gates.py).

    A metric that is missing or not finite fails, and so does a time in the future.
    """
    return [_verdict(gate, inputs) for gate in gates if not isinstance(gate, Timing)]


def _verdict(
    gate: Threshold | Comparison | RequiredTags | MaxAge | Evaluated | Signature, inputs: GateInputs
) -> Verdict:
    match gate:
        case RequiredTags():
            return _tags(gate, inputs)
        case MaxAge():
            return _age(gate, inputs)
        case Evaluated():
            return _evaluated(gate, inputs)
        case Signature():
            reason = f"the model is {gate}" if inputs.signature else "the model's MLmodel file has no signature"
            return Verdict(str(gate), bool(inputs.signature), reason)
    return _metric(gate, inputs)


def _metric(gate: Threshold | Comparison, inputs: GateInputs) -> Verdict:
    name = named(gate.metric, gate.of)
    if gate.of == "evaluation" and inputs.evaluation is None:
        return Verdict(str(gate), False, f"it was not evaluated; {gate} is required")
    value = _metrics_from(gate.of, inputs).get(gate.metric)
    if value is None:
        return Verdict(str(gate), False, f"{name} was not logged; {gate} is required")
    if not _is_number(value):
        return Verdict(str(gate), False, f"{name} is {_not_finite(value)}; {gate} is required")
    return _threshold(gate, value) if isinstance(gate, Threshold) else _comparison(gate, value, inputs)


def _metrics_from(origin: str, inputs: GateInputs) -> Mapping[str, float]:
    if origin == "training":
        return inputs.metrics
    return inputs.evaluation.metrics if inputs.evaluation else {}


def _threshold(gate: Threshold, value: float) -> Verdict:
    passed = OPERATORS[gate.op](value, gate.threshold)
    verb = "is" if passed else "is not"
    reason = f"{named(gate.metric, gate.of)} {_short(value, gate.threshold)} {verb} {gate.op} {gate.threshold:.15g}"
    return Verdict(str(gate), passed, reason, value)


def _comparison(gate: Comparison, value: float, inputs: GateInputs) -> Verdict:
    baseline = inputs.baselines.get(gate.baseline)
    base = (baseline.metrics if gate.of == "training" else baseline.evaluated).get(gate.metric) if baseline else None
    candidate = f"{named(gate.metric, gate.of)} {_short(value, value if base is None else base)}"
    if baseline is None and gate.baseline in inputs.held_before:
        why = f"nothing holds {gate.baseline} to compare with, though it was held before; {gate} is required"
        return Verdict(str(gate), False, f"{candidate}: {why}", value)
    if baseline is None:
        passed = gate.when_no_baseline == "pass"
        return Verdict(str(gate), passed, f"{candidate}: nothing holds {gate.baseline} to compare with", value)
    holder = f"{gate.baseline}'s last holder" if baseline.last else gate.baseline
    holder += f" (version {baseline.version})"
    if base is None or not _is_number(base):
        lacking = "has none" if base is None else f"has {_not_finite(base)}"
        return Verdict(str(gate), False, f"{candidate} can't be compared: {holder} {lacking}", value)
    better = _decimal(value) - _decimal(base) if gate.greater_is_better else _decimal(base) - _decimal(value)
    share = abs(better) / abs(_decimal(base)) if base else Decimal("Infinity")
    passed = better > 0 and better >= _decimal(gate.min_absolute_change) and share >= _decimal(gate.min_relative_change)
    required = f"; {gate} is required" if not passed else ""
    word = "better" if better > 0 else "worse" if better < 0 else "no better"
    difference = f" by {_percent(float(share), gate.min_relative_change)}" if better and base else ""
    return Verdict(
        str(gate), passed, f"{candidate} is {word} than {_short(base, value)} of {holder}{difference}{required}", value
    )


def _decimal(value: float) -> Decimal:
    """Return the number as it is written: 6 - 5.94 is 0.06, where floats make it a little less."""
    return Decimal(repr(value))


def _tags(gate: RequiredTags, inputs: GateInputs) -> Verdict:
    if gate.by:
        return _tags_by(gate, inputs)
    lacking = [name for name in gate.tags if not inputs.tags.get(name, "").strip()]
    if lacking:
        return Verdict(str(gate), False, f"the tag {' and '.join(lacking)} is missing on the version and on its run")
    return Verdict(str(gate), True, f"it is {gate}")


def _tags_by(gate: RequiredTags, inputs: GateInputs) -> Verdict:
    if wrong := [why for name in gate.tags if (why := _not_by(name, gate.sources, inputs))]:
        return Verdict(str(gate), False, f"{'; '.join(wrong)}; {gate} is required")
    whose = {source for name in gate.tags for source in inputs.given[name].sources} & {*gate.sources}
    return Verdict(str(gate), True, f"it is tagged {', '.join(gate.tags)}, by {' and '.join(sorted(whose))}")


def _not_by(name: str, sources: Collection[str], inputs: GateInputs) -> str | None:
    """Return why none of the sources set a tag, or None. MLflow's value must be the one that the event set."""
    value, given = inputs.version_tags.get(name, ""), inputs.given.get(name)
    if not value.strip():
        return f"the tag {name} is missing on the version"
    if given is None or given.value != value:
        return f"no recorded event set the tag {name} to this value"
    return None if given.sources & {*sources} else f"the tag {name} was set by {' and '.join(sorted(given.sources))}"


def _age(gate: MaxAge, inputs: GateInputs) -> Verdict:
    if inputs.trained_at is None or inputs.now is None:
        return Verdict(str(gate), False, f"when it was trained is not known; {gate} is required")
    when = f"it was trained on {inputs.trained_at:%Y-%m-%d %H:%M} UTC"
    return _within(gate, gate.max_age, inputs.now - inputs.trained_at, when)


def _evaluated(gate: Evaluated, inputs: GateInputs) -> Verdict:
    if inputs.evaluation is None or inputs.evaluation.began is None or inputs.now is None:
        return Verdict(str(gate), False, f"it was not evaluated; {gate} is required")
    when = f"it was evaluated on {inputs.evaluation.began:%Y-%m-%d %H:%M} UTC (run {inputs.evaluation.run_id})"
    return _within(gate, gate.evaluated_within, inputs.now - inputs.evaluation.began, when)


def _within(gate: MaxAge | Evaluated, limit: str, age: timedelta, when: str) -> Verdict:
    """Compare an age with its limit. A time in the future fails: a run's author can write any."""
    if age < -_CLOCKS_APART:
        return Verdict(str(gate), False, f"{when}, which is in the future; {gate} is required")
    passed = age <= length(limit)
    return Verdict(str(gate), passed, f"{when}, within {limit}" if passed else f"{when}; {gate} is required")


def _is_number(value: float) -> bool:
    """Return whether a metric is finite; MLflow's sqlalchemy_store.py stores infinity as the largest float."""
    return math.isfinite(value) and abs(value) < sys.float_info.max


def _not_finite(value: float) -> str:
    return "NaN" if math.isnan(value) else "inf" if value > 0 else "-inf"


def _short(value: float, other: float) -> str:
    """Format with four digits, or with as many as show on which side of `other` it is: 0.69996 is not shown as 0.7."""
    for text in (f"{value:.4g}", f"{value:.10g}"):
        shown = float(text)
        close = math.isclose(shown, value, rel_tol=1e-3) and (shown % 1 or shown == value)
        if close and (shown < other, shown > other) == (value < other, value > other):
            return text
    return repr(value)


def _percent(share: float, required: float) -> str:
    """Format a share as a percentage that shows on which side of the required one it is."""
    return f"{_short(round(share * 100, 10), round(required * 100, 10))} %"
