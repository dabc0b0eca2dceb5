"""/v1/models: what holds what, and which version held what when."""

from typing import Any

from flask import Blueprint, request

from registrar.ledger.queries.holdings import HistoryFilter
from registrar.queries.query_service import QueryService
from webhooks.api import query_params
from webhooks.auth import Authenticator


def add(api: Blueprint, reading: QueryService, access: Authenticator) -> None:
    @api.get("/v1/models")
    def models() -> dict[str, Any]:
        access.require(request, "viewer")
        query_params.only(*query_params.PAGE)
        return query_params.paged("models", reading.models(limit=query_params.limit(), cursor=query_params.cursor()))

    @api.get("/v1/models/<name>")
    def model(name: str) -> dict[str, Any]:
        access.require(request, "viewer")
        return reading.model(name)

    @api.get("/v1/models/<name>/history")
    def model_history(name: str) -> dict[str, Any]:
        access.require(request, "viewer")
        query_params.only(*query_params.PAGE, *HistoryFilter.__dataclass_fields__)
        past = HistoryFilter(
            request.args.get("target"), query_params.time("at"), query_params.time("since"), query_params.time("until")
        )
        found = reading.history(name, past, limit=query_params.limit(), cursor=query_params.cursor())
        return {"model": name, **query_params.paged("history", found)}
