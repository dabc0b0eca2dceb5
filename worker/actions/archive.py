"""worker.archive, on model_version.archive and for whoever was replaced: a version moves to Archived.

Where the policy says so (on_replace: staging), the one that was replaced goes back to Staging instead, if that is free
and lets it in: not what was rolled back, and not past its gates. Who holds a target that takes an approval is archived
by those alone who could roll it back.
"""

from registrar.events.outcome import Outcome
from worker.promotions import version_state
from worker.promotions.removal_rules import removal_refusal
from worker.promotions.stage_occupancy import take_snapshot
from worker.promotions.transition_rules import failed_gates
from worker.promotions.transitions import move
from worker.registry.protocol import Refused, Version
from worker.task_context import TaskContext


def act(context: TaskContext) -> Outcome:
    version = context.registry.version(context.model, context.version)
    held = context.task.args.get("held")
    if not held:
        if why := removal_refusal(context, version, "Archived"):
            raise Refused(why)
        return move(context, version, "Archived", reason=context.param("reason"))
    goal = _goal(context, version, str(held))
    if version.stage not in (held, goal):
        return Outcome(f"{version} left {held} for {version.stage} meanwhile; it stays there")
    successor = context.task.args.get("replaced_by")
    return move(context, version, goal, reason=f"version {successor} took {held}")


def _goal(context: TaskContext, version: Version, held: str) -> str:
    """Who is in an exclusive Staging already is not sent away for one that was replaced."""
    policy = context.policy.model(context.model)
    target, staging = policy.target(held), policy.target("Staging")
    if not target or target.on_replace != "staging" or version_state.quarantine_reason(context.ledger, version):
        return "Archived"
    if context.task.attempts > 1 and version.stage == "Staging":
        return "Staging"  # an attempt before this one judged it, and put it there
    if failed_gates(context, version, "Staging"):
        return "Archived"
    occupied = staging and staging.exclusive and take_snapshot(context, context.model).others("Staging", version)
    return "Archived" if occupied else "Staging"
