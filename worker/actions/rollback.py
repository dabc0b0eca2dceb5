"""worker.rollback, on model.rollback: back to the version that really held the stage before, by the record.

Who may approve the way there may also go back. The one that holds the stage now is quarantined first, so that no late
event brings it back while this is under way. The record changes at the end alone: tried again after a crash, this comes
to the same version.
"""

from dataclasses import replace

from registrar.ledger.history import history
from registrar.outcome import Fact, Outcome
from registrar.policy.models import Approval
from registrar.vocabulary import ModelRollback
from worker import quarantine
from worker.door import Final, NotFound, Version
from worker.evidence import target_of
from worker.stages import move
from worker.work import Work


def act(work: Work) -> Outcome:
    data = work.data_as(ModelRollback)
    _permit(work, data.target)
    held = _held(work, data.target)
    if not held:
        raise Final(f"the record has no version of {data.model} in {data.target}: there is nothing to go back from")
    bad, *earlier = held
    good = _usable(work, data.target, bad, earlier)
    present = _present(work, bad)
    if present:
        quarantine.impose(work, present, data.reason)
    moved = move(work, good, data.target, reason=f"rolled back from version {bad}: {data.reason}")
    text = f"{data.model} was rolled back in {data.target} from version {bad} to version {good.version}, by {work.who}"
    details = {"from": bad, "to": good.version, "target": data.target, "reason": data.reason, "by": work.who}
    fact = Fact("model.rolled_back", f"{text}: {data.reason}", data.model, good.version, details)
    return replace(moved, summary=fact.text, facts=(fact, *moved.facts))


def _permit(work: Work, stage: str) -> None:
    """Raises Final for somebody who could not have approved."""
    approval = target_of(work, stage).approval
    if not isinstance(approval, Approval) or work.policy.groups_of(work.task.actor) & set(approval.groups):
        return
    allowed = "; ".join(f"{group}: {', '.join(work.policy.members(group))}" for group in approval.groups)
    raise Final(f"{work.who} may not roll {work.model} back in {stage}; these may: {allowed}")


def _held(work: Work, stage: str) -> list[int]:
    """The version that holds the stage by the record, then those that held it before, newest first."""
    with work.ledger.read() as connection:
        holdings = [h for h in history(connection, work.model) if (h.kind, h.key) == ("stage", stage)]
    current = [h.version for h in holdings if h.until is None]
    before = [h.version for h in reversed(holdings) if h.until is not None]
    return list(dict.fromkeys([*current[-1:], *before])) if current else []


def _usable(work: Work, stage: str, bad: int, earlier: list[int]) -> Version:
    """The newest of the earlier holders that is there, free to go, and whose files can be fetched. Raises Final."""
    passed_over = []
    for number in earlier:
        if why := _unusable(version := _present(work, number), work):
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


def _unusable(version: Version | None, work: Work) -> str | None:
    if version is None:
        return "is gone"
    if quarantine.why(version):
        return "is quarantined"
    if "MLmodel" not in work.registry.files_of(version.model, version.version):
        return "has no files any more"
    return None
