"""Find the baseline of a comparison: the holder of an alias now, else its last holder by the record.

So nobody opens a gate by removing the alias, or by giving it to the candidate, which is never compared with itself.
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
class BaselineHolder:
    """The version to compare with; None where none is usable. held_before: no other version holds the alias now, but
    one did.
    """

    version: Version | None
    held_before: bool = False


def find_baseline(
    registry: Registry, ledger: Ledger, policy: ModelPolicy, version: Version, alias: str
) -> BaselineHolder:
    """Return the holder of an alias. Raises RetryableError. A quarantined version is no baseline: its metrics may be
    the fault.
    """
    now = registry.by_alias(version.model, alias)
    if now and now.version != version.version:
        return BaselineHolder(now)
    past = _load_past_holders(registry, ledger, policy, version, alias)
    others = [number for number in past if number != version.version]
    existing = (find_version(registry, version.model, number) for number in others)
    last = next((one for one in existing if one and not version_state.quarantine_reason(ledger, one)), None)
    return BaselineHolder(last, held_before=bool(others))


def _load_past_holders(
    registry: Registry, ledger: Ledger, policy: ModelPolicy, version: Version, alias: str
) -> list[int]:
    """Return the versions that held the alias, or its target's stage, since the model was created, the latest first.

    Holders of a deleted model of that name do not count.
    """
    target = next((one for one in policy.targets if one.alias == alias), None)
    keys = [("alias", alias), *([("stage", target.stage)] if target and policy.mode != "aliases" else [])]
    with ledger.read() as connection:
        if not ever_held(connection, version.model, keys):
            return []
    created_at = registry.model(version.model).created_at
    with ledger.read() as connection:
        return ever_held(connection, version.model, keys, made=created_at)
