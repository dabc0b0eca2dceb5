"""Which version a rollback goes back to: for rolling back, and for keeping that version.

Only one that the policy let in: what came by hand has passed neither gate nor approval. By itself it goes to none that
was deployed in vain and was never live; whoever names that one gets it.
"""

from dataclasses import replace

from registrar.incarnation import Incarnation
from registrar.ledger import Ledger
from registrar.ledger.deployments import IN_VAIN, last, was_live
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
        why = _unusable(version, one, registry, ledger) or _in_vain(version, target, registry, ledger)
        why = why if one.given else _BY_HAND
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
    why = _unusable(version, one, registry, ledger)
    return (None, why) if why else (version, "")


def nameable(registry: Registry, ledger: Ledger, model: str, target: Target, earlier: list[HeldBefore]) -> list[int]:
    """The versions that a rollback can be told to go to, the newest holder first."""
    return [one.version for one in earlier if named(registry, ledger, model, target, earlier, number=one.version)[0]]


def _unusable(version: Version | None, time: HeldBefore, registry: Registry, ledger: Ledger) -> str | None:
    """time: when it held the target."""
    if version is None:
        return "is gone"
    of = version.incarnation(registry.address)
    if not time.is_of(of):
        return f"was another one then, before {version.model} was made anew"
    if quarantine.why(ledger, version):
        return "is quarantined"
    if "MLmodel" not in registry.files_of(version.model, version.version):
        return "has no files any more"
    return None


def _in_vain(version: Version | None, target: Target, registry: Registry, ledger: Ledger) -> str | None:
    """Whether nobody ever saw it live: one failed deployment of what was live says nothing of the version."""
    if version is None:
        return None
    of = version.incarnation(registry.address)
    with ledger.read() as connection:
        deployed = last(connection, version.model, version.version, target.stage, of=of)
        in_vain = deployed and deployed.state in IN_VAIN and not was_live(connection, target.stage, of=of)
    return "was deployed in vain" if in_vain else None
