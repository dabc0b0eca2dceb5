"""One metric over the versions of a model, with the lines that gates draw: the numbers of a chart."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from registrar.policy import ModelPolicy
from registrar.policy.gates import Threshold, named
from registrar.policy.metric_directions import metric_gates
from registrar.queries.model_versions import Champion, VersionRow


@dataclass(frozen=True)
class MetricPoint:
    """A version's value. value None: the record has none, or none that is a finite number.

    champion: it holds the last target, or held it. held_back: the targets from which its gates hold it back.
    """

    version: int
    value: float | None
    champion: Champion | None = None
    held_back: tuple[str, ...] = ()
    quarantined: bool = False


@dataclass(frozen=True)
class GateLine:
    """A threshold. words: the gate and its target, for people."""

    threshold: float
    words: str


@dataclass(frozen=True)
class MetricSeries:
    """points: oldest first. lines: of thresholds. gates: those of the metric that have no fixed threshold, in words."""

    metric: str
    points: Sequence[MetricPoint]
    lines: Sequence[GateLine]
    gates: Sequence[str]


def metric_names(policy: ModelPolicy, rows: Iterable[VersionRow]) -> list[str]:
    """Return the metrics to choose from: those of gates first, of the last target first; then the others by name."""
    gates = [named(gate.metric, gate.of) for target in reversed(policy.targets) for gate in metric_gates(target)]
    return list(dict.fromkeys([*gates, *sorted({name for row in rows for name in row.metrics})]))


def metric_series(policy: ModelPolicy, rows: Sequence[VersionRow], metric: str) -> MetricSeries:
    """Return a metric's series. rows: newest first."""
    points = [
        MetricPoint(
            row.version,
            _finite(row.metrics.get(metric)),
            row.champion,
            tuple(held.target for held in row.held_back),
            bool(row.quarantined),
        )
        for row in reversed(rows)
    ]
    lines, others = [], []
    for target in policy.targets:
        for gate in metric_gates(target):
            if named(gate.metric, gate.of) != metric:
                continue
            if isinstance(gate, Threshold):
                lines.append(GateLine(gate.threshold, f"gate of {target.stage}: {gate}"))
            else:
                others.append(f"{target.stage}: {gate}")
    return MetricSeries(metric, points, _merged(lines), others)


def _merged(lines: Iterable[GateLine]) -> list[GateLine]:
    """Return one line per threshold; gates that agree share it."""
    by_threshold: dict[float, list[str]] = {}
    for line in lines:
        by_threshold.setdefault(line.threshold, []).append(line.words)
    return [GateLine(threshold, "; ".join(words)) for threshold, words in by_threshold.items()]


def _finite(value: object) -> float | None:
    """Return a finite number as a float; None for anything else."""
    if not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None
