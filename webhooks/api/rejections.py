"""/v1/rejections: what was refused at the door, and why."""

from typing import Any

from flask import Blueprint, request

from registrar.queries.query_service import QueryService
from webhooks.api import query_params
from webhooks.auth import Authenticator


def add(api: Blueprint, reading: QueryService, access: Authenticator) -> None:
    @api.get("/v1/rejections")
    def refused() -> dict[str, Any]:
        access.require(request, "viewer")
        query_params.only(*query_params.PAGE, "source")
        found = reading.rejections(
            source=request.args.get("source"), limit=query_params.limit(), cursor=query_params.cursor()
        )
        return query_params.paged("rejections", found)
