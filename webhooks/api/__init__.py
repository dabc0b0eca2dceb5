"""The API under /v1, a file for each resource, and how the receiver is.

A resource's file has `add(api, ledger, access)`, which adds its routes; what is asked in a query is read by asked.py.
"""

from flask import Blueprint

from registrar.ledger import Ledger
from webhooks.access import Access
from webhooks.api import dead, events, models, probes, rejections
from webhooks.health import Health
from webhooks.metrics import Metrics

_RESOURCES = (events, dead, rejections, models)


def blueprint(ledger: Ledger, health: Health, metrics: Metrics, access: Access) -> Blueprint:
    api = Blueprint("api", __name__)
    for resource in _RESOURCES:
        resource.add(api, ledger, access)
    probes.add(api, health, metrics, access)
    return api
