"""worker.rollback, on model.rollback and after a failed deployment: back to the version that really held the stage
before, by the record.

Who may approve the way there may also go back. The one that holds the stage now is quarantined first, so that no late
event brings it back while this is under way. The record changes at the end alone: tried again after a crash, this comes
to the same version.
"""

from dataclasses import replace

from registrar.outcome import Fact, Outcome
from registrar.policy import Target
from registrar.policy.approval import Approval
from worker.door import Final, Version, present
from worker.promotion import quarantine
from worker.promotion.deployment import ask
from worker.promotion.evidence import target_of
from worker.promotion.rollback_target import held, usable
from worker.promotion.stages import move
from worker.promotion.voters import allowed
from worker.work import Work


def act(work: Work) -> Outcome:
    target, reason = str(work.given("target") or "Production"), str(work.given("reason"))
    failed = work.task.args.get("bad")  # by the policy, after a deployment; nobody asked for it
    if failed is None:
        _permit(work, target)
    holders = held(work.ledger, work.model, work.policy.model(work.model), target_of(work, target))
    if not holders:
        raise Final(f"the record has no version of {work.model} in {target}: there is nothing to go back from")
    bad, *earlier = holders
    if failed not in (None, bad):
        return Outcome(f"{work.model} version {failed} holds {target} no more; nothing to go back from")
    good = _good(work, target_of(work, target), bad, earlier)
    leaving = present(work.registry, work.model, bad)
    quarantined = (quarantine.impose(work, leaving, reason),) if leaving else ()
    moved = move(work, good, target, reason=f"rolled back from version {bad}: {reason}")
    text = f"{work.model} was rolled back in {target} from version {bad} to version {good.version}, by {work.who}"
    details = {"from": bad, "to": good.version, "target": target, "reason": reason, "by": work.who}
    fact = Fact("model.rolled_back", f"{text}: {reason}", work.model, good.version, details)
    deployed = ask(work, moved, good, target, on_failure="alert")
    return replace(
        deployed, summary=fact.text, facts=(fact, *deployed.facts), records=(*quarantined, *deployed.records)
    )


def _permit(work: Work, stage: str) -> None:
    """Raises Final for somebody who could not have approved."""
    approval = target_of(work, stage).approval
    if not isinstance(approval, Approval):
        return
    groups = [*approval.groups, *([approval.break_glass.group] if approval.break_glass else [])]
    if work.policy.permits(work.task.actor, groups, at=work.now):
        return
    raise Final(f"{work.who} may not roll {work.model} back in {stage}; these may: {allowed(work, groups)}")


def _good(work: Work, target: Target, bad: int, earlier: list[int]) -> Version:
    """Raises Final where none of the earlier holders will do."""
    version, passed_over = usable(work.registry, work.ledger, work.model, target, earlier)
    if version is None:
        tried = f" ({'; '.join(passed_over)})" if passed_over else ""
        raise Final(f"{work.model} has no earlier version in {target.stage} to go back to from version {bad}{tried}")
    return version
