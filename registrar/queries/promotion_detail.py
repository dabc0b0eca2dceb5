"""Read all that is to be said of one promotion, in the caller's transaction: for its page, the API and the CLI."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from registrar.events.states import PromotionState
from registrar.events.types import PromotionRequest
from registrar.ledger import Connection
from registrar.ledger.disputes import dispute
from registrar.ledger.incarnations import made_anew_at, of_deleted
from registrar.ledger.promotions import Promotion, promoted_at
from registrar.ledger.queries import models, promotion_record
from registrar.ledger.queries.find import archive_location, newest_holdings
from registrar.ledger.queries.holdings import Holding
from registrar.ledger.queries.promotion_results import PromotionResult, load_results
from registrar.ledger.version_state import Key
from registrar.policy import Policy, Target
from registrar.policy.permissions import includes, required_role
from registrar.queries.metric_comparison import MetricRow, compare_metrics
from registrar.queries.model_standing import ModelStanding
from registrar.queries.policy_changes import PolicyChange, policy_change
from registrar.queries.policy_view import bound
from registrar.queries.promotion_steps import Past, Step, steps
from registrar.queries.promotion_timing import Deadline, TimeGate, deadlines, has_time_gates, time_gates
from registrar.queries.promotion_view import PromotionView, promotion_view
from registrar.queries.version_record import held_by, incarnation, seen
from registrar.queries.version_verbs import Person, VerbName, verbs
from registrar.queries.vote_checklist import OwnVote, RuleLine, checklist, own_vote
from registrar.queries.voting import may_cancel, name

_NEWEST = 50  # promotions and holdings of the version that are looked at
# Nobody decides these: `decided_by` is the author of the event that led to it.
_BY_NOBODY = (PromotionState.SUPERSEDED, PromotionState.EXPIRED, PromotionState.FAILED, PromotionState.PROMOTED)


@dataclass(frozen=True)
class Request:
    """A form that asks for a promotion again. seen: what it is made for (version_record.seen)."""

    seen: str


@dataclass(frozen=True)
class PromotionDetail:
    """A promotion with all that is beside it in the record.

    shown: what approvers were shown (approval_request.py). archived: the event's tasks are in an archive file. bound:
    the text of the policy that approvals are bound to. recreated_at: when the model of a deleted version was created
    again. newer: a later promotion of the version to the target. lines: the rules with who agreed; empty: not known.
    decided_by: who ended it, by name; "": nobody, or those who approved it.
    """

    promotion: Promotion
    target: Target | None
    view: PromotionView
    votes: Sequence[Mapping[str, Any]]
    shown: Mapping[str, Any]
    archived: bool
    bound: Mapping[str, Any] | None
    became: PromotionResult
    recreated_at: datetime | None
    newer: Mapping[str, Any] | None
    decided_by: str
    lines: Sequence[RuleLine]
    steps: Sequence[Step]
    time_gates: Sequence[TimeGate]
    deadlines: Sequence[Deadline]
    metrics: Sequence[MetricRow]
    policy_change: PolicyChange | None


@dataclass(frozen=True)
class OwnPart:
    """What a person may do about a promotion. vote: None where nobody is asked. again: None where they may not ask."""

    vote: OwnVote | None
    may_cancel: bool
    may_break_glass: bool
    again: Request | None


def read_promotion(connection: Connection, policy: Policy, promotion: Promotion, *, at: datetime) -> PromotionDetail:
    row, target = [vars(promotion)], policy.model(promotion.model).target(promotion.target)
    view = promotion_view(policy, connection, promotion, at=at)
    votes = promotion_record.votes_on(connection, promotion.id)
    shown = promotion_record.load_approval_snapshot(connection, promotion)
    digest = str(promotion.evidence.get("policy_digest"))
    text = bound(policy, connection, digest)
    became = load_results(connection, row).get(promotion.id, PromotionResult())
    lines = checklist(policy, view)
    past = _past(connection, policy, view, target, votes, became=became, lines=lines, was_shown=bool(shown))
    has_limits = promotion.open and target is not None and has_time_gates(target)
    promoted = promoted_at(connection, promotion.model, promotion.target) if has_limits else []
    return PromotionDetail(
        promotion=promotion,
        target=target,
        view=view,
        votes=votes,
        shown=shown,
        archived=archive_location(connection, promotion.event_id) is not None,
        bound=text,
        became=became,
        recreated_at=of_deleted(connection, row).get(promotion.id),
        newer=_newer(connection, promotion),
        decided_by=past.decided_by if not promotion.open else "",
        lines=lines,
        steps=steps(past),
        time_gates=time_gates(policy, promotion, target, promoted, at=at) if has_limits and target else (),
        deadlines=deadlines(policy, promotion),
        metrics=compare_metrics(shown, target),
        policy_change=policy_change(policy, promotion.model, digest, text) if promotion.evidence else None,
    )


def to_json(detail: PromotionDetail) -> dict[str, Any]:
    """Return what is beside a promotion's own fields, JSON-able except the times."""
    return {
        "votes": list(detail.votes),
        "steps": [step.to_json() for step in detail.steps],
        "time_gates": [asdict(gate) for gate in detail.time_gates],
        "deadlines": [asdict(deadline) for deadline in detail.deadlines],
    }


