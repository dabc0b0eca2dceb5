"""Rules for a version's move: where it may start, the gates on its way, and who may take it out of a target.

worker/actions/request.py and transition.py ask these.

Members of the groups that approve for a target may take a version out of it, as they could roll it back. Otherwise a
source that may send archives could undo an approval, and leave the next version without a baseline.
"""

from collections.abc import Collection

from registrar.ledger.holders import holding_since
from registrar.policy import ModelPolicy, Policy, Target
from registrar.policy.approvals import Approval
from registrar.policy.permissions import may_remove, removal_groups
from registrar.queries.voting import by_account
from worker.promotions.evidence import EvaluationContext, gather
from worker.promotions.stage_occupancy import take_snapshot
from worker.promotions.version_state import current_stage, holding_key
from worker.promotions.voters import format_groups
from worker.registry.entities import Version
from worker.task_context import TaskContext


def wrong_start(policy: Policy, version: Version, target: Target) -> str | None:
    """Return why the target can't be reached from the version's stage, or None."""
    model = policy.model(version.model)
    sources, current = model.sources_of(target), current_stage(model, version)
    if current in sources:
        return None
    way = "; transition it to None first" if current == "Archived" else ""
    return f"it is in {current}, and {target.stage} is reached from {' or '.join(sources)}{way}"


def failed_gates(context: EvaluationContext, version: Version, stage: str) -> str | None:
    """Return why a version fails gates of a target or of earlier ones, for people; None where it passes all.

    For versions that are there already, and may have skipped gates on their way.
    """
    targets = context.policy.model(version.model).targets
    stages = [target.stage for target in targets]
    way = targets[: stages.index(stage) + 1] if stage in stages else []
    failed = [reason for target in way for reason in gather(context, version, target).reasons]
    return "; ".join(dict.fromkeys(failed)) or None


def required_approvals(policy: Policy, target: Target, without: Collection[str] = ()) -> str:
    """Return the approvals that a target needs, for people; "" where none. without: the ids of excluded people."""
    rules = target.approval.rules if isinstance(target.approval, Approval) else []
    return " and ".join(
        f"{rule.required_approvals} of {_members(policy, rule.group, without)} ({rule.group})" for rule in rules
    )


def _members(policy: Policy, group: str, without: Collection[str]) -> str:
    members = zip(policy.groups.get(group, ()), policy.members(group), strict=True)
    return ", ".join(name for id_, name in members if id_ not in without) or "nobody who may"


def excluded_approvers(policy: Policy, target: Target, *, requester: str | None, trained_by: str) -> frozenset[str]:
    """Return the ids of people whose approval the policy excludes. trained_by: MLflow's name of the author."""
    exclude = target.approval.exclude if isinstance(target.approval, Approval) else []
    author = by_account(policy, trained_by) if trained_by else None
    excluded = {requester if "requester" in exclude else None, author if "author" in exclude else None}
    return frozenset(id_ for id_ in excluded if id_)


def versions_to_replace(context: EvaluationContext, version: Version, target: Target) -> list[int]:
    """Return the versions that would have to leave the target; in the mode `aliases`, the one that loses the alias."""
    if not target.exclusive:
        return []
    if context.policy.model(version.model).mode == "aliases":
        holder = context.registry.by_alias(version.model, target.alias or "")
        return [holder.version] if holder and holder.version != version.version else []
    return [other.version for other in take_snapshot(context, version.model).others(target.stage, version)]


def replaced_outcome(target: Target) -> str:
    """Return what happens to replaced versions, for people."""
    return "goes back to Staging" if target.on_replace == "staging" else "is archived"


def missing_permission(context: TaskContext, target: Target) -> str | None:
    """Return why the event's actor may not take a version out of a target, for people; None where they may.

    Allowed are the groups that approve for the target, and the one that may break its glass; no delegates.
    """
    if may_remove(context.policy, context.task.actor, [target]):
        return None
    return f"these may: {format_groups(context, removal_groups(target) or [])}"


def removal_refusal(context: TaskContext, version: Version, goal: str) -> str | None:
    """Return why the event's actor may not move a version to a stage, for people: it would leave a target that it
    holds; None where they may.

    The rules of a later target govern leaving an earlier one on the way to it.
    """
    targets = context.policy.model(version.model).targets
    stages = [target.stage for target in targets]
    on_the_way = targets[: stages.index(goal)] if goal in stages else []
    for target in held_targets(context, version):
        if target.stage != goal and target not in on_the_way and (these := missing_permission(context, target)):
            return f"{context.actor_name} may not take {version} out of {target.stage}; {these}"
    return None


def held_targets(context: EvaluationContext, version: Version) -> list[Target]:
    """Return the targets that a version holds, by MLflow or by the record; by the record it may be moved away and
    back.
    """
    policy = context.policy.model(version.model)
    return [
        target
        for target in policy.targets
        if current_stage(policy, version) == target.stage
        or target.alias in version.aliases
        or _is_recorded(context, policy, version, target)
    ]


def _is_recorded(context: EvaluationContext, policy: ModelPolicy, version: Version, target: Target) -> bool:
    """Return whether the record has this very version there."""
    with context.ledger.read() as connection:
        return (
            holding_since(connection, *holding_key(policy, target), of=version.incarnation(context.registry.address))
            is not None
        )
