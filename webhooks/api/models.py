"""/v1/models: what holds what, and which version held what when."""

from typing import Any

from flask import Blueprint, request

from registrar.ledger.holders import Past
from registrar.queries.query_service import Reading
from webhooks.access import Access
from webhooks.api import query


def add(api: Blueprint, reading: Reading, access: Access) -> None:
    @api.get("/v1/models")
    def models() -> dict[str, Any]:
        access.require(request, "viewer")
        query.only(*query.PAGE)
        return query.paged("models", reading.models(limit=query.limit(), cursor=query.cursor()))

    @api.get("/v1/models/<name>")
    def model(name: str) -> dict[str, Any]:
        access.require(request, "viewer")
        return reading.model(name)

    @api.get("/v1/models/<name>/history")
    def model_history(name: str) -> dict[str, Any]:
        access.require(request, "viewer")
        query.only(*query.PAGE, *Past.__dataclass_fields__)
        past = Past(request.args.get("target"), query.time("at"), query.time("since"), query.time("until"))
        found = reading.history(name, past, limit=query.limit(), cursor=query.cursor())
        return {"model": name, **query.paged("history", found)}
