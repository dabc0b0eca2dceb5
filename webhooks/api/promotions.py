"""/v1/promotions: what asks to be approved, and how it ended."""

from typing import Any

from flask import Blueprint, request

from registrar.ledger.queries.promotion_record import OPEN, STATES
from registrar.queries.query_service import QueryService
from webhooks.api import query_params
from webhooks.auth import Authenticator


def add(api: Blueprint, reading: QueryService, access: Authenticator) -> None:
    @api.get("/v1/promotions")
    def promotions() -> dict[str, Any]:
        access.require(request, "viewer")
        query_params.only(*query_params.PAGE, "state", "model")
        state, model = query_params.one_of("state", (OPEN, *STATES)), request.args.get("model")
        found = reading.promotions(state=state, model=model, limit=query_params.limit(), cursor=query_params.cursor())
        return query_params.paged("promotions", found)

    @api.get("/v1/promotions/<promotion_id>")
    def promotion(promotion_id: str) -> dict[str, Any]:
        access.require(request, "viewer")
        return reading.promotion(promotion_id)
