"""kind: gitlab. Report facts on the commit that a version was trained from: as a status, or as a comment.

https://docs.gitlab.com/api/commits/#set-commit-pipeline-status
https://docs.gitlab.com/api/commits/#post-comment-to-commit
Setting a status again changes nothing. A comment may come twice, where the answer to the first was lost.
"""

import json
from typing import Any

import requests

from registrar.config.encryption import Encryptor
from registrar.policy.base_model import Strict
from worker.notifications import commit_status
from worker.notifications.notifiers import NotApplicable, Notification
from worker.notifications.transport.code_hosts import GitlabProject, gitlab_project_url
from worker.notifications.transport.http_post import exchange, judge

NEEDS = ("secret",)
NEEDS_VERSION = True
_STATES = {"pending": "pending", "success": "success", "failure": "failed", "error": "canceled"}
_HEADERS = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
_HINTS = {
    401: "the token in the channel's secret is wrong or has expired",
    403: "the token may not write there: it needs the scope api, and for statuses the role Developer",
    404: "no such project as options.project for this token, or it has no such commit",
}


class Options(Strict):
    """The place of facts. as: status, for facts that change the commit's status, or comment, for every fact."""

    project: GitlabProject
    as_: commit_status.As = "status"
    context: commit_status.Context = "registrar"


def path_and_body(notification: Notification, options: Options) -> tuple[str, dict[str, Any]]:
    """Return the request's path, below the project's address, and its body. Raises NotApplicable."""
    fact = notification.fact
    sha = commit_status.sha(fact)
    if options.as_ == "comment":
        return f"/repository/commits/{sha}/comments", {"note": commit_status.comment(fact)}
    status = commit_status.status(fact, options.context, label="name")
    return f"/statuses/{sha}", {**status, "state": _STATES[status["state"]]}


def post(notification: Notification, http: requests.Session, encryptor: Encryptor) -> None:
    options = Options.model_validate(notification.options)
    path, body = path_and_body(notification, options)
    token = notification.required_secret("a token with the scope api").strip()
    headers = {**_HEADERS, "PRIVATE-TOKEN": token}
    answer = exchange(
        http, f"{gitlab_project_url(notification.url, options.project)}{path}", json.dumps(body).encode(), headers
    )
    # GitLab before 18.3 refuses the state that a commit has: https://gitlab.com/gitlab-org/gitlab/-/work_items/556757
    if answer.status == 400 and b"Cannot transition status" in answer.body:
        raise NotApplicable(f"{answer.host} has this status of the commit already, or one that it can't follow")
    judge(answer, hints=_HINTS)
