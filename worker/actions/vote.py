"""worker.vote, on promotion.approve and promotion.reject: does this person's word count, and is it enough?"""

from dataclasses import replace
from datetime import datetime

from registrar.events.outcome import Fact, FollowUp, LedgerChange, Outcome
from registrar.events.types import PromotionApprove, Vote
from registrar.ledger.promotions import Promotion, PromotionStateChanged, VoteCast, approvals
from registrar.policy.approvals import Approval
from worker.promotions import disputes, invalidation, quarantine
from worker.promotions.evidence import expired, gather, target_of
from worker.promotions.hints import chat_name, how
from worker.promotions.voters import allowed, approval_of, changed, excluded, meant, missing, name
from worker.task_context import TaskContext


def act(work: TaskContext) -> Outcome:
    data = work.data_as(Vote)
    verdict = "approve" if isinstance(data, PromotionApprove) else "reject"
    promotion = meant(work)
    if promotion is None:
        asked = f"{data.model} version {data.version} to {data.target}"
        nobody = f"nobody asked for {asked}; ask first: {_asking(work, data)}"
        return _refused(work, None, verdict, _unlike(work) or nobody)
    with work.ledger.read() as connection:
        agreed = approvals(connection, promotion.id)
    if why := _does_not_count(work, data, promotion, agreed, verdict):
        return _refused(work, promotion, verdict, why)
    if since := expired(work, promotion):
        return _expired(work, data, promotion, verdict, since)
    return _counted(work, data, promotion, VoteCast(promotion.id, verdict, True, data.reason or ""), agreed)


def _counted(
    work: TaskContext, data: Vote, promotion: Promotion, vote: VoteCast, agreed: list[tuple[str, datetime]]
) -> Outcome:
    """A vote of somebody who may, unless what it is about changed meanwhile."""
    if vote.verdict == "reject":
        return _rejected(work, promotion, vote)
    if what := _changed(work, promotion):
        return _void(promotion, vote.verdict, what)
    if _breaks_glass(data):
        return _broke_glass(work, promotion, vote)
    return _approved(work, promotion, vote, [*agreed, (work.task.actor, work.now)])


def _breaks_glass(data: Vote) -> bool:
    return isinstance(data, PromotionApprove) and data.break_glass


def _does_not_count(
    work: TaskContext, data: Vote, promotion: Promotion, agreed: list[tuple[str, datetime]], verdict: str
) -> str | None:
    """Why a vote does not count, or None."""
    if (promotion.model, promotion.version, promotion.target) != (data.model, data.version, data.target):
        return f"that promotion is about {promotion}, not about {data.model} version {data.version} to {data.target}"
    if why := _unlike(work) or _closed(work, data, promotion) or _in_dispute(work, promotion, verdict):
        return why
    approval = approval_of(work, promotion)
    if _breaks_glass(data):
        return _glass_holds(work, data, promotion, approval)
    groups = approval.groups if approval else []
    if not work.policy.may_vote(work.task.actor, groups, at=work.now):
        return f"{work.who} may not {verdict} {promotion}; these may: {allowed(work, groups)}"
    if verdict == "approve" and work.task.actor in dict(agreed):
        return f"{work.who} approved {promotion} already; it waits for somebody else"
    return _excluded(work, promotion, groups) if verdict == "approve" else _unexplained(work, data, promotion)


def _unlike(work: TaskContext) -> str | None:
    """What was before it in its lane may have voided what it is about, or its time may have come."""
    why = changed(work)
    return f"{why}; look at it, and say it again" if why else None


def _closed(work: TaskContext, data: Vote, promotion: Promotion) -> str | None:
    """Why nothing can be said about it, or not yet. Who breaks the glass need not wait."""
    if promotion.state == "awaiting_approval" or (_breaks_glass(data) and promotion.open):
        return None
    if promotion.state == "waiting" and promotion.due_at:
        return f"{promotion} waits until {promotion.due_at:%Y-%m-%d %H:%M} UTC; then you will be asked"
    alone = promotion.state in ("superseded", "expired", "failed")  # nobody decided so
    by = f" by {name(work, promotion.decided_by)}" if promotion.decided_by and not alone else ""
    why = f" ({promotion.reason})" if promotion.reason else ""
    return f"{promotion} is {promotion.state.replace('_', ' ')} already{by}{why}"


def _in_dispute(work: TaskContext, promotion: Promotion, verdict: str) -> str | None:
    still = disputes.stands_still(work) if verdict == "approve" else None
    return f"{promotion} stays open, and can be approved when this is settled: {still}" if still else None


def _glass_holds(work: TaskContext, data: Vote, promotion: Promotion, approval: Approval | None) -> str | None:
    glass = approval.break_glass if approval else None
    if glass is None or not work.policy.belongs(work.task.actor, [glass.group]):
        may = f"these may: {allowed(work, [glass.group])}" if glass else "the policy has no break_glass for it"
        return f"{work.who} may not break the glass for {promotion}; {may}"
    if not (data.reason or "").strip():
        return f"breaking the glass for {promotion} needs a reason"
    if held := quarantine.why(work.ledger, work.registry.version(promotion.model, promotion.version)):
        return f"{promotion} can't be approved: {held}"
    return None


