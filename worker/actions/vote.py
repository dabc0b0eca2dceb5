"""worker.vote, on promotion.approve and promotion.reject: does this person's word count, and is it enough?"""

from registrar.ledger.promotions import Decided, Promotion, Voted, approvers, get, latest
from registrar.outcome import Fact, FollowUp, Outcome, Record
from registrar.policy.models import Approval, Rule
from registrar.vocabulary import PromotionApprove, Vote
from worker import quarantine
from worker.door import Version
from worker.evidence import expired, gather, target_of
from worker.quorum import unfilled
from worker.work import Work


def act(work: Work) -> Outcome:
    data = work.data_as(Vote)
    verdict = "approve" if isinstance(data, PromotionApprove) else "reject"
    promotion, agreed = _promotion(work, data)
    if promotion is None:
        asked = f"{data.model} version {data.version} to {data.target}"
        return _refused(work, None, verdict, f"nobody asked for {asked}; ask with promotion.request first")
    if why := _does_not_count(work, data, promotion, agreed, verdict):
        return _refused(work, promotion, verdict, why)
    if since := expired(work, promotion):
        return _expired(work, promotion, verdict, since)
    if changed := _changed(work, promotion):
        return _void(work, promotion, verdict, changed)
    vote = Voted(promotion.id, verdict, True, data.reason or "")
    if verdict == "reject":
        return _rejected(work, promotion, vote)
    return _approved(work, promotion, vote, {*agreed, work.task.actor})


def _promotion(work: Work, data: Vote) -> tuple[Promotion | None, list[str]]:
    with work.ledger.read() as connection:
        if data.promotion:
            found = get(connection, data.promotion)
        else:
            found = latest(connection, data.model, data.version, data.target)
        return found, approvers(connection, found.id) if found else []


def _does_not_count(work: Work, data: Vote, promotion: Promotion, agreed: list[str], verdict: str) -> str | None:
    """Why a vote does not count, or None."""
    if (promotion.model, promotion.version, promotion.target) != (data.model, data.version, data.target):
        return f"that promotion is about {promotion}, not about {data.model} version {data.version} to {data.target}"
    if promotion.state != "awaiting_approval":
        by = f" by {_name(work, promotion.decided_by)}" if promotion.decided_by else ""
        why = f" ({promotion.reason})" if promotion.reason else ""
        return f"{promotion} is {promotion.state.replace('_', ' ')} already{by}{why}"
    groups = [rule.group for rule in _rules(work, promotion)]
    if not work.policy.groups_of(work.task.actor) & set(groups):
        allowed = "; ".join(f"{group}: {', '.join(work.policy.members(group))}" for group in groups)
        return f"{work.who} may not {verdict} {promotion}; these may: {allowed}"
    if verdict == "approve" and work.task.actor in agreed:
        return f"{work.who} approved {promotion} already; it waits for somebody else"
    return _excluded(work, promotion) if verdict == "approve" else _unexplained(work, data, promotion)


def _excluded(work: Work, promotion: Promotion) -> str | None:
    version = work.registry.version(promotion.model, promotion.version)
    if held := quarantine.why(version):
        return f"{promotion} can't be approved: {held}"
    approval = _approval(work, promotion)
    exclude = approval.exclude if approval else []
    if "requester" in exclude and work.task.actor == promotion.requested_by:
        return f"{work.who} asked for {promotion}, so somebody else must approve it"
    if "author" in exclude and work.task.actor == _author(work, version):
        return f"{work.who} trained {promotion.model} version {promotion.version}, so somebody else must approve it"
    return None


def _author(work: Work, version: Version) -> str | None:
    """The person that MLflow's run names as its user, by their account `mlflow`."""
    user = work.registry.run(version.run_id).user if version.run_id else ""
    return next((who for who, person in work.policy.people.items() if person.accounts.get("mlflow") == user), None)


def _unexplained(work: Work, data: Vote, promotion: Promotion) -> str | None:
    approval = _approval(work, promotion)
    if approval and approval.reject_reason == "required" and not (data.reason or "").strip():
        return f"a rejection of {promotion} needs a reason: reject {data.model} {data.version} {data.target} WHY"
    return None


