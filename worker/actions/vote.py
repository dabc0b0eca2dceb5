"""worker.vote, on promotion.approve and promotion.reject: decide whether a vote counts, and whether votes suffice."""

from dataclasses import replace
from datetime import datetime

from registrar.events.facts import FactType
from registrar.events.outcome import Fact, FollowUp, Outcome
from registrar.events.states import PromotionState
from registrar.events.types import PromotionApprove, PromotionRequest, Vote
from registrar.ledger.promotions import Promotion, PromotionStateChanged
from registrar.ledger.votes import VoteCast, approvals
from registrar.policy.approvals import Approval
from worker.promotions import disputes, version_state
from worker.promotions.closing import changed_reason, end_promotion, promotion_fact, request_again
from worker.promotions.evidence import expired_since, gather, target_of
from worker.promotions.instructions import chat_command, pick_instruction, quoted_model
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

_DECIDED_BY_NOBODY = (PromotionState.SUPERSEDED, PromotionState.EXPIRED, PromotionState.FAILED)


def act(context: TaskContext) -> Outcome:
    data = context.data_as(Vote)
    verdict = "approve" if isinstance(data, PromotionApprove) else "reject"
    promotion = load_subject(context)
    if promotion is None:
        step = f"{data.model} version {data.version} to {data.target}"
        nobody = f"nobody asked for {step}; ask first: {_request_instruction(context, data)}"
        return _refused(context, None, verdict, _subject_change(context) or nobody)
    with context.ledger.read() as connection:
        agreed = approvals(connection, promotion.id)
    if why := _why_not_counted(context, data, promotion, agreed, verdict):
        return _refused(context, promotion, verdict, why)
    if since := expired_since(context, promotion):
        return _expired(context, data, promotion, verdict, since)
    return _counted(context, data, promotion, VoteCast(promotion.id, verdict, True, data.reason or ""), agreed)


def _counted(
    context: TaskContext, data: Vote, promotion: Promotion, vote: VoteCast, agreed: list[tuple[str, datetime]]
) -> Outcome:
    """Count the vote of a person who may vote, unless the evidence has changed meanwhile."""
    if vote.verdict == "reject":
        return _rejected(context, promotion, vote)
    if what := _changed(context, promotion):
        return _void(promotion, vote.verdict, what)
    if _breaks_glass(data):
        return _broke_glass(context, promotion, vote)
    return _approved(context, promotion, vote, [*agreed, (context.task.actor, context.now)])


def _breaks_glass(data: Vote) -> bool:
    return isinstance(data, PromotionApprove) and data.break_glass


def _why_not_counted(
    context: TaskContext, data: Vote, promotion: Promotion, agreed: list[tuple[str, datetime]], verdict: str
) -> str | None:
    """Return why a vote does not count, for people, or None."""
    if (promotion.model, promotion.version, promotion.target) != (data.model, data.version, data.target):
        return f"that promotion is about {promotion}, not about {data.model} version {data.version} to {data.target}"
    if why := _subject_change(context) or _closed(context, data, promotion) or _in_dispute(context, promotion, verdict):
        return why
    approval = approval_of(context, promotion)
    if _breaks_glass(data):
        return _why_glass_holds(context, data, promotion, approval)
    groups = approval.groups if approval else []
    if not context.policy.may_vote(context.task.actor, groups, at=context.now):
        return f"{context.actor_name} may not {verdict} {promotion}; these may: {format_groups(context, groups)}"
    if verdict == "approve" and context.task.actor in dict(agreed):
        return f"{context.actor_name} approved {promotion} already; it waits for somebody else"
    approves = verdict == "approve"
    return _why_excluded(context, promotion, groups) if approves else _missing_reason(context, data, promotion)


def _subject_change(context: TaskContext) -> str | None:
    """Return what changed about the promotion since the voter saw it, for people, or None."""
    why = subject_change(context)
    return f"{why}; look at it, and say it again" if why else None


def _closed(context: TaskContext, data: Vote, promotion: Promotion) -> str | None:
    """Return why the promotion can't be voted on now, for people. Breaking the glass need not wait for time gates."""
    if promotion.state == PromotionState.AWAITING_APPROVAL or (_breaks_glass(data) and promotion.open):
        return None
    if promotion.state == PromotionState.WAITING and promotion.due_at:
        return f"{promotion} waits until {promotion.due_at:%Y-%m-%d %H:%M} UTC; then you will be asked"
    by_person = promotion.decided_by and promotion.state not in _DECIDED_BY_NOBODY
    by = f" by {display_name(context, promotion.decided_by)}" if by_person else ""
    why = f" ({promotion.reason})" if promotion.reason else ""
    return f"{promotion} is {promotion.state.replace('_', ' ')} already{by}{why}"


def _in_dispute(context: TaskContext, promotion: Promotion, verdict: str) -> str | None:
    why = disputes.blocked_reason(context) if verdict == "approve" else None
    return f"{promotion} stays open, and can be approved when this is settled: {why}" if why else None


def _why_glass_holds(context: TaskContext, data: Vote, promotion: Promotion, approval: Approval | None) -> str | None:
    glass = approval.break_glass if approval else None
    if glass is None or not context.policy.belongs(context.task.actor, [glass.group]):
        may = f"these may: {format_groups(context, [glass.group])}" if glass else "the policy has no break_glass for it"
        return f"{context.actor_name} may not break the glass for {promotion}; {may}"
    if not (data.reason or "").strip():
        return f"breaking the glass for {promotion} needs a reason"
    if why := version_state.quarantine_reason(context.ledger, context.named_version):
        return f"{promotion} can't be approved: {why}"
    return None


