"""Which version a rollback goes back to: for rolling back, and for keeping that version.

Only one that the policy let in: what came by hand has passed neither gate nor approval.
"""

from dataclasses import replace

from registrar.incarnation import Incarnation
from registrar.ledger import Ledger
from registrar.ledger.deployments import last
from registrar.ledger.history import HeldBefore, held_before
from registrar.policy import ModelPolicy, Target
from worker.door import Registry, Version, present
from worker.promotion import quarantine

_BY_HAND = "came by hand, past the policy: a promotion of it would have its gates and approvals asked"


def held(ledger: Ledger, model: str, policy: ModelPolicy, target: Target) -> list[HeldBefore]:
    """The version that holds the target by the record, then the others that do or did, newest first; each once, and
    apart from others that had its number.

    [] where none holds it. given: whether any of its times there was.
    """
    where = ("alias", target.alias or "") if policy.mode == "aliases" else ("stage", target.stage)
    with ledger.read() as connection:
        times = held_before(connection, model, *where)
    given = {(time.version, time.noted) for time in times if time.given}
    current = [time for time in times if time.still][:1]
    each: dict[tuple[int, Incarnation | None], HeldBefore] = {}
    for time in [*current, *times] if current else []:
        if not each or time.version != current[0].version:
            which = (time.version, time.noted)
            each.setdefault(which, replace(time, given=which in given))
    return list(each.values())


def let_in(ledger: Ledger, model: str, policy: ModelPolicy, target: Target) -> set[int]:
    """The versions that the policy let into a target, and that hold it still by the record."""
    return {one.version for one in held(ledger, model, policy, target) if one.still and one.given}


def usable(
    registry: Registry, ledger: Ledger, model: str, target: Target, earlier: list[HeldBefore]
) -> tuple[Version | None, list[str]]:
    """The first of the earlier holders that a promotion brought there, that is there still, free to go, and whose
    files can be fetched.

    With it, in sentences, why others before it were passed over.
    """
    passed_over = []
    for one in earlier:
        version = present(registry, model, one.version) if one.given else None
        why = _unusable(version, one, target.stage, registry, ledger) if one.given else _BY_HAND
        if why:
            passed_over.append(f"version {one.version} {why}")
        elif version:
            return version, passed_over
    return None, passed_over


def _unusable(version: Version | None, time: HeldBefore, stage: str, registry: Registry, ledger: Ledger) -> str | None:
    """time: when it held the target."""
    if version is None:
        return "is gone"
    of = version.incarnation(registry.address)
    if not time.is_of(of):
        return f"was another one then, before {version.model} was made anew"
    if quarantine.why(ledger, version):
        return "is quarantined"
    with ledger.read() as connection:
        deployed = last(connection, version.model, version.version, stage, of=of)
    if deployed and deployed.state in ("failed", "timed_out"):
        return "was deployed in vain"
    if "MLmodel" not in registry.files_of(version.model, version.version):
        return "has no files any more"
    return None
