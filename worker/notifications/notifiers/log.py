"""kind: log. Write facts to the worker's log: to get started, and beside other channels."""

import logging

import requests

from registrar.config.encryption import Encryptor
from worker.notifications.notifiers import Notification

log = logging.getLogger(__name__)


def post(notification: Notification, http: requests.Session, encryptor: Encryptor) -> None:
    log.info("%s: %s (event %s)", notification.fact.type, notification.fact.text, notification.event_id)
