"""/promotions: what waits for the reader, what is open, what is decided. /promotions/ID: one of them, and its forms."""

from typing import Any

from flask import Blueprint, Response, request, url_for

from registrar.events.types import PromotionRequest
from registrar.ledger import promotions as record
from registrar.ledger.engine import now
from registrar.ledger.queries.promotion_record import Place
from registrar.policy.approvals import Approval
from registrar.queries.filters import PROMOTION_LISTS
from registrar.queries.promotion_detail import read_own_part, read_promotion
from registrar.queries.promotion_list import Show, read_promotions
from registrar.queries.version_verbs import Person
from webhooks.auth import Principal
from webhooks.dashboard import query_params
from webhooks.dashboard.context import DashboardContext, readable
from webhooks.dashboard.versions import check_unchanged
from webhooks.ingress.errors import NotFound
from webhooks.ingress.validation import clean

MOST = 50
_VERDICTS = ("approve", "reject", "cancel")
_AGAIN = "request"  # of one that has ended
_TABS: tuple[Show, ...] = ("mine", "open", "decided", "all")


def register(pages: Blueprint, context: DashboardContext) -> None:
    @pages.get("/promotions")
    def promotions() -> str:
        principal, at = context.require_principal(), now()
        state, show = query_params.one_of("state", PROMOTION_LISTS), query_params.one_of("show", _TABS)
        model, before = query_params.text("model"), query_params.moment("before")
        shown: Show = show if show and not state else "all" if state or model else "open"
        automatic = bool(query_params.one_of("automatic", ("yes",))) or shown != "decided"
        with context.ledger.read() as connection:
            found = read_promotions(
                connection,
                context.policy,
                show=shown,
                state=state,
                model=model or None,
                automatic=automatic,
                before=Place(*before) if before else None,
                limit=MOST,
                reader=principal.actor.id,
                at=at,
            )
        active: dict[str, Any] = {"show": shown if show else None, "state": state, "model": model or None}
        active |= {"automatic": "yes" if automatic and shown == "decided" else None}
        older = found.older and query_params.mark(found.older.created_at, found.older.id)
        return context.page(
            "promotions.html",
            principal,
            now=at,
            found=found,
            show=shown,
            automatic=automatic,
            older=url_for("pages.promotions", **active, before=older) if older else None,
            first=before is None,
            active=active,
            filters={"state": state, "model": model},
            states=PROMOTION_LISTS,
        )

    @pages.get("/promotions/<promotion_id>")
    def promotion(promotion_id: str) -> str:
        principal, at = context.require_principal(), now()
        with context.ledger.read() as connection:
            loaded = _load_promotion(connection, promotion_id)
            detail = read_promotion(connection, context.policy, loaded, at=at)
            own = read_own_part(connection, context.policy, detail, _person(principal), at=at)
        target = detail.target
        approval = target.approval if target and isinstance(target.approval, Approval) else None
        return context.page("promotion.html", principal, now=at, approval=approval, own=own, **vars(detail))

    @pages.post("/promotions/<promotion_id>/<verdict>")
    def decide(promotion_id: str, verdict: str) -> Response:
        """Submit a vote, or the same request again. The worker decides whether it counts, as for votes from chat."""
        if verdict not in (*_VERDICTS, _AGAIN):
            raise NotFound(f"the verdict is one of {', '.join((*_VERDICTS, _AGAIN))}")
        context.require_principal("approver")
        with context.ledger.read() as connection:
            loaded = _load_promotion(connection, promotion_id)
        about = {"model": loaded.model, "version": loaded.version, "target": loaded.target}
        data: dict[str, Any] = {"reason": request.form.get("reason", "").strip()}
        then = url_for("pages.promotion", promotion_id=loaded.id)
        if verdict == _AGAIN:
            return context.submit_command(
                PromotionRequest.type,
                {**about, **data},
                then=then,
                what=_AGAIN,
                check=lambda: check_unchanged(context, loaded.model, loaded.version),
            )
        if verdict == "approve" and request.form.get("break_glass") == "yes":
            data["break_glass"] = True
        vote = {**about, "promotion": loaded.id, **data}
        what = "glass" if "break_glass" in data else verdict
        return context.submit_command(f"promotion.{verdict}", vote, then=then, what=what)


def _person(principal: Principal) -> Person:
    return Person(principal.actor.id, principal.role)


def _load_promotion(connection: Any, promotion_id: str) -> record.Promotion:
    """Raises NotFound."""
    promotion = record.get(connection, promotion_id) if readable(promotion_id) else None
    if promotion is None:
        raise NotFound(f"there is no promotion {clean(promotion_id)}")
    return promotion
