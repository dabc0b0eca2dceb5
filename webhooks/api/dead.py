"""/v1/dead: what failed for good, and its story."""

from typing import Any

from flask import Blueprint, request

from registrar.ledger.dead_letters import STATES
from registrar.queries.query_service import Reading
from webhooks.access import Access
from webhooks.api import query


def add(api: Blueprint, reading: Reading, access: Access) -> None:
    @api.get("/v1/dead")
    def dead() -> dict[str, Any]:
        access.require(request, "viewer")
        query.only(*query.PAGE, "state", "model")
        state, model = query.one_of("state", STATES), request.args.get("model")
        found = reading.dead(state=state, model=model, limit=query.limit(), cursor=query.cursor())
        return query.paged("dead", found)

    @api.get("/v1/dead/<task_id>")
    def dead_one(task_id: str) -> dict[str, Any]:
        access.require(request, "viewer")
        return reading.dead_one(task_id)
