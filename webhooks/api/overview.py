"""/v1/overview: how much waits for what."""

from typing import Any

from flask import Blueprint, request

from registrar.queries.query_service import QueryService
from webhooks.api import query_params
from webhooks.auth import Authenticator


def add(api: Blueprint, reading: QueryService, access: Authenticator) -> None:
    @api.get("/v1/overview")
    def overview() -> dict[str, Any]:
        access.require(request, "viewer")
        query_params.only()
        return reading.overview()
