"""Metrics of the version that a candidate would replace, for an approver's card."""

import math
from collections.abc import Mapping
from typing import Any

from registrar.policy import Target
from registrar.policy.gates import Comparison, Threshold
from worker.promotions.evidence import Evidence
from worker.registry.protocol import NotFound, Registry, Version, find_version

MOST_METRICS = 100  # a card shows fewer; a run may have thousands


def compare_metrics(registry: Registry, evidence: Evidence, replaced: list[int]) -> dict[str, Any]:
    """Return JSON-able metrics of the candidate, those of gates first, and under "champion" the holder's of the same
    names.
    """
    gates = [gate.metric for gate in evidence.target.gates if isinstance(gate, Threshold | Comparison)]
    names = [name for name in dict.fromkeys([*gates, *sorted(evidence.metrics)]) if name in evidence.metrics]
    shown = names[:MOST_METRICS]
    held = _find_champion(registry, evidence.version, evidence.target, replaced)
    champion = held and {
        "version": held[0].version,
        "of": held[1],
        "metrics": _select(_load_metrics(registry, held[0]), shown),
    }
    return {"metrics": _select(evidence.metrics, shown), "champion": champion}


def _find_champion(
    registry: Registry, version: Version, target: Target, replaced: list[int]
) -> tuple[Version, str] | None:
    """Return the holder of the target's alias, else of its stage; and what it holds."""
    pointed = registry.by_alias(version.model, target.alias) if target.alias else None
    if pointed and pointed.version != version.version:
        return pointed, f"@{target.alias}"
    holder = find_version(registry, version.model, replaced[0]) if replaced else None
    return (holder, target.stage) if holder else None


def _load_metrics(registry: Registry, version: Version) -> Mapping[str, float]:
    """Return {} where the run is gone."""
    try:
        return registry.run(version.run_id).metrics if version.run_id else {}
    except NotFound:
        return {}


def _select(metrics: Mapping[str, float], names: list[str]) -> dict[str, float | str]:
    """Return some metrics; NaN and infinity as text, since databases take none in JSON."""
    found = {name: metrics[name] for name in names if name in metrics}
    return {name: value if math.isfinite(value) else str(value) for name, value in found.items()}
