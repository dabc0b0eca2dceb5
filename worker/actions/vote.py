"""worker.vote, on promotion.approve and promotion.reject: decide whether the vote counts, and whether it is enough."""

from dataclasses import replace
from datetime import datetime

from registrar.events.facts import FactType
from registrar.events.outcome import Fact, FollowUp, LedgerChange, Outcome
from registrar.events.types import PromotionApprove, Vote
from registrar.ledger.promotions import Promotion, PromotionStateChanged
from registrar.ledger.votes import VoteCast, approvals
from registrar.policy.approvals import Approval
from worker.promotions import approval_request, disputes, version_state
from worker.promotions.approval_request import chat_name, pick_instruction
from worker.promotions.evidence import expired_since, gather, target_of
from worker.promotions.voters import (
    approval_of,
    display_name,
    excluded_voters,
    format_groups,
    load_subject,
    missing_approvals,
    subject_change,
)
from worker.task_context import TaskContext


def act(context: TaskContext) -> Outcome:
    data = context.data_as(Vote)
    verdict = "approve" if isinstance(data, PromotionApprove) else "reject"
    promotion = load_subject(context)
    if promotion is None:
        asked = f"{data.model} version {data.version} to {data.target}"
        nobody = f"nobody asked for {asked}; ask first: {_request_instruction(context, data)}"
        return _refused(context, None, verdict, _subject_change(context) or nobody)
    with context.ledger.read() as connection:
        agreed = approvals(connection, promotion.id)
    if why := _does_not_count(context, data, promotion, agreed, verdict):
        return _refused(context, promotion, verdict, why)
    if since := expired_since(context, promotion):
        return _expired(context, data, promotion, verdict, since)
    return _counted(context, data, promotion, VoteCast(promotion.id, verdict, True, data.reason or ""), agreed)


def _counted(
    context: TaskContext, data: Vote, promotion: Promotion, vote: VoteCast, agreed: list[tuple[str, datetime]]
) -> Outcome:
    """Count the vote of somebody who may, unless what it is about changed meanwhile."""
    if vote.verdict == "reject":
        return _rejected(context, promotion, vote)
    if what := _changed(context, promotion):
        return _void(promotion, vote.verdict, what)
    if _breaks_glass(data):
        return _broke_glass(context, promotion, vote)
    return _approved(context, promotion, vote, [*agreed, (context.task.actor, context.now)])


def _breaks_glass(data: Vote) -> bool:
    return isinstance(data, PromotionApprove) and data.break_glass


def _does_not_count(
    context: TaskContext, data: Vote, promotion: Promotion, agreed: list[tuple[str, datetime]], verdict: str
) -> str | None:
    """Return why a vote does not count, or None."""
    if (promotion.model, promotion.version, promotion.target) != (data.model, data.version, data.target):
        return f"that promotion is about {promotion}, not about {data.model} version {data.version} to {data.target}"
    if why := _subject_change(context) or _closed(context, data, promotion) or _in_dispute(context, promotion, verdict):
        return why
    approval = approval_of(context, promotion)
    if _breaks_glass(data):
        return _glass_holds(context, data, promotion, approval)
    groups = approval.groups if approval else []
    if not context.policy.may_vote(context.task.actor, groups, at=context.now):
        return f"{context.actor_name} may not {verdict} {promotion}; these may: {format_groups(context, groups)}"
    if verdict == "approve" and context.task.actor in dict(agreed):
        return f"{context.actor_name} approved {promotion} already; it waits for somebody else"
    return _excluded(context, promotion, groups) if verdict == "approve" else _unexplained(context, data, promotion)


def _subject_change(context: TaskContext) -> str | None:
    """Return what changed since the voter saw it: an earlier task may have voided it, or its time may have come."""
    why = subject_change(context)
    return f"{why}; look at it, and say it again" if why else None


