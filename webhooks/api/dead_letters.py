"""/v1/dead: what failed for good, and its story."""

from typing import Any

from flask import Blueprint, request

from registrar.ledger.dead_letters import STATES
from registrar.queries.query_service import QueryService
from webhooks.api import query_params
from webhooks.auth import Authenticator


def add(api: Blueprint, reading: QueryService, access: Authenticator) -> None:
    @api.get("/v1/dead")
    def dead() -> dict[str, Any]:
        access.require(request, "viewer")
        query_params.only(*query_params.PAGE, "state", "model")
        state, model = query_params.one_of("state", STATES), request.args.get("model")
        found = reading.dead(state=state, model=model, limit=query_params.limit(), cursor=query_params.cursor())
        return query_params.paged("dead", found)

    @api.get("/v1/dead/<task_id>")
    def dead_one(task_id: str) -> dict[str, Any]:
        access.require(request, "viewer")
        return reading.dead_one(task_id)
