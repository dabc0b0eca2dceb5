"""/promotions: all promotions. /promotions/ID: evidence, votes, who may still vote; approve, reject and cancel."""

from typing import Any

from flask import Blueprint, Response, request, url_for

from registrar.ledger import promotions as record
from registrar.ledger.engine import now
from registrar.ledger.queries.promotion_record import OPEN, STATES, Place
from registrar.policy.approvals import Approval
from registrar.queries.dashboard import read_promotion, read_promotions
from webhooks.dashboard import query_params
from webhooks.dashboard.context import DashboardContext, readable
from webhooks.ingress.errors import InvalidEvent, NotFound
from webhooks.ingress.validation import clean

MOST = 50
_VERDICTS = ("approve", "reject", "cancel")


def register(pages: Blueprint, context: DashboardContext) -> None:
    @pages.get("/promotions")
    def promotions() -> str:
        principal, at = context.require_principal(), now()
        state, model, before = _state(), query_params.text("model"), query_params.moment("before")
        place, first = Place(*before) if before else None, before is None
        with context.ledger.read() as connection:
            read = read_promotions(
                connection, context.policy, state=state or None, model=model or None, before=place, limit=MOST, at=at
            )
        found = read.pop("found")
        kept: dict[str, Any] = {name: value for name, value in (("state", state), ("model", model)) if value}
        older = url_for("pages.promotions", **kept, before=_mark(found[MOST - 1])) if len(found) > MOST else None
        return context.page(
            "promotions.html",
            principal,
            now=at,
            found=found[:MOST],
            **read,
            older=older,
            first=first,
            filters={"state": state, "model": model},
            states=[OPEN, *STATES],
        )

    @pages.get("/promotions/<promotion_id>")
    def promotion(promotion_id: str) -> str:
        principal, at = context.require_principal(), now()
        with context.ledger.read() as connection:
            found = _load_promotion(connection, promotion_id)
            shown = read_promotion(connection, context.policy, found, at=at)
        target = context.policy.model(found.model).target(found.target)
        approval = target.approval if target and isinstance(target.approval, Approval) else None
        return context.page("promotion.html", principal, now=at, found=found, target=target, approval=approval, **shown)

    @pages.post("/promotions/<promotion_id>/<verdict>")
    def decide(promotion_id: str, verdict: str) -> Response:
        """Submit a vote. The worker decides whether it counts, as for votes from chat."""
        if verdict not in _VERDICTS:
            raise NotFound(f"a promotion can be {', '.join(_VERDICTS)}ed")
        context.require_principal("approver")
        with context.ledger.read() as connection:
            found = _load_promotion(connection, promotion_id)
        data: dict[str, Any] = {"reason": request.form.get("reason", "").strip()}
        if verdict == "approve" and request.form.get("break_glass") == "yes":
            data["break_glass"] = True
        about = {"model": found.model, "version": found.version, "target": found.target, "promotion": found.id}
        then = url_for("pages.promotion", promotion_id=found.id)
        return context.submit_command(f"promotion.{verdict}", {**about, **data}, then=then)


def _load_promotion(connection: Any, promotion_id: str) -> record.Promotion:
    """Raises NotFound."""
    found = record.get(connection, promotion_id) if readable(promotion_id) else None
    if found is None:
        raise NotFound(f"there is no promotion {clean(promotion_id)}")
    return found


def _state() -> str:
    """Raises InvalidEvent."""
    state = request.args.get("state", "")
    if state and state not in (OPEN, *STATES):
        raise InvalidEvent(f"state is one of {', '.join((OPEN, *STATES))}")
    return state


def _mark(row: dict[str, Any]) -> str:
    return query_params.mark(row["created_at"], row["id"])
