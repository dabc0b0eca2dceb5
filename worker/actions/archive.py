"""worker.archive, on model_version.archive and for whoever was replaced: a version moves to Archived."""

from registrar.outcome import Outcome
from worker.stages import move
from worker.work import Work


def act(work: Work) -> Outcome:
    version = work.registry.version(work.model, work.version)
    held = work.task.args.get("held")
    if held and version.stage not in (held, "Archived"):
        return Outcome(f"{version} left {held} for {version.stage} meanwhile; it stays there")
    successor = work.task.args.get("replaced_by")
    reason = f"version {successor} took {held}" if successor else work.given("reason")
    return move(work, version, "Archived", reason=reason)
