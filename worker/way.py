"""The way of a version to a target, as far as it can be told without doing anything: for requests, and for plans."""

from registrar.policy import Policy, Target
from registrar.policy.models import Approval
from worker.door import Registry, Version


def wrong_start(policy: Policy, version: Version, target: Target) -> str | None:
    """Why a target can't be reached from where the version is, or None."""
    sources = policy.model(version.model).sources_of(target)
    if version.stage in sources:
        return None
    return f"it is in {version.stage}, and {target.stage} is reached from {' or '.join(sources)}"


def who_may(policy: Policy, target: Target) -> str:
    """Whose approvals it takes, for people; "" where it takes none."""
    rules = target.approval.rules if isinstance(target.approval, Approval) else []
    return " and ".join(
        f"{rule.required_approvals} of {', '.join(policy.members(rule.group))} ({rule.group})" for rule in rules
    )


def replaced(registry: Registry, version: Version, target: Target) -> list[Version]:
    """The versions that would have to leave."""
    if not target.exclusive:
        return []
    found = registry.versions(version.model)
    return [other for other in found if other.stage == target.stage and other.version != version.version]
