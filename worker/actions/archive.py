"""worker.archive, on model_version.archive and for a replaced version: move it to Archived.

With on_replace: staging in the policy, a replaced version goes back to Staging instead, if that is free, and if the
version passes its gates and was not rolled back. Archiving the holder of a target that needs approval takes the same
permission as a rollback.
"""

from registrar.events.outcome import Outcome
from registrar.ledger.holders import held_now
from worker.promotions import version_state
from worker.promotions.stage_occupancy import take_snapshot
from worker.promotions.transition_rules import failed_gates, removal_refusal
from worker.promotions.transitions import move
from worker.registry.entities import Version
from worker.registry.protocol import Refused
from worker.task_context import TaskContext


def act(context: TaskContext) -> Outcome:
    version = context.registry.version(context.model, context.version)
    held = context.task.args.get("held")
    if not held:
        if why := removal_refusal(context, version, "Archived"):
            raise Refused(why)
        if _is_archived(context, version):
            return Outcome(f"{version} is archived already; nothing to do")
        return move(context, version, "Archived", reason=context.param("reason"))
    goal = _goal(context, version, str(held))
    if version.stage not in (held, goal):
        return Outcome(f"{version} left {held} for {version.stage} meanwhile; it stays there")
    successor = context.task.args.get("replaced_by")
    return move(context, version, goal, reason=f"version {successor} took {held}")


def _is_archived(context: TaskContext, version: Version) -> bool:
    """Return whether it is in Archived, by the record too, and holds nothing else."""
    with context.ledger.read() as connection:
        held = [
            one.key
            for kind in ("stage", "alias")
            for one in held_now(connection, version.model, kind)
            if one.version == version.version
        ]
    return version.stage == "Archived" and not version.aliases and held == ["Archived"]


def _goal(context: TaskContext, version: Version, held: str) -> str:
    """Return the stage that a replaced version moves to. Another holder of an exclusive Staging stays there."""
    policy = context.policy.model(context.model)
    target, staging = policy.target(held), policy.target("Staging")
    if not target or target.on_replace != "staging" or version_state.quarantine_reason(context.ledger, version):
        return "Archived"
    if context.task.attempts > 1 and version.stage == "Staging":
        return "Staging"  # an earlier attempt decided that, and moved the version
    if failed_gates(context, version, "Staging"):
        return "Archived"
    occupied = staging and staging.exclusive and take_snapshot(context, context.model).others("Staging", version)
    return "Archived" if occupied else "Staging"
