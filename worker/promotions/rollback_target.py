"""Find the version that a rollback goes back to; retention keeps that version.

Only versions that the policy admitted count: one that came by hand passed neither gates nor approval. A version that
was never live because its deployment failed must be named. One that holds a later target stays there: a rollback of
Staging takes nothing out of Production.
"""

from dataclasses import replace

from registrar.events.incarnation import Incarnation
from registrar.ledger import Ledger
from registrar.ledger.deployments import IN_VAIN, last, was_live
from registrar.ledger.holders import PastHolding, held_before
from registrar.policy import ModelPolicy, Target
from worker.promotions import version_state
from worker.promotions.evidence import EvaluationContext, files_were_rewritten
from worker.promotions.transition_rules import held_targets
from worker.promotions.version_state import holding_key
from worker.registry.entities import Version
from worker.registry.protocol import find_version

_BY_HAND = "came by hand, past the policy: a promotion of it would have its gates and approvals asked"


def past_holders(ledger: Ledger, model: str, policy: ModelPolicy, target: Target) -> list[PastHolding]:
    """Return the target's holder by the record, then the other ones, newest first; [] where nothing holds it now.

    Each incarnation of a version comes once, with `given` where the policy admitted any of its holdings, and with the
    digest of the newest such holding.
    """
    with ledger.read() as connection:
        holdings = held_before(connection, model, *holding_key(policy, target))
    admitted: dict[tuple[int, Incarnation | None], PastHolding] = {}
    for holding in holdings:
        if holding.given:
            admitted.setdefault((holding.version, holding.noted), holding)
    current = [holding for holding in holdings if holding.still][:1]
    holders: dict[tuple[int, Incarnation | None], PastHolding] = {}
    for holding in [*current, *holdings] if current else []:
        if not holders or holding.version != current[0].version:
            key = (holding.version, holding.noted)
            files = admitted.get(key, holding)
            combined = replace(holding, given=key in admitted, digest=files.digest, compared=files.compared)
            holders.setdefault(key, combined)
    return list(holders.values())


def admitted_versions(ledger: Ledger, model: str, policy: ModelPolicy, target: Target) -> set[int]:
    """Return the versions that the policy admitted to a target and that still hold it, by the record."""
    return {one.version for one in past_holders(ledger, model, policy, target) if one.still and one.given}


def find_rollback_target(
    context: EvaluationContext, model: str, target: Target, earlier: list[PastHolding], *, compare_files: bool = True
) -> tuple[Version | None, list[str]]:
    """Return the first earlier holder that was promoted, still exists, is not quarantined, and has the files that
    were approved; and why the holders before it are not usable, for people. compare_files: slow.
    """
    passed_over = []
    for holding in earlier:
        version = find_version(context.registry, model, holding.version) if holding.given else None
        why = _why_unusable(version, holding, target, context) or _why_never_live(version, target, context)
        why = why or (_why_rewritten(context, version, target, holding) if compare_files else None)
        why = why if holding.given else _BY_HAND
        if why:
            passed_over.append(f"version {holding.version} {why}")
        elif version:
            return version, passed_over
    return None, passed_over


def check_named_target(
    context: EvaluationContext, model: str, target: Target, earlier: list[PastHolding], *, number: int
) -> tuple[Version | None, str]:
    """Return the named earlier holder if a rollback may go to it; else None and why not, for people."""
    holding = next((each for each in earlier if each.version == number), None)
    if holding is None:
        return None, f"was never in {target.stage} by the record: a promotion of it would have its gates asked"
    if not holding.given:
        return None, _BY_HAND
    version = find_version(context.registry, model, number)
    why = _why_unusable(version, holding, target, context) or _why_rewritten(context, version, target, holding)
    return (None, why) if why else (version, "")


def nameable_targets(context: EvaluationContext, model: str, target: Target, earlier: list[PastHolding]) -> list[int]:
    """Return the versions that a rollback may name, the newest holder first."""
    numbers = [holding.version for holding in earlier]
    return [number for number in numbers if check_named_target(context, model, target, earlier, number=number)[0]]


def _why_unusable(
    version: Version | None, holding: PastHolding, target: Target, context: EvaluationContext
) -> str | None:
    """Return why a version can't be gone back to. holding: the one that a rollback would restore."""
    if version is None:
        return "is gone"
    if not holding.is_of(version.incarnation(context.registry.address)):
        return f"was another one then, before {version.model} was made anew"
    if version_state.quarantine_reason(context.ledger, version):
        return "is quarantined"
    if "MLmodel" not in context.registry.files_of(version.model, version.version):
        return "has no files any more"
    if further := _held_further_on(context, version, target):
        return f"holds {further}, and would be taken out of it"
    return None


def _held_further_on(context: EvaluationContext, version: Version, target: Target) -> str | None:
    """Return the stage of a later target that the version holds."""
    targets = context.policy.model(version.model).targets
    later = targets[targets.index(target) + 1 :]
    return next((held.stage for held in held_targets(context, version) if held in later), None)


def _why_rewritten(
    context: EvaluationContext, version: Version | None, target: Target, holding: PastHolding
) -> str | None:
    if version and files_were_rewritten(context, version, target, holding):
        return "has other files than those that were approved"
    return None


def _why_never_live(version: Version | None, target: Target, context: EvaluationContext) -> str | None:
    """Return the reason if the version's deployment failed and it was never live; a version that was live before is
    usable.
    """
    if version is None:
        return None
    of = version.incarnation(context.registry.address)
    with context.ledger.read() as connection:
        deployed = last(connection, version.model, version.version, target.stage, of=of)
        in_vain = deployed and deployed.state in IN_VAIN and not was_live(connection, target.stage, of=of)
    return "was deployed in vain" if in_vain else None
