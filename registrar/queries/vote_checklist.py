"""What an approval takes, rule by rule and person by person, and what one person's vote would do."""

from dataclasses import dataclass
from datetime import datetime

from registrar.events.states import PromotionState
from registrar.policy import Policy
from registrar.policy.approvals import Approval
from registrar.queries.deadlines import due_times
from registrar.queries.promotion_view import PromotionView
from registrar.queries.voting import (
    Approver,
    Voter,
    approval_of,
    approvers,
    excluded_people,
    in_words,
    name,
    unfilled_seats,
)


@dataclass(frozen=True)
class RuleLine:
    """An approval rule. agreed: whose approvals it has. may: who could still give one."""

    group: str
    required: int
    agreed: tuple[Approver, ...]
    may: tuple[Voter, ...] = ()

    @property
    def missing(self) -> int:
        return self.required - len(self.agreed)


@dataclass(frozen=True)
class OwnVote:
    """What an approval by one person would do. counts: it fills a seat. sentence: in the second person. last: no other
    approval is needed after it.
    """

    counts: bool
    sentence: str
    last: bool = False


def checklist(policy: Policy, view: PromotionView) -> list[RuleLine]:
    """Return the rules of a promotion's target, with who agreed.

    [] where they are not known: after the end of a promotion, if the policy in effect is another one than its own.
    """
    promotion, approval = view.promotion, approval_of(policy, view.promotion)
    if approval is None or (
        not view.voting and promotion.evidence.get("policy_digest") != policy.digest(promotion.model)
    ):
        return []
    if view.voting:
        return [RuleLine(rule.group, rule.required, rule.agreed, rule.may) for rule in view.voting.rules]
    without = frozenset(each.id for each in excluded_people(policy, promotion, approval) if each.id)
    taken = approvers(policy, approval, view.approvals, without)
    lines = [
        RuleLine(rule.group, rule.required_approvals, agreed)
        for rule, agreed in zip(approval.rules, taken, strict=True)
    ]
    moved = promotion.state in (PromotionState.APPROVED, PromotionState.PROMOTED) and not promotion.broke_glass
    # A delegation of that time may be gone from the file.
    return [] if moved and any(line.missing for line in lines) else lines


def own_vote(policy: Policy, view: PromotionView, actor_id: str, *, quarantined: str | None, at: datetime) -> OwnVote:
    """quarantined: why the version is in quarantine; None: it is not."""
    promotion, approval = view.promotion, approval_of(policy, view.promotion)
    if approval is None or view.voting is None:
        return OwnVote(False, "Nobody is asked: no approval is needed now.")
    if why := _why_nobody(view, approval, quarantined, at) or _why_not(policy, view, approval, actor_id, at):
        return OwnVote(False, why)
    excluded = frozenset(each.id for each in excluded_people(policy, promotion, approval) if each.id)
    before, mine = list(view.approvals), [*view.approvals, (actor_id, at)]
    lacks, left = (unfilled_seats(policy, approval, agreed, excluded) for agreed in (before, mine))
    if sum(left) == sum(lacks):
        return OwnVote(
            False,
            "Your approval would be recorded, but it would not bring this further: "
            f"needed is {in_words(approval.groups, lacks)}.",
        )
    if rest := in_words(approval.groups, left):
        return OwnVote(True, f"Your approval counts. After it, {rest} is still needed.")
    return OwnVote(True, "Your approval is the last one that is needed.", last=True)


def _why_nobody(view: PromotionView, approval: Approval, quarantined: str | None, at: datetime) -> str | None:
    """Return why no approval would count now, whoever gave it."""
    promotion = view.promotion
    if promotion.state != PromotionState.AWAITING_APPROVAL:
        return "Nobody is asked yet: it waits for its time."
    if view.stale:
        return "No approval would count: the policy has changed since the request."
    if view.dispute:
        return f"No approval would count while {promotion.model} is in dispute."
    if quarantined:
        return f"No approval would count: the version is in quarantine ({quarantined})."
    expires = due_times(promotion, approval).get("expire")
    if expires and expires < at:
        return "No approval would count: nobody decided in time, and it expires now."
    return None


def _why_not(policy: Policy, view: PromotionView, approval: Approval, actor_id: str, at: datetime) -> str | None:
    """Return why an approval by this person would not count."""
    promotion, lacks = view.promotion, view.voting.lacks if view.voting else ""
    if actor_id in dict(view.approvals):
        return f"You have approved it. Still needed: {lacks}."
    excluded = {each.id: each.why for each in excluded_people(policy, promotion, approval) if each.id}
    if why := excluded.get(actor_id):
        return f"Your approval would not count: you {why}."
    if not policy.may_vote(actor_id, approval.groups, at=at):
        groups = "; ".join(f"{group}: {', '.join(policy.members(group))}" for group in dict.fromkeys(approval.groups))
        return f"Your approval would not count: you are in no group that approves this ({groups})."
    if not policy.may_vote(actor_id, approval.groups, at=at, excluded=frozenset(excluded)):
        whom = ", ".join(name(policy, who) for who in excluded)
        return f"Your approval would not count: you stand in only for {whom}, whose own would not count."
    return None
