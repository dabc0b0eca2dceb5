"""How the receiver is: for balancers, and for Prometheus."""

from typing import Any

from flask import Blueprint, Response, request

from webhooks.auth import Authenticator
from webhooks.monitoring.health import ALIVE, ALIVE_PATH, Health
from webhooks.monitoring.metrics import CONTENT_TYPE, Metrics


def add(api: Blueprint, health: Health, metrics: Metrics, access: Authenticator) -> None:
    @api.get("/metrics")
    def counted() -> Response:
        access.require(request, "viewer")
        return Response(metrics.text(), content_type=CONTENT_TYPE)

    @api.get(ALIVE_PATH)
    def alive() -> dict[str, str]:
        return ALIVE

    @api.get("/readyz")
    def ready() -> dict[str, Any]:
        return health.ready(request.args.getlist("exclude"))