def _closed(context: TaskContext, data: Vote, promotion: Promotion) -> str | None:
    """Return why it can't be voted on, or not yet. Breaking the glass need not wait."""
    if promotion.state == "awaiting_approval" or (_breaks_glass(data) and promotion.open):
        return None
    if promotion.state == "waiting" and promotion.due_at:
        return f"{promotion} waits until {promotion.due_at:%Y-%m-%d %H:%M} UTC; then you will be asked"
    alone = promotion.state in ("superseded", "expired", "failed")  # not decided by a person
    by = f" by {display_name(context, promotion.decided_by)}" if promotion.decided_by and not alone else ""
    why = f" ({promotion.reason})" if promotion.reason else ""
    return f"{promotion} is {promotion.state.replace('_', ' ')} already{by}{why}"


def _in_dispute(context: TaskContext, promotion: Promotion, verdict: str) -> str | None:
    still = disputes.blocked_reason(context) if verdict == "approve" else None
    return f"{promotion} stays open, and can be approved when this is settled: {still}" if still else None


def _glass_holds(context: TaskContext, data: Vote, promotion: Promotion, approval: Approval | None) -> str | None:
    glass = approval.break_glass if approval else None
    if glass is None or not context.policy.belongs(context.task.actor, [glass.group]):
        may = f"these may: {format_groups(context, [glass.group])}" if glass else "the policy has no break_glass for it"
        return f"{context.actor_name} may not break the glass for {promotion}; {may}"
    if not (data.reason or "").strip():
        return f"breaking the glass for {promotion} needs a reason"
    if held := version_state.quarantine_reason(
        context.ledger, context.registry.version(promotion.model, promotion.version)
    ):
        return f"{promotion} can't be approved: {held}"
    return None


def _excluded(context: TaskContext, promotion: Promotion, groups: list[str]) -> str | None:
    version = context.registry.version(promotion.model, promotion.version)
    if held := version_state.quarantine_reason(context.ledger, version):
        return f"{promotion} can't be approved: {held}"
    without = excluded_voters(context, promotion, version)
    if why := without.get(context.task.actor):
        return f"{context.actor_name} {why}, so somebody else must approve it"
    if not context.policy.may_vote(context.task.actor, groups, at=context.now, excluded=frozenset(without)):
        whom = " or ".join(without.values())
        return f"{context.actor_name} stands in only for who {whom}; somebody else must approve it"
    return None


def _unexplained(context: TaskContext, data: Vote, promotion: Promotion) -> str | None:
    approval = approval_of(context, promotion)
    if approval and approval.reject_reason == "required" and not (data.reason or "").strip():
        step = f"{chat_name(data.model)} {data.version} {data.target}"
        web = "--reason WHY, or the field reason"
        return f"a rejection of {promotion} needs a reason: " + pick_instruction(
            context, chat=f"reject {step} WHY", web=web, event="the field reason"
        )
    return None


def _request_instruction(context: TaskContext, data: Vote) -> str:
    """Return how to ask for the promotion."""
    step = f"{chat_name(data.model)} {data.version}"
    event = f"promotion.request model={chat_name(data.model)} version={data.version} target={data.target}"
    return pick_instruction(
        context, chat=f"request {step} {data.target}", web=f"registrar send {event}", event="promotion.request"
    )


def _refused(context: TaskContext, promotion: Promotion | None, verdict: str, why: str) -> Outcome:
    vote = VoteCast(promotion.id if promotion else None, verdict, False, why)
    fact = Fact(
        FactType.PROMOTION_VOTE_REFUSED,
        why,
        context.model,
        context.version,
        {"by": context.actor_name, "verdict": verdict},
    )
    return Outcome(summary=f"Your vote does not count: {why}", facts=(fact,), records=(vote,), refused=True)


