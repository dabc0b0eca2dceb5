"""Whose votes count on a promotion: groups, exclusions, delegates, and what is missing."""

from collections.abc import Sequence
from datetime import datetime

from registrar.ledger import act_subjects
from registrar.ledger.promotions import Promotion, get
from registrar.policy.approvals import Approval
from registrar.queries import voting
from worker.promotions import attribution
from worker.registry.entities import Version
from worker.task_context import TaskContext


def load_subject(context: TaskContext) -> Promotion | None:
    """Return the promotion that a vote or a cancellation was about when it was accepted."""
    promotion = context.task.args.get(act_subjects.KEY, {}).get("promotion")
    with context.ledger.read() as connection:
        return get(connection, promotion) if promotion else None


def subject_change(context: TaskContext) -> str | None:
    """Return what changed since the author saw it, or None."""
    with context.ledger.read() as connection:
        return act_subjects.explain_outdated_vote(
            connection, context.task.event_type, context.task.data, context.task.args, context.actor_name
        )


def approval_of(context: TaskContext, promotion: Promotion) -> Approval | None:
    """Return the rules in effect; None where the target needs no approval any more, or is none."""
    target = context.policy.model(promotion.model).target(promotion.target)
    return target.approval if target and isinstance(target.approval, Approval) else None


def format_groups(context: TaskContext, groups: Sequence[str]) -> str:
    """Return the groups with their members, for people."""
    return "; ".join(f"{group}: {', '.join(context.policy.members(group))}" for group in groups)


def display_name(context: TaskContext, actor: str | None) -> str:
    return voting.name(context.policy, str(actor))


def excluded_voters(context: TaskContext, promotion: Promotion, version: Version) -> dict[str, str]:
    """Return who may not approve, each with why."""
    approval = approval_of(context, promotion)
    exclude = approval.exclude if approval else []
    found = {}
    if "author" in exclude and (trained := _author(context, promotion, version)):
        found[trained] = f"trained {promotion.model} version {promotion.version}"
    if "requester" in exclude:
        found[promotion.requested_by] = f"asked for {promotion}"
    return found


def _author(context: TaskContext, promotion: Promotion, version: Version) -> str | None:
    """Return the author by the promotion's evidence; for promotions older than that, by the record."""
    user = promotion.evidence.get("trained_by")
    if user is None:
        user = attribution.known_author(context.ledger, version)
    if user is None:
        user = context.registry.run(version.run_id).user if version.run_id else ""
    return voting.by_account(context.policy, user)


def missing_approvals(
    context: TaskContext, approval: Approval, agreed: Sequence[tuple[str, datetime]], without: frozenset[str]
) -> str:
    """Return what the rules still lack, for people; "" when all are met. agreed: approvers and times: a delegate's
    vote counts for the time it was given.
    """
    return voting.in_words(approval.groups, voting.unfilled_seats(context.policy, approval, agreed, without))
