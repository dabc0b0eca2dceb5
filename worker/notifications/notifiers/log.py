"""kind: log. Facts go to the worker's log: for a start, and beside other channels."""

import logging

import requests

from registrar.config.encryption import Seal
from worker.notifications.notifiers import Notice

log = logging.getLogger(__name__)


def post(notice: Notice, http: requests.Session, seal: Seal) -> None:
    log.info("%s: %s (event %s)", notice.fact.type, notice.fact.text, notice.event_id)
