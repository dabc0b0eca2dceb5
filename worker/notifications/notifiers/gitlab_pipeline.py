"""kind: gitlab_pipeline. Start a pipeline by facts: the trigger for a deployment by GitLab CI/CD.

https://docs.gitlab.com/api/pipeline_triggers/#trigger-a-pipeline-with-a-token
https://docs.gitlab.com/ci/triggers/
A pipeline may start twice, where the answer to the first was lost; then REGISTRAR_ID is the same.
"""

from typing import Annotated
from urllib.parse import urlencode

import requests
from pydantic import Field

from registrar.config.encryption import Encryptor
from registrar.policy.base_model import Strict
from worker.notifications.deploy_payload import deploy_payload
from worker.notifications.notifiers import Notification
from worker.notifications.transport.code_hosts import GitlabProject, gitlab_project_url
from worker.notifications.transport.http_post import post as send
from worker.registry.protocol import PermanentError

NEEDS = ("secret",)
NEEDS_VERSION = True
_HINTS = {
    400: "options.ref has no pipeline that may run, or its variables may not be given from outside",
    401: "the trigger token in the channel's secret is wrong",
    404: "no such project as options.project, or the trigger token in the channel's secret is not of it",
}


class Options(Strict):
    """The pipeline to start. ref: its branch or tag."""

    project: GitlabProject
    ref: Annotated[str, Field(min_length=1, max_length=255)]


def body(notification: Notification, options: Options) -> bytes:
    """Return a form: token, ref, and variables[REGISTRAR_...]; "" for unknown values. Raises PermanentError."""
    token = notification.required_secret("a pipeline trigger token of the project").strip()
    payload = {"event": notification.event_id, **deploy_payload(notification)}
    variables = {f"variables[REGISTRAR_{key.upper()}]": _value(key, value) for key, value in payload.items()}
    return urlencode({"token": token, "ref": options.ref, **variables}).encode()


def _value(key: str, value: object) -> str:
    """Return a variable's value. Raises PermanentError for a $, which GitLab would expand.

    https://docs.gitlab.com/ci/variables/#prevent-variable-expansion
    """
    text = "" if value is None else str(value)
    if "$" in text:
        raise PermanentError(f"the {key} has a $ in it, which GitLab would take for a variable's name")
    return text


def post(notification: Notification, http: requests.Session, encryptor: Encryptor) -> None:
    options = Options.model_validate(notification.options)
    url = f"{gitlab_project_url(notification.url, options.project)}/trigger/pipeline"
    send(http, url, body(notification, options), {"Content-Type": "application/x-www-form-urlencoded"}, hints=_HINTS)
