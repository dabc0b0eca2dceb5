"""The metric that decides about a model, by its gates, and how it went from version to version, by the record."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from registrar.ledger.queries.model_paths import PathHolding, PathRequest, Registration
from registrar.policy import ModelPolicy, Target
from registrar.policy.gates import Comparison, Threshold, deciding_metric, is_greater_better, named, reads

MOST = 12  # versions of a trend
Gate = Threshold | Comparison
Verdicts = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Reading:
    """The metric of one version. held_back: its gates held it back, and nobody asked for it again."""

    version: int
    value: float
    held_back: bool = False


@dataclass(frozen=True)
class MetricTrend:
    """readings: of the newest versions that have one, the oldest first. champion: of the version in the last target;
    None: it is not known, or nothing is there.
    """

    name: str
    greater_is_better: bool
    readings: tuple[Reading, ...]
    champion: Reading | None

    def to_json(self) -> dict[str, Any]:
        readings = [dict(vars(each)) for each in self.readings]
        champion = dict(vars(self.champion)) if self.champion else None
        return {"name": self.name, "greater_is_better": self.greater_is_better, "champion": champion, "trend": readings}


def deciding_gate(policy: ModelPolicy) -> Gate | None:
    """Return the first gate about a metric of the last target that has one."""
    gates = (deciding_metric(target.gates) for target in reversed(policy.targets))
    return next((gate for gate in gates if gate), None)


def metric_trend(
    policy: ModelPolicy,
    holdings: Iterable[PathHolding],
    requests: Iterable[PathRequest],
    registrations: Iterable[Registration],
) -> MetricTrend | None:
    """Return the trend of the deciding metric, of versions of the present model; None: no gate is about a metric."""
    gate = deciding_gate(policy)
    if gate is None:
        return None
    requests, registrations, holdings = list(requests), list(registrations), list(holdings)
    values = _values(gate, requests, registrations)
    asked = {request.version for request in requests}
    held_back = {one.version for one in registrations if one.held_back} - asked
    readings = tuple(Reading(version, values[version], version in held_back) for version in sorted(values)[-MOST:])
    champion = _champion(policy.targets[-1], policy, holdings, gate, values)
    return MetricTrend(named(gate.metric, gate.of), is_greater_better(gate), readings, champion)


def _values(gate: Gate, requests: Sequence[PathRequest], registrations: Sequence[Registration]) -> dict[int, float]:
    """Return the metric by version. A verdict of its gates is newer than its registration. requests: newest first."""
    values: dict[int, float] = {}
    if gate.of == "training":
        values = {one.version: one.metrics[gate.metric] for one in registrations if gate.metric in one.metrics}
    for request in reversed(requests):
        value = _value(gate, request.gates)
        if value is not None:
            values[request.version] = value
    return values


def _value(gate: Gate, verdicts: Verdicts) -> float | None:
    found = (one.get("value") for one in verdicts if reads(gate, str(one.get("gate", ""))))
    return next((float(value) for value in found if value is not None), None)


def _champion(
    target: Target, policy: ModelPolicy, holdings: Sequence[PathHolding], gate: Gate, values: Mapping[int, float]
) -> Reading | None:
    place = policy.holding_key(target)
    holding = next((one for one in holdings if (one.kind, one.key) == place), None)
    if holding is None:
        return None
    value = values.get(holding.version, _value(gate, holding.gates))
    return None if value is None else Reading(holding.version, value)
