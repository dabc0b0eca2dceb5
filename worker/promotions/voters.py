"""Find the promotion that a vote is about, the people whose votes count on it, and the approvals still missing."""

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
    """Return what changed about the promotion since the event's author saw it, for people; None: nothing."""
    with context.ledger.read() as connection:
        return act_subjects.explain_outdated_vote(
            connection, context.task.event_type, context.task.data, context.task.args, context.actor_name
        )


def approval_of(context: TaskContext, promotion: Promotion) -> Approval | None:
    """Return the rules in effect; None where the target is gone or needs no approval any more."""
    return voting.approval_of(context.policy, promotion)


def format_groups(context: TaskContext, groups: Sequence[str]) -> str:
    """Return the groups with their members, for people."""
    return "; ".join(f"{group}: {', '.join(context.policy.members(group))}" for group in groups)


def display_name(context: TaskContext, actor: str | None) -> str:
    return voting.name(context.policy, str(actor))


def excluded_voters(context: TaskContext, promotion: Promotion, version: Version) -> dict[str, str]:
    """Return the ids of people who may not approve, each with the reason."""
    approval = approval_of(context, promotion)
    exclude = approval.exclude if approval else []
    excluded = {}
    if "author" in exclude and (author := _author(context, promotion, version)):
        excluded[author] = f"trained {promotion.model} version {promotion.version}"
    if "requester" in exclude:
        excluded[promotion.requested_by] = f"asked for {promotion}"
    return excluded


def _author(context: TaskContext, promotion: Promotion, version: Version) -> str | None:
    """Return the author's id by the promotion's evidence; evidence of earlier releases lacks it, then by the record."""
    user = promotion.evidence.get("trained_by")
    if user is None:
        user = attribution.known_author(context.ledger, version)
    if user is None:
        user = context.registry.run(version.run_id).user if version.run_id else ""
    return voting.by_account(context.policy, user)


def missing_approvals(
    context: TaskContext, approval: Approval, agreed: Sequence[tuple[str, datetime]], without: frozenset[str]
) -> str:
    """Return the approvals that the rules still lack, for people; "" where none. agreed: approvers and the times of
    their votes: a delegate's counts if they were one at that time.
    """
    return voting.in_words(approval.groups, voting.unfilled_seats(context.policy, approval, agreed, without))