def _excluded(work: TaskContext, promotion: Promotion, groups: list[str]) -> str | None:
    version = work.registry.version(promotion.model, promotion.version)
    if held := quarantine.why(work.ledger, version):
        return f"{promotion} can't be approved: {held}"
    without = excluded(work, promotion, version)
    if why := without.get(work.task.actor):
        return f"{work.who} {why}, so somebody else must approve it"
    if not work.policy.may_vote(work.task.actor, groups, at=work.now, excluded=frozenset(without)):
        return f"{work.who} stands in only for who {' or '.join(without.values())}; somebody else must approve it"
    return None


def _unexplained(work: TaskContext, data: Vote, promotion: Promotion) -> str | None:
    approval = approval_of(work, promotion)
    if approval and approval.reject_reason == "required" and not (data.reason or "").strip():
        step = f"{chat_name(data.model)} {data.version} {data.target}"
        web = "--reason WHY, or the field reason"
        return f"a rejection of {promotion} needs a reason: " + how(
            work, chat=f"reject {step} WHY", web=web, event="the field reason"
        )
    return None


def _asking(work: TaskContext, data: Vote) -> str:
    """How the promotion that nobody asked for is asked for."""
    step = f"{chat_name(data.model)} {data.version}"
    event = f"promotion.request model={chat_name(data.model)} version={data.version} target={data.target}"
    return how(work, chat=f"request {step} {data.target}", web=f"registrar send {event}", event="promotion.request")


def _refused(work: TaskContext, promotion: Promotion | None, verdict: str, why: str) -> Outcome:
    vote = VoteCast(promotion.id if promotion else None, verdict, False, why)
    fact = Fact("promotion.vote_refused", why, work.model, work.version, {"by": work.who, "verdict": verdict})
    return Outcome(summary=f"Your vote does not count: {why}", facts=(fact,), records=(vote,), refused=True)


def _expired(work: TaskContext, data: Vote, promotion: Promotion, verdict: str, since: str) -> Outcome:
    why = f"{promotion} was asked for {since} ago and has expired; ask again: {_asking(work, data)}"
    records: tuple[LedgerChange, ...] = (
        VoteCast(promotion.id, verdict, False, why),
        PromotionStateChanged(promotion.id, "expired", why),
    )
    fact = Fact(
        "promotion.expired",
        why,
        promotion.model,
        promotion.version,
        {"promotion": promotion.id, "target": promotion.target},
    )
    return Outcome(summary=f"Your vote does not count: {why}", facts=(fact,), records=records, refused=True)


def _changed(work: TaskContext, promotion: Promotion) -> str | None:
    """What is not as it was shown to the approvers, or None: an approval holds for what was shown."""
    version = work.registry.version(promotion.model, promotion.version)
    return gather(work, version, target_of(work, promotion.target)).changed_since(promotion.evidence)


def _void(promotion: Promotion, verdict: str, what: str) -> Outcome:
    why = invalidation.changed(promotion, what)
    done = invalidation.outcome(promotion, why, VoteCast(promotion.id, verdict, False, why))
    return replace(done, summary=f"Your vote does not count: {done.summary}", refused=True)


def _rejected(work: TaskContext, promotion: Promotion, vote: VoteCast) -> Outcome:
    reason = f": {vote.why}" if vote.why else ""
    text = f"the promotion of {promotion} was rejected by {work.who}{reason}"
    fact = Fact(
        "promotion.rejected",
        text,
        promotion.model,
        promotion.version,
        {"promotion": promotion.id, "target": promotion.target},
    )
    decided = PromotionStateChanged(promotion.id, "rejected", vote.why or None)
    return Outcome(summary=text, facts=(fact,), records=(vote, decided))


def _approved(work: TaskContext, promotion: Promotion, vote: VoteCast, agreed: list[tuple[str, datetime]]) -> Outcome:
    details = {"promotion": promotion.id, "by": work.who, "target": promotion.target}
    if lacking := _missing(work, promotion, agreed):
        text = f"{work.who} approved {promotion}; still needed: {lacking}"
        fact = Fact("promotion.vote_counted", text, promotion.model, promotion.version, details)
        return Outcome(summary=text, facts=(fact,), records=(vote,))
    text = f"the promotion of {promotion} was approved by {work.who}"
    fact = Fact("promotion.approved", text, promotion.model, promotion.version, details)
    return _go(promotion, fact, vote, PromotionStateChanged(promotion.id, "approved"))


def _broke_glass(work: TaskContext, promotion: Promotion, vote: VoteCast) -> Outcome:
    """One person, past the rules and past what only time opens; never past the gates. It is flagged for good."""
    text = f"{work.who} broke the glass: the promotion of {promotion} is approved past its rules: {vote.why}"
    details = {"promotion": promotion.id, "by": work.who, "target": promotion.target, "reason": vote.why}
    fact = Fact("promotion.broke_glass", text, promotion.model, promotion.version, details)
    return _go(promotion, fact, vote, PromotionStateChanged(promotion.id, "approved", vote.why, broke_glass=True))


def _go(promotion: Promotion, fact: Fact, vote: VoteCast, decided: PromotionStateChanged) -> Outcome:
    args = {"version": promotion.version, "stage": promotion.target, "promotion": promotion.id}
    return Outcome(fact.text, (fact,), (FollowUp("worker.transition", args),), (vote, decided))


def _missing(work: TaskContext, promotion: Promotion, agreed: list[tuple[str, datetime]]) -> str:
    approval = approval_of(work, promotion)
    if approval is None:
        return ""
    version = work.registry.version(promotion.model, promotion.version)
    return missing(work, approval, agreed, frozenset(excluded(work, promotion, version)))
