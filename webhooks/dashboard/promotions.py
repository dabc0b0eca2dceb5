"""/promotions: all promotions. /promotions/ID: evidence, votes, who may still vote; approve, reject and cancel."""

from typing import Any

from flask import Blueprint, Response, request, url_for

from registrar.ledger import promotions as record
from registrar.ledger.engine import now
from registrar.ledger.queries.promotion_record import Place
from registrar.policy.approvals import Approval
from registrar.queries.dashboard import read_promotion, read_promotions
from registrar.queries.filters import OPEN, PROMOTION_STATES
from webhooks.dashboard import query_params
from webhooks.dashboard.context import DashboardContext, readable
from webhooks.ingress.errors import NotFound
from webhooks.ingress.validation import clean

MOST = 50
_VERDICTS = ("approve", "reject", "cancel")


def register(pages: Blueprint, context: DashboardContext) -> None:
    @pages.get("/promotions")
    def promotions() -> str:
        principal, at = context.require_principal(), now()
        state = query_params.one_of("state", (OPEN, *PROMOTION_STATES))
        model, before = query_params.text("model"), query_params.moment("before")
        place, first = Place(*before) if before else None, before is None
        with context.ledger.read() as connection:
            read = read_promotions(
                connection, context.policy, state=state, model=model or None, before=place, limit=MOST, at=at
            )
        rows, filters = read.pop("found"), {"state": state, "model": model}
        active: dict[str, Any] = {name: value for name, value in filters.items() if value}
        older = url_for("pages.promotions", **active, before=_mark(rows[MOST - 1])) if len(rows) > MOST else None
        return context.page(
            "promotions.html",
            principal,
            now=at,
            promotions=rows[:MOST],
            **read,
            older=older,
            first=first,
            filters=filters,
            states=[OPEN, *PROMOTION_STATES],
        )

    @pages.get("/promotions/<promotion_id>")
    def promotion(promotion_id: str) -> str:
        principal, at = context.require_principal(), now()
        with context.ledger.read() as connection:
            loaded = _load_promotion(connection, promotion_id)
            read = read_promotion(connection, context.policy, loaded, at=at)
        target = context.policy.model(loaded.model).target(loaded.target)
        approval = target.approval if target and isinstance(target.approval, Approval) else None
        return context.page(
            "promotion.html", principal, now=at, promotion=loaded, target=target, approval=approval, **read
        )

    @pages.post("/promotions/<promotion_id>/<verdict>")
    def decide(promotion_id: str, verdict: str) -> Response:
        """Submit a vote. The worker decides whether it counts, as for votes from chat."""
        if verdict not in _VERDICTS:
            raise NotFound(f"the verdict is one of {', '.join(_VERDICTS)}")
        context.require_principal("approver")
        with context.ledger.read() as connection:
            loaded = _load_promotion(connection, promotion_id)
        data: dict[str, Any] = {"reason": request.form.get("reason", "").strip()}
        if verdict == "approve" and request.form.get("break_glass") == "yes":
            data["break_glass"] = True
        pinned = {"model": loaded.model, "version": loaded.version, "target": loaded.target, "promotion": loaded.id}
        then = url_for("pages.promotion", promotion_id=loaded.id)
        return context.submit_command(f"promotion.{verdict}", {**pinned, **data}, then=then)


def _load_promotion(connection: Any, promotion_id: str) -> record.Promotion:
    """Raises NotFound."""
    promotion = record.get(connection, promotion_id) if readable(promotion_id) else None
    if promotion is None:
        raise NotFound(f"there is no promotion {clean(promotion_id)}")
    return promotion


def _mark(row: dict[str, Any]) -> str:
    return query_params.mark(row["created_at"], row["id"])
