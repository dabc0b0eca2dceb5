"""worker.transition, on model_version.transition and after an approval: a version moves to a stage."""

from dataclasses import replace

from registrar.ledger.promotions import Decided, get
from registrar.outcome import FollowUp, Outcome
from worker import quarantine
from worker.door import Final
from worker.stages import move
from worker.work import Work


def act(work: Work) -> Outcome:
    stage = str(work.given("stage"))
    promotion = work.task.args.get("promotion")
    policy = work.policy.model(work.model)
    target = policy.target(stage)
    if promotion is None and target and target.guarded:
        asked = FollowUp("worker.request", {"version": work.version, "target": stage})
        text = f"{stage} of {work.model} is guarded: {work.model} version {work.version} is tried against its policy"
        return Outcome(summary=text, follow_ups=(asked,))
    if promotion and not _approved(work, promotion):
        return Outcome(f"promotion {promotion} is not approved any more; nothing was moved")
    version = work.registry.version(work.model, work.version)
    if stage in ("Staging", "Production") and (held := quarantine.why(version)):
        raise Final(f"{version} may not go to {stage}: {held}")
    if promotion is None:
        return move(work, version, stage, reason=work.given("reason"))
    # Only a promotion asks for the next step: a demotion by hand must not come straight back.
    nexts = [
        FollowUp("worker.request", {"version": version.version, "target": t.stage}) for t in policy.next_targets(stage)
    ]
    outcome = move(work, version, stage, follow_ups=tuple(nexts))
    return replace(outcome, records=(*outcome.records, Decided(promotion, "promoted")))


def _approved(work: Work, promotion: str) -> bool:
    with work.ledger.read() as connection:
        found = get(connection, promotion)
    return found is not None and found.state == "approved"
