"""Whom a version is compared with: who holds an alias now; where nobody does, who held it last by the record.

So a gate is not opened by taking the holder away, nor by giving the alias to the version itself, which is not compared
with itself. Only where no other ever held it is there nothing to compare with.
"""

from dataclasses import dataclass

from registrar.ledger import Ledger
from registrar.ledger.holders import ever_held
from registrar.policy import ModelPolicy
from worker.promotions import version_state
from worker.registry.protocol import Registry, Version, find_version


@dataclass(frozen=True)
class Compared:
    """holder: None where nobody is left. before: nobody else holds it now, but somebody did."""

    holder: Version | None
    before: bool = False


def find_baseline(registry: Registry, ledger: Ledger, policy: ModelPolicy, version: Version, alias: str) -> Compared:
    """Raises Retryable. What was rolled back is no measure: its metrics may be what was wrong with it."""
    now = registry.by_alias(version.model, alias)
    if now and now.version != version.version:
        return Compared(now)
    others = [
        number for number in _load_past_holders(registry, ledger, policy, version, alias) if number != version.version
    ]
    there = (find_version(registry, version.model, number) for number in others)
    last = next((one for one in there if one and not version_state.quarantine_reason(ledger, one)), None)
    return Compared(last, before=bool(others))


def _load_past_holders(
    registry: Registry, ledger: Ledger, policy: ModelPolicy, version: Version, alias: str
) -> list[int]:
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
