"""Who may take a version out of a target that needs approval: those who could roll it back.

Otherwise a source that may send archives could undo what others approved, and leave the next version without a
baseline.
"""

from registrar.ledger.holders import holding_since
from registrar.policy import ModelPolicy, Target
from registrar.policy.approvals import Approval
from worker.promotions.version_state import current_stage
from worker.promotions.voters import format_groups
from worker.registry.protocol import Version
from worker.task_context import TaskContext


def missing_permission(context: TaskContext, target: Target) -> str | None:
    """Return the groups whose members may, for people, if the event's actor is in none of them; None: they may.

    These are the groups that approve for the target, and the one that may break its glass; without delegates.
    """
    if not isinstance(target.approval, Approval):
        return None
    glass = target.approval.break_glass
    groups = [*target.approval.groups, *([glass.group] if glass else [])]
    return (
        None if context.policy.belongs(context.task.actor, groups) else f"these may: {format_groups(context, groups)}"
    )


def removal_refusal(context: TaskContext, version: Version, goal: str) -> str | None:
    """Return why the event's actor may not bring a version to a stage, for people: it would leave a target that it
    holds.

    Leaving an earlier target on its way to a later one is governed by the later one.
    """
    targets = context.policy.model(version.model).targets
    stages = [target.stage for target in targets]
    on_the_way = targets[: stages.index(goal)] if goal in stages else []
    for target in _held_targets(context, version):
        if target.stage != goal and target not in on_the_way and (these := missing_permission(context, target)):
            return f"{context.actor_name} may not take {version} out of {target.stage}; {these}"
    return None


def _held_targets(context: TaskContext, version: Version) -> list[Target]:
    """Return the targets that it holds, by MLflow or by the record: restoring what a person moved away is allowed."""
    policy = context.policy.model(version.model)
    return [
        target
        for target in policy.targets
        if current_stage(policy, version) == target.stage
        or target.alias in version.aliases
        or _is_recorded(context, policy, version, target)
    ]


def _is_recorded(context: TaskContext, policy: ModelPolicy, version: Version, target: Target) -> bool:
    """Return whether the record has this very version there."""
    place = ("alias", target.alias or "") if policy.mode == "aliases" else ("stage", target.stage)
    with context.ledger.read() as connection:
        return holding_since(connection, *place, of=version.incarnation(context.registry.address)) is not None
