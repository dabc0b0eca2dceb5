"""Which version a rollback goes back to: for rolling back, and for keeping that version."""

from registrar.ledger import Ledger
from registrar.ledger.deployments import last
from registrar.ledger.history import versions_of
from registrar.policy import ModelPolicy, Target
from worker.door import Registry, Version, present
from worker.promotion import quarantine


def held(ledger: Ledger, model: str, policy: ModelPolicy, target: Target) -> list[int]:
    """The version that holds the target by the record, then those that held it before, newest first.

    [] where none holds it.
    """
    where = ("alias", target.alias or "") if policy.mode == "aliases" else ("stage", target.stage)
    with ledger.read() as connection:
        found = versions_of(connection, model, *where)
    current = [version for version, still in found if still]
    before = [version for version, still in found if not still]
    return list(dict.fromkeys([*current[:1], *before])) if current else []


def usable(
    registry: Registry, ledger: Ledger, model: str, target: Target, earlier: list[int]
) -> tuple[Version | None, list[str]]:
    """The first of the earlier holders that is there, free to go, and whose files can be fetched.

    With it, in sentences, why others before it were passed over.
    """
    passed_over = []
    for number in earlier:
        if why := _unusable(version := present(registry, model, number), target.stage, registry, ledger):
            passed_over.append(f"version {number} {why}")
        elif version:
            return version, passed_over
    return None, passed_over


def _unusable(version: Version | None, stage: str, registry: Registry, ledger: Ledger) -> str | None:
    if version is None:
        return "is gone"
    if quarantine.why(ledger, version):
        return "is quarantined"
    with ledger.read() as connection:
        deployed = last(connection, version.model, version.version, stage)
    if deployed and deployed.state in ("failed", "timed_out"):
        return "was deployed in vain"
    if "MLmodel" not in registry.files_of(version.model, version.version):
        return "has no files any more"
    return None
