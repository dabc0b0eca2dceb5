"""kind: github_dispatch. Start workflows by facts: the trigger for a deployment by GitHub Actions.

https://docs.github.com/rest/repos/repos#create-a-repository-dispatch-event
https://docs.github.com/actions/reference/workflows-and-actions/events-that-trigger-workflows#repository_dispatch
client_payload may have ten keys, and always has the same ten. An event may come twice, where the answer to the first
was lost, then with the same client_payload.id.
"""

from typing import Annotated, Any

import requests
from pydantic import Field

from registrar.config.encryption import Encryptor
from worker.notifications.deploy_payload import deploy_payload
from worker.notifications.notifiers import Notification
from worker.notifications.transport import code_hosts, github_app

NEEDS = ("secret",)
NEEDS_VERSION = True
_HINTS = {
    401: "the token in the channel's secret is wrong or has expired",
    403: "the token may not start workflows there: it needs Contents, read and write",
    404: "no such repository as options.repository for this token; it needs Contents, read and write",
}


class Options(github_app.Access):
    """The workflow to start. event_type: as the workflow lists it under on.repository_dispatch.types."""

    repository: code_hosts.GithubRepository
    event_type: Annotated[str, Field(min_length=1, max_length=100)] = "registrar"


def body(notification: Notification, options: Options) -> dict[str, Any]:
    return {"event_type": options.event_type, "client_payload": deploy_payload(notification)}


def post(notification: Notification, http: requests.Session, encryptor: Encryptor) -> None:
    options = Options.model_validate(notification.options)
    path, content = f"/repos/{options.repository}/dispatches", body(notification, options)
    github_app.post(notification, http, path, content, access=options, hints=_HINTS)
