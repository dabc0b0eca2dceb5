"""worker.rollback, on model.rollback and after a failed deployment: back to the version that really held the stage
before, by the record.

Who may approve the way there may also go back. The one that holds the stage now is quarantined first, so that no late
event brings it back while this is under way. The record changes at the end alone: tried again after a crash, this comes
to the same version.
"""

from dataclasses import replace

from registrar.ledger.deployments import last
from registrar.ledger.history import history
from registrar.outcome import Fact, Outcome
from registrar.policy.approval import Approval
from worker import quarantine
from worker.deployment import ask
from worker.door import Final, NotFound, Version
from worker.evidence import target_of
from worker.stages import move
from worker.voters import allowed
from worker.work import Work


def act(work: Work) -> Outcome:
    target, reason = str(work.given("target") or "Production"), str(work.given("reason"))
    failed = work.task.args.get("bad")  # by the policy, after a deployment; nobody asked for it
    if failed is None:
        _permit(work, target)
    held = _held(work, target)
    if not held:
        raise Final(f"the record has no version of {work.model} in {target}: there is nothing to go back from")
    bad, *earlier = held
    if failed not in (None, bad):
        return Outcome(f"{work.model} version {failed} holds {target} no more; nothing to go back from")
    good = _usable(work, target, bad, earlier)
    present = _present(work, bad)
    if present:
        quarantine.impose(work, present, reason)
    moved = move(work, good, target, reason=f"rolled back from version {bad}: {reason}")
    text = f"{work.model} was rolled back in {target} from version {bad} to version {good.version}, by {work.who}"
    details = {"from": bad, "to": good.version, "target": target, "reason": reason, "by": work.who}
    fact = Fact("model.rolled_back", f"{text}: {reason}", work.model, good.version, details)
    deployed = ask(work, moved, good, target, on_failure="alert")
    return replace(deployed, summary=fact.text, facts=(fact, *deployed.facts))


def _permit(work: Work, stage: str) -> None:
    """Raises Final for somebody who could not have approved."""
    approval = target_of(work, stage).approval
    if not isinstance(approval, Approval):
        return
    groups = [*approval.groups, *([approval.break_glass.group] if approval.break_glass else [])]
    if work.policy.permits(work.task.actor, groups, at=work.now):
        return
    raise Final(f"{work.who} may not roll {work.model} back in {stage}; these may: {allowed(work, groups)}")


def _held(work: Work, stage: str) -> list[int]:
    """The version that holds the target by the record, then those that held it before, newest first."""
    policy = work.policy.model(work.model)
    alias = target_of(work, stage).alias
    where = ("alias", alias) if policy.mode == "aliases" else ("stage", stage)
    with work.ledger.read() as connection:
        holdings = [h for h in history(connection, work.model) if (h.kind, h.key) == where]
    current = [h.version for h in holdings if h.until is None]
    before = [h.version for h in reversed(holdings) if h.until is not None]
    return list(dict.fromkeys([*current[-1:], *before])) if current else []


def _usable(work: Work, stage: str, bad: int, earlier: list[int]) -> Version:
    """The newest of the earlier holders that is there, free to go, and whose files can be fetched. Raises Final."""
    passed_over = []
    for number in earlier:
        if why := _unusable(version := _present(work, number), stage, work):
            passed_over.append(f"version {number} {why}")
        elif version:
            return version
    tried = f" ({'; '.join(passed_over)})" if passed_over else ""
    raise Final(f"{work.model} has no earlier version in {stage} to go back to from version {bad}{tried}")


def _present(work: Work, number: int) -> Version | None:
    try:
        return work.registry.version(work.model, number)
    except NotFound:
        return None


def _unusable(version: Version | None, stage: str, work: Work) -> str | None:
    if version is None:
        return "is gone"
    if quarantine.why(version):
        return "is quarantined"
    with work.ledger.read() as connection:
        deployed = last(connection, version.model, version.version, stage)
    if deployed and deployed.state in ("failed", "timed_out"):
        return "was deployed in vain"
    if "MLmodel" not in work.registry.files_of(version.model, version.version):
        return "has no files any more"
    return None
