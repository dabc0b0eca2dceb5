"""Find the version that a rollback goes back to; retention keeps that version.

Only versions that the policy admitted count: one that came by hand passed neither gates nor approval. A version whose
deployment failed and that was never live is only used when it is named.
"""

from dataclasses import replace

from registrar.events.incarnation import Incarnation
from registrar.ledger import Ledger
from registrar.ledger.deployments import IN_VAIN, last, was_live
from registrar.ledger.holders import PastHolding, held_before
from registrar.policy import ModelPolicy, Target
from worker.promotions import version_state
from worker.promotions.evidence import EvaluationContext, files_were_rewritten
from worker.registry.entities import Version
from worker.registry.protocol import find_version

_BY_HAND = "came by hand, past the policy: a promotion of it would have its gates and approvals asked"


def past_holders(ledger: Ledger, model: str, policy: ModelPolicy, target: Target) -> list[PastHolding]:
    """Return the target's holder by the record, then earlier and other ones, newest first; each once, and apart from
    others that had its number.

    [] where none holds it. given: whether any of its holdings was admitted by the policy; the files are of the newest
    such holding.
    """
    where = ("alias", target.alias or "") if policy.mode == "aliases" else ("stage", target.stage)
    with ledger.read() as connection:
        times = held_before(connection, model, *where)
    given: dict[tuple[int, Incarnation | None], PastHolding] = {}
    for time in times:
        if time.given:
            given.setdefault((time.version, time.noted), time)
    current = [time for time in times if time.still][:1]
    each: dict[tuple[int, Incarnation | None], PastHolding] = {}
    for time in [*current, *times] if current else []:
        if not each or time.version != current[0].version:
            which = (time.version, time.noted)
            files = given.get(which, time)
            as_given = replace(time, given=which in given, digest=files.digest, compared=files.compared)
            each.setdefault(which, as_given)
    return list(each.values())


def admitted_versions(ledger: Ledger, model: str, policy: ModelPolicy, target: Target) -> set[int]:
    """Return the versions that the policy admitted to a target and that hold it still, by the record."""
    return {one.version for one in past_holders(ledger, model, policy, target) if one.still and one.given}


def find_rollback_target(
    context: EvaluationContext, model: str, target: Target, earlier: list[PastHolding], *, compare_files: bool = True
) -> tuple[Version | None, list[str]]:
    """Return the first earlier holder that was promoted, still exists, is not quarantined, and has the files that
    were approved; and, in sentences, why others before it were passed over. compare_files: slow.
    """
    passed_over = []
    for one in earlier:
        version = find_version(context.registry, model, one.version) if one.given else None
        why = _why_unusable(version, one, context) or _why_never_live(version, target, context)
        why = why or (_why_rewritten(context, version, target, one) if compare_files else None)
        why = why if one.given else _BY_HAND
        if why:
            passed_over.append(f"version {one.version} {why}")
        elif version:
            return version, passed_over
    return None, passed_over


def check_named_target(
    context: EvaluationContext, model: str, target: Target, earlier: list[PastHolding], *, number: int
) -> tuple[Version | None, str]:
    """Return the named earlier holder if a rollback may go to it; else None and why not, for people."""
    one = next((one for one in earlier if one.version == number), None)
    if one is None:
        return None, f"was never in {target.stage} by the record: a promotion of it would have its gates asked"
    if not one.given:
        return None, _BY_HAND
    version = find_version(context.registry, model, number)
    why = _why_unusable(version, one, context) or _why_rewritten(context, version, target, one)
    return (None, why) if why else (version, "")


def nameable_targets(context: EvaluationContext, model: str, target: Target, earlier: list[PastHolding]) -> list[int]:
    """Return the versions that a rollback may name, the newest holder first."""
    return [
        one.version for one in earlier if check_named_target(context, model, target, earlier, number=one.version)[0]
    ]


def _why_unusable(version: Version | None, time: PastHolding, context: EvaluationContext) -> str | None:
    """time: the holding that it would go back to."""
    if version is None:
        return "is gone"
    of = version.incarnation(context.registry.address)
    if not time.is_of(of):
        return f"was another one then, before {version.model} was made anew"
    if version_state.quarantine_reason(context.ledger, version):
        return "is quarantined"
    if "MLmodel" not in context.registry.files_of(version.model, version.version):
        return "has no files any more"
    return None


def _why_rewritten(
    context: EvaluationContext, version: Version | None, target: Target, time: PastHolding
) -> str | None:
    """Return the reason if the files are not those that were approved."""
    return (
        "has other files than those that were approved"
        if version and files_were_rewritten(context, version, target, time)
        else None
    )


def _why_never_live(version: Version | None, target: Target, context: EvaluationContext) -> str | None:
    """Return the reason if the version was never live. One failed deployment of a version that was live says
    nothing.
    """
    if version is None:
        return None
    of = version.incarnation(context.registry.address)
    with context.ledger.read() as connection:
        deployed = last(connection, version.model, version.version, target.stage, of=of)
        in_vain = deployed and deployed.state in IN_VAIN and not was_live(connection, target.stage, of=of)
    return "was deployed in vain" if in_vain else None