def _why_excluded(context: TaskContext, promotion: Promotion, groups: list[str]) -> str | None:
    if why := version_state.quarantine_reason(context.ledger, context.named_version):
        return f"{promotion} can't be approved: {why}"
    excluded = excluded_voters(context, promotion, context.named_version)
    if why := excluded.get(context.task.actor):
        return f"{context.actor_name} {why}, so somebody else must approve it"
    if not context.policy.may_vote(context.task.actor, groups, at=context.now, excluded=frozenset(excluded)):
        reasons = " or ".join(excluded.values())
        return f"{context.actor_name} stands in only for people who {reasons}; somebody else must approve it"
    return None


def _missing_reason(context: TaskContext, data: Vote, promotion: Promotion) -> str | None:
    approval = approval_of(context, promotion)
    if approval and approval.reject_reason == "required" and not (data.reason or "").strip():
        chat = f"{chat_command('reject', data.model, data.version, data.target)} WHY"
        web, event = "--reason WHY, or the field reason", "the field reason"
        instruction = pick_instruction(context, chat=chat, web=web, event=event)
        return f"a rejection of {promotion} needs a reason: {instruction}"
    return None


def _request_instruction(context: TaskContext, data: Vote) -> str:
    """Return how to ask for the promotion."""
    chat = chat_command("promote", data.model, data.version, data.target)
    fields = f"model={quoted_model(data.model)} version={data.version} target={data.target}"
    event = PromotionRequest.type
    return pick_instruction(context, chat=chat, web=f"registrar send {event} {fields}", event=event)


def _refused(context: TaskContext, promotion: Promotion | None, verdict: str, why: str) -> Outcome:
    vote = VoteCast(promotion.id if promotion else None, verdict, False, why)
    details = {"by": context.actor_name, "verdict": verdict}
    fact = Fact(FactType.PROMOTION_VOTE_REFUSED, why, context.model, context.version, details)
    return Outcome(summary=f"Your vote does not count: {why}", facts=(fact,), records=(vote,), refused=True)


def _expired(context: TaskContext, data: Vote, promotion: Promotion, verdict: str, since: str) -> Outcome:
    why = f"{promotion} was asked for {since} ago and has expired; ask again: {_request_instruction(context, data)}"
    vote = VoteCast(promotion.id, verdict, False, why)
    ended = end_promotion(promotion, PromotionState.EXPIRED, FactType.PROMOTION_EXPIRED, why, why, vote)
    return replace(ended, summary=f"Your vote does not count: {why}", refused=True)


def _changed(context: TaskContext, promotion: Promotion) -> str | None:
    """Return what differs from the evidence that approvers saw, for people, or None: an approval is bound to that."""
    return gather(context, context.named_version, target_of(context, promotion.target)).changed_since(
        promotion.evidence
    )


def _void(promotion: Promotion, verdict: str, what: str) -> Outcome:
    why = changed_reason(promotion, what)
    ended = request_again(promotion, why, VoteCast(promotion.id, verdict, False, why))
    return replace(ended, summary=f"Your vote does not count: {ended.summary}", refused=True)


def _rejected(context: TaskContext, promotion: Promotion, vote: VoteCast) -> Outcome:
    reason = f": {vote.why}" if vote.why else ""
    text = f"the promotion of {promotion} was rejected by {context.actor_name}{reason}"
    return end_promotion(promotion, PromotionState.REJECTED, FactType.PROMOTION_REJECTED, text, vote.why or None, vote)


def _approved(
    context: TaskContext, promotion: Promotion, vote: VoteCast, agreed: list[tuple[str, datetime]]
) -> Outcome:
    by = context.actor_name
    if missing := _missing(context, promotion, agreed):
        text = f"{by} approved {promotion}; still needed: {missing}"
        fact = promotion_fact(FactType.PROMOTION_VOTE_COUNTED, promotion, text, by=by)
        return Outcome(summary=text, facts=(fact,), records=(vote,))
    text = f"the promotion of {promotion} was approved by {by}"
    fact = promotion_fact(FactType.PROMOTION_APPROVED, promotion, text, by=by)
    return _move(promotion, fact, vote, PromotionStateChanged(promotion.id, PromotionState.APPROVED))


def _broke_glass(context: TaskContext, promotion: Promotion, vote: VoteCast) -> Outcome:
    """Approve by one person, past the rules and closed time gates, but never past gates. The record keeps that."""
    text = f"{context.actor_name} broke the glass: the promotion of {promotion} is approved past its rules: {vote.why}"
    fact = promotion_fact(FactType.PROMOTION_BROKE_GLASS, promotion, text, by=context.actor_name, reason=vote.why)
    decided = PromotionStateChanged(promotion.id, PromotionState.APPROVED, vote.why, broke_glass=True)
    return _move(promotion, fact, vote, decided)


def _move(promotion: Promotion, fact: Fact, vote: VoteCast, decided: PromotionStateChanged) -> Outcome:
    args = {"version": promotion.version, "stage": promotion.target, "promotion": promotion.id}
    return Outcome(fact.text, (fact,), (FollowUp("worker.transition", args),), (vote, decided))


def _missing(context: TaskContext, promotion: Promotion, agreed: list[tuple[str, datetime]]) -> str:
    approval = approval_of(context, promotion)
    if approval is None:
        return ""
    excluded = frozenset(excluded_voters(context, promotion, context.named_version))
    return missing_approvals(context, approval, agreed, excluded)
