"""/v1/queue: what is not done yet, and what it waits for."""

from typing import Any

from flask import Blueprint, request

from registrar.queries.query_service import QueryService
from webhooks.api import query_params
from webhooks.auth import Authenticator


def add(api: Blueprint, reading: QueryService, access: Authenticator) -> None:
    @api.get("/v1/queue")
    def queue() -> dict[str, Any]:
        access.require(request, "viewer")
        query_params.only(*query_params.PAGE, "model")
        found = reading.queue(model=request.args.get("model"), limit=query_params.limit(), cursor=query_params.cursor())
        return query_params.paged("queue", found)
