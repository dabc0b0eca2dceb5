"""Whom a version is compared with: who holds an alias now; where nobody does, who held it last by the record.

So a gate is not opened by taking the holder away, nor by giving the alias to the version itself, which is not compared
with itself. Only where no other ever held it is there nothing to compare with.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from registrar.ledger import Ledger
from registrar.ledger.holders import ever_held
from registrar.policy import ModelPolicy, Target
from registrar.policy.gates import Comparison, Threshold
from worker.promotions import version_state
from worker.promotions.evidence import Evidence
from worker.registry.protocol import NotFound, Registry, Version, present


@dataclass(frozen=True)
class Compared:
    """holder: None where nobody is left. before: nobody else holds it now, but somebody did."""

    holder: Version | None
    before: bool = False


def compared_with(registry: Registry, ledger: Ledger, policy: ModelPolicy, version: Version, alias: str) -> Compared:
    """Raises Retryable. What was rolled back is no measure: its metrics may be what was wrong with it."""
    now = registry.by_alias(version.model, alias)
    if now and now.version != version.version:
        return Compared(now)
    others = [number for number in _ever(registry, ledger, policy, version, alias) if number != version.version]
    there = (present(registry, version.model, number) for number in others)
    last = next((one for one in there if one and not version_state.why(ledger, one)), None)
    return Compared(last, before=bool(others))


def _ever(registry: Registry, ledger: Ledger, policy: ModelPolicy, version: Version, alias: str) -> list[int]:
    """Who held the alias, or the stage of its target, since the model was made; the one that came last first.

    What a model of that name held that was deleted was another model's.
    """
    target = next((one for one in policy.targets if one.alias == alias), None)
    places = [("alias", alias), *([("stage", target.stage)] if target and policy.mode != "aliases" else [])]
    with ledger.read() as connection:
        if not ever_held(connection, version.model, places):
            return []
    made = registry.model(version.model).created_at
    with ledger.read() as connection:
        return ever_held(connection, version.model, places, made=made)


MOST_METRICS = 100  # a card shows fewer; a run may have thousands


def compared(registry: Registry, evidence: Evidence, replaced: list[int]) -> dict[str, Any]:
    """JSON-able: the candidate's metrics, those of gates first, and under "champion" the holder's of the same names."""
    gates = [gate.metric for gate in evidence.target.gates if isinstance(gate, Threshold | Comparison)]
    names = [name for name in dict.fromkeys([*gates, *sorted(evidence.metrics)]) if name in evidence.metrics]
    shown = names[:MOST_METRICS]
    held = _held(registry, evidence.version, evidence.target, replaced)
    champion = held and {
        "version": held[0].version,
        "of": held[1],
        "metrics": _some(_metrics(registry, held[0]), shown),
    }
    return {"metrics": _some(evidence.metrics, shown), "champion": champion}


def _held(registry: Registry, version: Version, target: Target, replaced: list[int]) -> tuple[Version, str] | None:
    """Whoever the target's alias points at, else who holds its stage; and what it holds."""
    pointed = registry.by_alias(version.model, target.alias) if target.alias else None
    if pointed and pointed.version != version.version:
        return pointed, f"@{target.alias}"
    holder = present(registry, version.model, replaced[0]) if replaced else None
    return (holder, target.stage) if holder else None


def _metrics(registry: Registry, version: Version) -> Mapping[str, float]:
    """None at all where its run is gone."""
    try:
        return registry.run(version.run_id).metrics if version.run_id else {}
    except NotFound:
        return {}


def _some(metrics: Mapping[str, float], names: list[str]) -> dict[str, float | str]:
    """Databases take no NaN in JSON."""
    found = {name: metrics[name] for name in names if name in metrics}
    return {name: value if math.isfinite(value) else str(value) for name, value in found.items()}
