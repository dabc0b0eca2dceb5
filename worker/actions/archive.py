"""worker.archive, on model_version.archive and for whoever was replaced: a version moves to Archived."""

from registrar.outcome import Outcome
from worker.stages import move
from worker.work import Work


def act(work: Work) -> Outcome:
    version = work.registry.version(work.model, work.version)
    held = work.task.args.get("held")
    if held and version.stage not in (held, "Archived"):
        return Outcome(f"{version} left {held} for {version.stage} meanwhile; it stays there")
    return move(work, version, "Archived")