def _approval(work: Work, promotion: Promotion) -> Approval | None:
    target = work.policy.model(promotion.model).target(promotion.target)
    return target.approval if target and isinstance(target.approval, Approval) else None


def _rules(work: Work, promotion: Promotion) -> list[Rule]:
    approval = _approval(work, promotion)
    return approval.rules if approval else []


def _name(work: Work, actor: str) -> str:
    return work.policy.people[actor].name if actor in work.policy.people else actor


def _refused(work: Work, promotion: Promotion | None, verdict: str, why: str) -> Outcome:
    vote = Voted(promotion.id if promotion else None, verdict, False, why)
    fact = Fact("promotion.vote_refused", why, work.model, work.version, {"by": work.who, "verdict": verdict})
    return Outcome(summary=f"Your vote does not count: {why}", facts=(fact,), records=(vote,))


def _expired(work: Work, promotion: Promotion, verdict: str, since: str) -> Outcome:
    why = f"{promotion} was asked for {since} ago and has expired; ask again with promotion.request"
    records: tuple[Record, ...] = (Voted(promotion.id, verdict, False, why), Decided(promotion.id, "expired", why))
    fact = Fact("promotion.expired", why, promotion.model, promotion.version, {"promotion": promotion.id})
    return Outcome(summary=f"Your vote does not count: {why}", facts=(fact,), records=records)


def _changed(work: Work, promotion: Promotion) -> str | None:
    """What is not as it was shown to the approvers, or None: an approval holds for what was shown."""
    version = work.registry.version(promotion.model, promotion.version)
    now = gather(work, version, target_of(work, promotion.target)).to_json()
    names = {"policy_digest": "the policy", "source": "the model", "run_id": "the run", "gates": "a gate's result"}
    changed = [name for key, name in names.items() if now[key] != promotion.evidence.get(key)]
    return " and ".join(changed) or None


def _void(work: Work, promotion: Promotion, verdict: str, changed: str) -> Outcome:
    why = f"{changed} changed since {promotion} was asked for: it is asked for again"
    records: tuple[Record, ...] = (Voted(promotion.id, verdict, False, why), Decided(promotion.id, "superseded", why))
    again = FollowUp("worker.request", {"version": promotion.version, "target": promotion.target})
    fact = Fact("promotion.void", why, promotion.model, promotion.version, {"promotion": promotion.id})
    return Outcome(summary=f"Your vote does not count: {why}", facts=(fact,), follow_ups=(again,), records=records)


def _rejected(work: Work, promotion: Promotion, vote: Voted) -> Outcome:
    reason = f": {vote.why}" if vote.why else ""
    text = f"the promotion of {promotion} was rejected by {work.who}{reason}"
    fact = Fact("promotion.rejected", text, promotion.model, promotion.version, {"promotion": promotion.id})
    decided = Decided(promotion.id, "rejected", vote.why or None)
    return Outcome(summary=text, facts=(fact,), records=(vote, decided))


def _approved(work: Work, promotion: Promotion, vote: Voted, agreed: set[str]) -> Outcome:
    details = {"promotion": promotion.id, "by": work.who, "target": promotion.target}
    if missing := _missing(work, promotion, agreed):
        text = f"{work.who} approved {promotion}; still needed: {missing}"
        fact = Fact("promotion.vote_counted", text, promotion.model, promotion.version, details)
        return Outcome(summary=text, facts=(fact,), records=(vote,))
    text = f"the promotion of {promotion} was approved by {work.who}"
    args = {"version": promotion.version, "stage": promotion.target, "promotion": promotion.id}
    return Outcome(
        summary=text,
        facts=(Fact("promotion.approved", text, promotion.model, promotion.version, details),),
        follow_ups=(FollowUp("worker.transition", args),),
        records=(vote, Decided(promotion.id, "approved")),
    )


def _missing(work: Work, promotion: Promotion, agreed: set[str]) -> str:
    """What the rules still lack, for people; "" when all are met."""
    rules = _rules(work, promotion)
    members = [frozenset(work.policy.groups.get(rule.group, [])) for rule in rules]
    open_seats = unfilled([rule.required_approvals for rule in rules], members, agreed)
    return ", ".join(f"{count} more of {rule.group}" for rule, count in zip(rules, open_seats, strict=True) if count)
