"""/v1/promotions: what asks to be approved, and how it ended."""

from typing import Any

from flask import Blueprint, request

from registrar.ledger.queries.promotion_record import OPEN, STATES
from registrar.queries.query_service import Reading
from webhooks.access import Access
from webhooks.api import query


def add(api: Blueprint, reading: Reading, access: Access) -> None:
    @api.get("/v1/promotions")
    def promotions() -> dict[str, Any]:
        access.require(request, "viewer")
        query.only(*query.PAGE, "state", "model")
        state, model = query.one_of("state", (OPEN, *STATES)), request.args.get("model")
        found = reading.promotions(state=state, model=model, limit=query.limit(), cursor=query.cursor())
        return query.paged("promotions", found)

    @api.get("/v1/promotions/<promotion_id>")
    def promotion(promotion_id: str) -> dict[str, Any]:
        access.require(request, "viewer")
        return reading.promotion(promotion_id)
