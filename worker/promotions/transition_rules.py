"""The way of a version to a target, as far as it can be told without doing anything: for requests, and for plans."""

from collections.abc import Collection

from registrar.policy import Policy, Target
from registrar.policy.approvals import Approval
from registrar.queries.voting import by_account
from worker.promotions.current_stage import current_stage
from worker.promotions.evidence import EvaluationContext, gather
from worker.promotions.stage_occupancy import take_snapshot
from worker.registry.protocol import Version


def wrong_start(policy: Policy, version: Version, target: Target) -> str | None:
    """Why a target can't be reached from where the version is, or None."""
    model = policy.model(version.model)
    sources, present = model.sources_of(target), current_stage(model, version)
    if present in sources:
        return None
    return f"it is in {present}, and {target.stage} is reached from {' or '.join(sources)}"


def failed_gates(context: EvaluationContext, version: Version, stage: str) -> str | None:
    """The gates on the way to a target, its own and those of the targets before it, that a version does not pass.

    For what is there already, past them perhaps: from where it came is not to be seen any more.
    """
    targets = context.policy.model(version.model).targets
    stages = [target.stage for target in targets]
    way = targets[: stages.index(stage) + 1] if stage in stages else []
    failed = [reason for target in way for reason in gather(context, version, target).reasons]
    return "; ".join(dict.fromkeys(failed)) or None


def required_approvals(policy: Policy, target: Target, without: Collection[str] = ()) -> str:
    """Whose approvals it takes, for people; "" where it takes none. without: the ids of who is excluded."""
    rules = target.approval.rules if isinstance(target.approval, Approval) else []
    return " and ".join(
        f"{rule.required_approvals} of {_members(policy, rule.group, without)} ({rule.group})" for rule in rules
    )


def _members(policy: Policy, group: str, without: Collection[str]) -> str:
    named = zip(policy.groups.get(group, ()), policy.members(group), strict=True)
    return ", ".join(name for who, name in named if who not in without) or "nobody who may"


def excluded_approvers(policy: Policy, target: Target, *, requester: str | None, trained_by: str) -> frozenset[str]:
    """The ids of those whose approval the policy excludes. trained_by: MLflow's name of the author."""
    exclude = target.approval.exclude if isinstance(target.approval, Approval) else []
    author = by_account(policy, trained_by) if trained_by else None
    found = {requester if "requester" in exclude else None, author if "author" in exclude else None}
    return frozenset(who for who in found if who)


def versions_to_replace(context: EvaluationContext, version: Version, target: Target) -> list[int]:
    """The versions that would have to leave. Where aliases alone count, whoever holds this one loses it by itself."""
    if not target.exclusive:
        return []
    if context.policy.model(version.model).mode == "aliases":
        holder = context.registry.by_alias(version.model, target.alias or "")
        return [holder.version] if holder and holder.version != version.version else []
    return [other.version for other in take_snapshot(context, version.model).others(target.stage, version)]


def replaced_outcome(target: Target) -> str:
    """What happens to those that leave, for people."""
    return "goes back to Staging" if target.on_replace == "staging" else "is archived"
