"""/v1/queue: what is not done yet, and what it waits for."""

from typing import Any

from flask import Blueprint, request

from registrar.queries.query_service import Reading
from webhooks.access import Access
from webhooks.api import query


def add(api: Blueprint, reading: Reading, access: Access) -> None:
    @api.get("/v1/queue")
    def queue() -> dict[str, Any]:
        access.require(request, "viewer")
        query.only(*query.PAGE, "model")
        found = reading.queue(model=request.args.get("model"), limit=query.limit(), cursor=query.cursor())
        return query.paged("queue", found)
