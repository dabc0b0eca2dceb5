"""Find what a version is compared with: the holder of an alias now, else its last holder by the record.

So a gate is not opened by taking the alias away, or by giving it to the candidate, which is never compared with itself.
Only an alias that no other version ever held has no baseline.
"""

from dataclasses import dataclass

from registrar.ledger import Ledger
from registrar.ledger.holders import ever_held
from registrar.policy import ModelPolicy
from worker.promotions import version_state
from worker.registry.entities import Version
from worker.registry.protocol import Registry, find_version


@dataclass(frozen=True)
class Compared:
    """holder: None where nobody is left. before: no other version holds it now, but one did."""

    holder: Version | None
    before: bool = False


def find_baseline(registry: Registry, ledger: Ledger, policy: ModelPolicy, version: Version, alias: str) -> Compared:
    """Raises RetryableError. A version that was rolled back is no baseline: its metrics may be the fault."""
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
    """Return the versions that held the alias, or its target's stage, since the model was created; the latest first.

    Holders of a deleted model of that name do not count.
    """
    target = next((one for one in policy.targets if one.alias == alias), None)
    places = [("alias", alias), *([("stage", target.stage)] if target and policy.mode != "aliases" else [])]
    with ledger.read() as connection:
        if not ever_held(connection, version.model, places):
            return []
    made = registry.model(version.model).created_at
    with ledger.read() as connection:
        return ever_held(connection, version.model, places, made=made)
