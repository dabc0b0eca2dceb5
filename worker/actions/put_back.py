"""worker.put_back, after a drift that the policy reverts: what was moved by hand goes back where the record has it.

Each step looks first, so that doing it again after a crash changes nothing; what has gone meanwhile is passed over.
"""

from registrar.outcome import Outcome
from worker.door import NotFound
from worker.work import Work


def act(work: Work) -> Outcome:
    if alias := work.given("alias"):
        return Outcome(_alias(work, str(alias), work.version))
    return Outcome("; ".join(_stage(work, number, stage) for number, stage in work.given("stages")))


def _alias(work: Work, alias: str, number: int) -> str:
    holder = work.registry.by_alias(work.model, alias)
    if holder is None or holder.version != number:
        work.registry.set_alias(work.model, alias, number)
    return f"@{alias} of {work.model} points at version {number} again"


def _stage(work: Work, number: int, stage: str) -> str:
    try:
        version = work.registry.version(work.model, number)
    except NotFound:
        return f"version {number} is gone"
    if version.stage != stage:
        work.registry.set_stage(work.model, number, stage)
    return f"{version} is in {stage} again"
