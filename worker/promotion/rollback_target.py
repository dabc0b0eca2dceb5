"""Which version a rollback goes back to: for rolling back, and for keeping that version.

Only one that the policy let in: what came by hand has passed neither gate nor approval. By itself it goes to none that
was deployed in vain and was never live; whoever names that one gets it.
"""

from dataclasses import replace

from registrar.ledger import Ledger
from registrar.ledger.deployments import IN_VAIN, last, was_live
from registrar.ledger.history import HeldBefore, held_before
from registrar.policy import ModelPolicy, Target
from worker.door import Registry, Version, present
from worker.promotion import quarantine

_BY_HAND = "came by hand, past the policy: a promotion of it would have its gates and approvals asked"


def held(ledger: Ledger, model: str, policy: ModelPolicy, target: Target) -> list[HeldBefore]:
    """The version that holds the target by the record, then the others that do or did, newest first; each once.

    [] where none holds it. given: whether any of its times there was.
    """
    where = ("alias", target.alias or "") if policy.mode == "aliases" else ("stage", target.stage)
    with ledger.read() as connection:
        times = held_before(connection, model, *where)
    given = {time.version for time in times if time.given}
    current = [time for time in times if time.still][:1]
    each: dict[int, HeldBefore] = {}
    for time in [*current, *times] if current else []:
        each.setdefault(time.version, replace(time, given=time.version in given))
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
        why = _unusable(version, registry, ledger) or _in_vain(version, target, ledger) if one.given else _BY_HAND
        if why:
            passed_over.append(f"version {one.version} {why}")
        elif version:
            return version, passed_over
    return None, passed_over


def named(
    registry: Registry, ledger: Ledger, model: str, target: Target, earlier: list[HeldBefore], *, number: int
) -> tuple[Version | None, str]:
    """The earlier holder that somebody names, where it can be gone back to; else None and why not, for people."""
    one = next((one for one in earlier if one.version == number), None)
    if one is None:
        return None, f"was never in {target.stage} by the record: a promotion of it would have its gates asked"
    if not one.given:
        return None, _BY_HAND
    version = present(registry, model, number)
    why = _unusable(version, registry, ledger)
    return (None, why) if why else (version, "")


def nameable(registry: Registry, ledger: Ledger, model: str, target: Target, earlier: list[HeldBefore]) -> list[int]:
    """The versions that a rollback can be told to go to, the newest holder first."""
    return [one.version for one in earlier if named(registry, ledger, model, target, earlier, number=one.version)[0]]


def _unusable(version: Version | None, registry: Registry, ledger: Ledger) -> str | None:
    if version is None:
        return "is gone"
    if quarantine.why(ledger, version):
        return "is quarantined"
    if "MLmodel" not in registry.files_of(version.model, version.version):
        return "has no files any more"
    return None


def _in_vain(version: Version | None, target: Target, ledger: Ledger) -> str | None:
    """Whether nobody ever saw it live: one failed deployment of what was live says nothing of the version."""
    if version is None:
        return None
    asked = (version.model, version.version, target.stage)
    with ledger.read() as connection:
        deployed = last(connection, *asked)
        in_vain = deployed and deployed.state in IN_VAIN and not was_live(connection, *asked)
    return "was deployed in vain" if in_vain else None
