"""kind: log. Facts go to the worker's log: for a start, and beside other channels."""

import logging

import requests

from registrar.config.encryption import Encryptor
from worker.notifications.notifiers import Notification

log = logging.getLogger(__name__)


def post(notice: Notification, http: requests.Session, encryptor: Encryptor) -> None:
    log.info("%s: %s (event %s)", notice.fact.type, notice.fact.text, notice.event_id)
