"""The API under /v1, a file for each resource, and how the receiver is.

A resource's file has `add(api, reading, access)`, which adds its routes; query.py reads what is asked in a query.
Answers come from registrar.queries, as they do for the command line.
"""

from flask import Blueprint

from registrar.queries.query_service import QueryService
from webhooks.api import (
    audit,
    command_routes,
    dead_letters,
    etag,
    events,
    models,
    overview,
    policy,
    probes,
    promotions,
    queue,
    rejections,
)
from webhooks.auth import Authenticator
from webhooks.ingress.command_submission import CommandSubmission
from webhooks.monitoring.health import Health
from webhooks.monitoring.metrics import Metrics

_RESOURCES = (events, promotions, models, queue, dead_letters, rejections, overview, policy, audit)


def blueprint(
    reading: QueryService, commands: CommandSubmission, health: Health, metrics: Metrics, access: Authenticator
) -> Blueprint:
    api = Blueprint("api", __name__)
    for resource in _RESOURCES:
        resource.add(api, reading, access)
    command_routes.add(api, reading, commands, access)
    probes.add(api, health, metrics, access)
    api.after_request(etag.add)
    return api
