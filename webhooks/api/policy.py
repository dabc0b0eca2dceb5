"""/v1/policy: registrar.yml as this receiver has it in effect, without where its secrets are."""

from typing import Any

from flask import Blueprint, request

from registrar.queries.query_service import QueryService
from webhooks.api import query_params
from webhooks.auth import Authenticator


def add(api: Blueprint, reading: QueryService, access: Authenticator) -> None:
    @api.get("/v1/policy")
    def policy() -> dict[str, Any]:
        access.require(request, "viewer")
        query_params.only("model", "digest")
        if "digest" in request.args:
            return reading.policy_text(request.args["digest"])
        return reading.policy(model=request.args.get("model"))
