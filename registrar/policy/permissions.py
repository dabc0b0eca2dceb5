"""Who may ask for what: the role that a command needs, and who may take a version out of a target.

The pages, the API and the worker ask these. Chat and CI have the grants of their source instead of a role
(registrar/policy/sources.py). Whose vote counts, groups say (registrar/queries/voting.py).
"""

from collections.abc import Iterable

from registrar.events.types import ModelRollback, PromotionApprove, PromotionCancel, PromotionReject, RegistryQuery
from registrar.policy.access import ROLES, Role
from registrar.policy.approvals import Approval
from registrar.policy.document import Policy
from registrar.policy.models import Target

# The worker decides by groups whether a vote counts, as for votes from chat.
VOTES = frozenset({PromotionApprove.type, PromotionReject.type, PromotionCancel.type})

QUESTIONS = frozenset({RegistryQuery.type})  # they change nothing


def required_role(policy: Policy, type_: str, *, model: str | None, target: str | None) -> Role:
    """Return the role that a command needs. Approvers of a target may also roll it back, as from chat."""
    if type_ in QUESTIONS:
        return "viewer"
    if type_ in VOTES:
        return "approver"
    if type_ == ModelRollback.type and model and target:
        governed = policy.model(model).target(target)
        return "approver" if governed and isinstance(governed.approval, Approval) else "operator"
    return "operator"


def includes(role: Role, needed: Role) -> bool:
    """Return whether a role includes another one."""
    return ROLES.index(role) >= ROLES.index(needed)


def removal_groups(target: Target) -> list[str] | None:
    """Return the groups whose members may take a version out of a target; None: everybody may."""
    if not isinstance(target.approval, Approval):
        return None
    glass = target.approval.break_glass
    return [*target.approval.groups, *([glass.group] if glass else [])]


def may_remove(policy: Policy, actor_id: str, targets: Iterable[Target]) -> bool:
    """Return whether somebody may take a version out of all these targets. No delegates."""
    groups = [removal_groups(target) for target in targets]
    return all(needed is None or policy.belongs(actor_id, needed) for needed in groups)