def _expired(context: TaskContext, data: Vote, promotion: Promotion, verdict: str, since: str) -> Outcome:
    why = f"{promotion} was asked for {since} ago and has expired; ask again: {_request_instruction(context, data)}"
    records: tuple[LedgerChange, ...] = (
        VoteCast(promotion.id, verdict, False, why),
        PromotionStateChanged(promotion.id, "expired", why),
    )
    fact = Fact(
        FactType.PROMOTION_EXPIRED,
        why,
        promotion.model,
        promotion.version,
        {"promotion": promotion.id, "target": promotion.target},
    )
    return Outcome(summary=f"Your vote does not count: {why}", facts=(fact,), records=records, refused=True)


def _changed(context: TaskContext, promotion: Promotion) -> str | None:
    """Return what differs from what approvers were shown, or None: an approval holds only for that."""
    version = context.registry.version(promotion.model, promotion.version)
    return gather(context, version, target_of(context, promotion.target)).changed_since(promotion.evidence)


def _void(promotion: Promotion, verdict: str, what: str) -> Outcome:
    why = approval_request.changed_reason(promotion, what)
    done = approval_request.request_again(promotion, why, VoteCast(promotion.id, verdict, False, why))
    return replace(done, summary=f"Your vote does not count: {done.summary}", refused=True)


def _rejected(context: TaskContext, promotion: Promotion, vote: VoteCast) -> Outcome:
    reason = f": {vote.why}" if vote.why else ""
    text = f"the promotion of {promotion} was rejected by {context.actor_name}{reason}"
    fact = Fact(
        FactType.PROMOTION_REJECTED,
        text,
        promotion.model,
        promotion.version,
        {"promotion": promotion.id, "target": promotion.target},
    )
    decided = PromotionStateChanged(promotion.id, "rejected", vote.why or None)
    return Outcome(summary=text, facts=(fact,), records=(vote, decided))


def _approved(
    context: TaskContext, promotion: Promotion, vote: VoteCast, agreed: list[tuple[str, datetime]]
) -> Outcome:
    details = {"promotion": promotion.id, "by": context.actor_name, "target": promotion.target}
    if lacking := _missing(context, promotion, agreed):
        text = f"{context.actor_name} approved {promotion}; still needed: {lacking}"
        fact = Fact(FactType.PROMOTION_VOTE_COUNTED, text, promotion.model, promotion.version, details)
        return Outcome(summary=text, facts=(fact,), records=(vote,))
    text = f"the promotion of {promotion} was approved by {context.actor_name}"
    fact = Fact(FactType.PROMOTION_APPROVED, text, promotion.model, promotion.version, details)
    return _go(promotion, fact, vote, PromotionStateChanged(promotion.id, "approved"))


def _broke_glass(context: TaskContext, promotion: Promotion, vote: VoteCast) -> Outcome:
    """Approve by one person, past the rules and closed time gates, but never past gates. It is marked for good."""
    text = f"{context.actor_name} broke the glass: the promotion of {promotion} is approved past its rules: {vote.why}"
    details = {"promotion": promotion.id, "by": context.actor_name, "target": promotion.target, "reason": vote.why}
    fact = Fact(FactType.PROMOTION_BROKE_GLASS, text, promotion.model, promotion.version, details)
    return _go(promotion, fact, vote, PromotionStateChanged(promotion.id, "approved", vote.why, broke_glass=True))


def _go(promotion: Promotion, fact: Fact, vote: VoteCast, decided: PromotionStateChanged) -> Outcome:
    args = {"version": promotion.version, "stage": promotion.target, "promotion": promotion.id}
    return Outcome(fact.text, (fact,), (FollowUp("worker.transition", args),), (vote, decided))


def _missing(context: TaskContext, promotion: Promotion, agreed: list[tuple[str, datetime]]) -> str:
    approval = approval_of(context, promotion)
    if approval is None:
        return ""
    version = context.registry.version(promotion.model, promotion.version)
    return missing_approvals(context, approval, agreed, frozenset(excluded_voters(context, promotion, version)))
