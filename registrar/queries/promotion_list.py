"""Read lists of promotions, in the caller's transaction: what waits for a person, what is open, what is decided."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from registrar.events.states import PromotionState
from registrar.ledger import Connection, promotions
from registrar.ledger.disputes import disputes
from registrar.ledger.incarnations import of_deleted
from registrar.ledger.promotions import Promotion
from registrar.ledger.queries import promotion_record
from registrar.ledger.queries.promotion_record import Place
from registrar.ledger.queries.promotion_results import PromotionResult, load_results
from registrar.ledger.votes import approvals_of
from registrar.policy import Policy
from registrar.policy.approvals import Approval
from registrar.queries.filters import DECIDED, OPEN
from registrar.queries.promotion_view import PromotionView, promotion_views
from registrar.queries.voting import approval_of, fills_a_seat, name

Show = Literal["mine", "open", "decided", "all"]
_BY_NOBODY = (PromotionState.SUPERSEDED, PromotionState.EXPIRED, PromotionState.FAILED)


@dataclass(frozen=True)
class ListedPromotion:
    """A promotion in a list. row: as promotion_record.page returns it. view: of an open one.

    votes: such as 2/3; "": no vote is needed, or known. lead_time: from the request to the decision, or to now.
    decided_by: names of people, or "automatic"; "": nobody decided. mine: it waits for the reader.
    """

    row: Mapping[str, Any]
    view: PromotionView | None
    became: PromotionResult | None
    is_of_deleted: bool
    votes: str
    lead_time: timedelta
    decided_by: str
    mine: bool

    @property
    def state(self) -> str:
        """The present state, which replaces `promoted`."""
        return self.became.state if self.became else str(self.row["state"])


@dataclass(frozen=True)
class PromotionList:
    """older: where the next page begins; None: this is the last. mine, open: how many there are in all."""

    listed: Sequence[ListedPromotion]
    older: Place | None
    mine: int
    open: int


def read_promotions(
    connection: Connection,
    policy: Policy,
    *,
    show: Show,
    state: str | None = None,
    model: str | None = None,
    automatic: bool = True,
    before: Place | None = None,
    limit: int,
    reader: str,
    at: datetime,
) -> PromotionList:
    """Return up to `limit` promotions: of `mine` the longest wait first, else the newest first.

    automatic: also those that came about without a vote. reader: a person's id.
    """
    open_ = promotions.still_open(connection, model=model)
    mine = waiting_for(connection, policy, open_, reader, at=at)
    if show == "mine":
        later = [one for one in mine if before is None or (one.asked_at, one.id) > (before.created_at, before.id)]
        rows = _rows_of(connection, later[: limit + 1])
        older = Place(later[limit - 1].asked_at, later[limit - 1].id) if len(later) > limit else None
    else:
        which = {"open": OPEN, "decided": DECIDED, "all": state}[show]
        rows = promotion_record.page(
            connection, state=which, model=model, automatic=automatic, before=before, limit=limit + 1
        )
        older = Place(rows[limit - 1]["created_at"], rows[limit - 1]["id"]) if len(rows) > limit else None
    listed = _listed(connection, policy, rows[:limit], {one.id: one for one in open_}, mine, at=at)
    return PromotionList(listed, older, len(mine), len(open_))


def waiting_for(
    connection: Connection, policy: Policy, open_: Iterable[Promotion], reader: str, *, at: datetime
) -> list[Promotion]:
    """Return the open promotions that one person's approval would bring further, the longest wait first."""
    groups = [one for one in open_ if _may_vote(policy, one, reader, at)]
    if not groups:
        return []
    agreed = approvals_of(connection, [one.id for one in groups])
    stopped = {model for model, each in disputes(connection).items() if not each.moves}
    digests: dict[int, str] = {}  # by entry of the policy: it applies to many models
    found = []
    for one in groups:
        entry = id(policy.model(one.model))
        if entry not in digests:
            digests[entry] = policy.digest(one.model)
        is_bound = one.evidence.get("policy_digest") == digests[entry] and one.model not in stopped
        if is_bound and fills_a_seat(policy, one, agreed[one.id], reader, at=at):
            found.append(one)
    return sorted(found, key=lambda one: (one.asked_at, one.id))


def _may_vote(policy: Policy, promotion: Promotion, reader: str, at: datetime) -> bool:
    approval = approval_of(policy, promotion) if promotion.state == PromotionState.AWAITING_APPROVAL else None
    return approval is not None and policy.may_vote(reader, approval.groups, at=at)


def _rows_of(connection: Connection, wanted: Sequence[Promotion]) -> list[dict[str, Any]]:
    """Return the rows of promotions, in the same order."""
    ids = [one.id for one in wanted]
    rows = promotion_record.page(connection, ids=ids, limit=len(ids)) if ids else []
    return sorted(rows, key=lambda row: ids.index(row["id"]))


def _listed(
    connection: Connection,
    policy: Policy,
    rows: Sequence[Mapping[str, Any]],
    open_: Mapping[str, Promotion],
    mine: Iterable[Promotion],
    *,
    at: datetime,
) -> list[ListedPromotion]:
    shown = [open_[row["id"]] for row in rows if row["id"] in open_]
    views = {view.promotion.id: view for view in promotion_views(policy, connection, shown, at=at)}
    results, deleted, own = load_results(connection, rows), of_deleted(connection, rows), {one.id for one in mine}
    agreed = approvals_of(connection, [row["id"] for row in rows])
    return [
        ListedPromotion(
            row,
            views.get(row["id"]),
            results.get(row["id"]),
            row["id"] in deleted,
            _votes(policy, row, views.get(row["id"]), len(agreed[row["id"]])),
            max((row["decided_at"] or at) - row["created_at"], timedelta()),
            _decided_by(policy, row, [name(policy, who) for who, _ in agreed[row["id"]]]),
            row["id"] in own,
        )
        for row in rows
    ]


def _votes(policy: Policy, row: Mapping[str, Any], view: PromotionView | None, given: int) -> str:
    """Return the approvals given, of those required where the rules are known."""
    if view and view.voting:
        rules = view.voting.rules
        return f"{sum(len(rule.agreed) for rule in rules)}/{sum(rule.required for rule in rules)}"
    target = policy.model(row["model"]).target(row["target"])
    if target is None or not isinstance(target.approval, Approval):
        return str(given or "")
    if row["broke_glass"] or row["evidence"].get("policy_digest") != policy.digest(row["model"]):
        return str(given or "")
    return f"{given}/{sum(rule.required_approvals for rule in target.approval.rules)}"


def _decided_by(policy: Policy, row: Mapping[str, Any], approvers: Sequence[str]) -> str:
    if row["decided_at"] is None:
        return ""
    if row["state"] == PromotionState.PROMOTED or row["state"] == PromotionState.APPROVED:
        return ", ".join(approvers) or "automatic"
    return "" if row["state"] in _BY_NOBODY or not row["decided_by"] else name(policy, row["decided_by"])
