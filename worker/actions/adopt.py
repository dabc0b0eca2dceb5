"""worker.adopt, after a drift that the policy adopts: a version moved by hand gets all that goes with its new place."""

from registrar.outcome import Outcome
from worker import quarantine
from worker.door import Final
from worker.stages import move
from worker.standing import standing
from worker.work import Work


def act(work: Work) -> Outcome:
    stage = str(work.given("stage"))
    version = work.registry.version(work.model, work.version)
    policy = work.policy.model(work.model)
    target = policy.target(stage)
    here = standing(policy, version) == stage or (target is not None and target.alias in version.aliases)
    if not here:
        return Outcome(f"{version} left {stage} again meanwhile; nothing to adopt")
    if held := quarantine.why(version):
        raise Final(f"{version} can't be adopted in {stage}: {held}")
    return move(work, version, stage, reason="it was moved by hand in MLflow, and the policy adopts that")
