"""kind: pagerduty. Post facts as change events on the timeline of a service; nobody is paged.

https://developer.pagerduty.com/docs/send-change-event
It takes no id: a change may appear twice, where the answer to the first was lost. url: for the region EU,
https://events.eu.pagerduty.com/v2/change/enqueue.
"""

import json
from typing import Any

import requests

from registrar.config.encryption import Encryptor
from registrar.text.wording import cut
from worker.notifications import commit_status
from worker.notifications.deploy_payload import deploy_payload
from worker.notifications.notifiers import Notification
from worker.notifications.transport.http_post import post as send

NEEDS = ("secret",)
NEEDS_VERSION = True
URL = "https://events.pagerduty.com/v2/change/enqueue"
_MAX_SUMMARY = 1024  # characters
_HINTS = {400: "the channel's secret is no integration key of a service (32 characters)"}


def body(notification: Notification) -> dict[str, Any]:
    key = notification.required_secret("the integration key of a PagerDuty service").strip()
    fact = notification.fact
    text, url = " ".join(fact.text.split()), commit_status.link(fact)
    details = {key: value for key, value in deploy_payload(notification).items() if value is not None}
    return {
        "routing_key": key,
        "payload": {
            "summary": cut(text, _MAX_SUMMARY),
            "source": notification.source,
            "timestamp": notification.at.isoformat(),
            "custom_details": {**details, "event": notification.event_id},
        },
        "links": [{"href": url, "text": "The deployment"}] if url else [],
    }


def post(notification: Notification, http: requests.Session, encryptor: Encryptor) -> None:
    content = json.dumps(body(notification)).encode()
    send(http, notification.url or URL, content, {"Content-Type": "application/json"}, hints=_HINTS)
