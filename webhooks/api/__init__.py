"""The HTTP API: reads (queries.py) and commands (commands.py) under /v1, and the probes of balancers and Prometheus.

Answers come from registrar.queries, as for the command line; responses.py checks them against their schemas.
"""

from pathlib import Path
from typing import Any

from flask import Blueprint, Response, request

from registrar.queries.query_service import QueryService
from webhooks.api import artifacts, commands, queries, responses
from webhooks.auth import Authenticator
from webhooks.ingress.command_submission import CommandSubmission
from webhooks.monitoring.health import ALIVE, ALIVE_PATH, Health
from webhooks.monitoring.metrics import CONTENT_TYPE, Metrics


def blueprint(
    service: QueryService,
    submission: CommandSubmission,
    health: Health,
    metrics: Metrics,
    access: Authenticator,
    *,
    artifacts_folder: Path,
) -> Blueprint:
    api = Blueprint("api", __name__)
    queries.add(api, service, access)
    commands.add(api, service, submission, access)
    artifacts.add(api, artifacts_folder, access)
    _add_probes(api, health, metrics, access)
    api.after_request(responses.add_etag)
    return api


def _add_probes(api: Blueprint, health: Health, metrics: Metrics, access: Authenticator) -> None:
    @api.get("/metrics")
    def exposition() -> Response:
        access.require(request, "viewer")
        return Response(metrics.text(), content_type=CONTENT_TYPE)

    @api.get(ALIVE_PATH)
    def alive() -> dict[str, str]:
        return ALIVE

    @api.get("/readyz")
    def ready() -> dict[str, Any]:
        return health.ready(request.args.getlist("exclude"))