def read_own_part(
    connection: Connection, policy: Policy, detail: PromotionDetail, person: Person, *, at: datetime
) -> OwnPart:
    """Return what a person may do: buttons offer this; the worker decides anew about what is sent."""
    promotion, view = detail.promotion, detail.view
    if not promotion.open:
        return OwnPart(None, False, False, _request(connection, policy, detail, person))
    if not includes(person.role, "approver"):
        return OwnPart(None, False, False, None)
    state = ModelStanding(connection, policy.model(promotion.model), promotion.model, ()).state_of(promotion.version)
    vote = own_vote(policy, view, person.id, quarantined=state.get(Key.QUARANTINED), at=at) if view.voting else None
    glass = view.voting.may_break_glass if view.voting and not (view.stale or view.dispute) else ()
    under_way = promotion.state == PromotionState.APPROVED and promotion.due_at is None
    return OwnPart(
        vote,
        may_cancel(policy, promotion, person.id) and not under_way,
        person.id in [voter.id for voter in glass],
        None,
    )


def _past(
    connection: Connection,
    policy: Policy,
    view: PromotionView,
    target: Target | None,
    votes: Sequence[Mapping[str, Any]],
    *,
    became: PromotionResult,
    lines: Sequence[RuleLine],
    was_shown: bool,
) -> Past:
    promotion = view.promotion
    counted = [vote for vote in votes if vote["counted"] and vote["verdict"] == "approve"]
    decided = None
    if (counted and not promotion.open) or promotion.state == PromotionState.APPROVED:
        decided = promotion_record.approved_at(connection, promotion.id, [vote["event_id"] for vote in counted])
    if counted and promotion.state in (PromotionState.APPROVED, PromotionState.PROMOTED):
        decided = decided or counted[-1]["at"]
    by_nobody = promotion.state in _BY_NOBODY or not promotion.decided_by
    return Past(
        promotion=promotion,
        target=target,
        same_policy=promotion.evidence.get("policy_digest") == policy.digest(promotion.model),
        requested_by=view.requested_by,
        asked=was_shown or any(vote["counted"] for vote in votes) or _was_asked(promotion, target),
        approved_at=decided,
        agreed=view.agreed,
        decided_by="" if by_nobody else name(policy, str(promotion.decided_by)),
        tally=(sum(len(line.agreed) for line in lines), sum(line.required for line in lines)) if lines else None,
        became=became,
        holding=_holding(connection, policy, promotion, target),
        stuck=view.voting.impossible if view.voting else "",
    )


def _was_asked(promotion: Promotion, target: Target | None) -> bool:
    """Return whether approvers were asked at once, where no fact says so any more."""
    takes_approval = target is not None and target.approval != "automatic"
    ended_otherwise = promotion.state not in (PromotionState.PROMOTED, PromotionState.FAILED)
    return takes_approval and promotion.due_at is None and ended_otherwise


def _holding(connection: Connection, policy: Policy, promotion: Promotion, target: Target | None) -> Holding | None:
    """Return the version's holding that the promotion began."""
    if promotion.state != PromotionState.PROMOTED:
        return None
    key = policy.model(promotion.model).holding_key(target) if target else ("stage", promotion.target)
    held = newest_holdings(connection, promotion.model, version=promotion.version, limit=_NEWEST)
    began = (one for one in held if one.promotion_id == promotion.id and (one.kind, one.key) == key)
    return next(began, None)


def _newer(connection: Connection, promotion: Promotion) -> Mapping[str, Any] | None:
    """Return the newest promotion of the version to the target that was asked for after this one."""
    if promotion.open:
        return None
    rows = promotion_record.page(connection, model=promotion.model, version=promotion.version, limit=_NEWEST)
    later = (row for row in rows if row["target"] == promotion.target and row["id"] != promotion.id)
    return next((row for row in later if row["created_at"] >= promotion.created_at), None)


def _request(connection: Connection, policy: Policy, detail: PromotionDetail, person: Person) -> Request | None:
    """Return the form that asks again; None where that would lead nowhere, or this person may not."""
    promotion, model = detail.promotion, detail.promotion.model
    role = required_role(policy, PromotionRequest.type, model=model, target=promotion.target)
    if detail.recreated_at or not includes(person.role, role) or detail.target is None:
        return None
    disputed, summary = dispute(connection, model), models.get_model(connection, model)
    if summary is None or (disputed and not disputed.moves):
        return None
    record = ModelStanding(connection, policy.model(model), model, summary["holders"])
    rows = promotion_record.page(connection, model=model, version=promotion.version, limit=_NEWEST)
    may = verbs(policy, person, record, promotion.version, promotions=rows, rollbacks=[])
    if not any(verb.name == VerbName.REQUEST and verb.target == promotion.target for verb in may):
        return None
    made = incarnation(connection, model, promotion.version, since=made_anew_at(connection, [model]).get(model))
    return Request(seen(made, held_by(record, promotion.version)))
