"""Turn a fact into the payload for a deploy system: names and numbers, no sentence to be parsed."""

from typing import Any

from worker.notifications.notifiers import Notification


def deploy_payload(notification: Notification) -> dict[str, Any]:
    """Return a flat mapping with the same keys for every fact, None where a value is unknown.

    id: the deployment's where one is requested, else the notification's; both are the same on every attempt.
    """
    fact, details = notification.fact, notification.fact.details
    return {
        "id": details.get("deployment") or notification.id,
        "type": fact.type,
        "model": fact.model,
        "version": fact.version,
        "target": details.get("target") or details.get("stage"),
        "alias": details.get("alias"),
        "environment": details.get("environment"),
        "previous_version": details.get("previous_version"),
        "run_id": details.get("run_id"),
        "commit": details.get("commit"),
    }
