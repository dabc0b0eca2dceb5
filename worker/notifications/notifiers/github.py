"""kind: github. Report facts on the commit that a version was trained from: as a status, or as a comment.

https://docs.github.com/rest/commits/statuses#create-a-commit-status
https://docs.github.com/rest/commits/comments#create-a-commit-comment
Setting a status again changes nothing. A comment may come twice, where the answer to the first was lost.
"""

from typing import Any

import requests

from registrar.config.encryption import Encryptor
from worker.notifications import commit_status
from worker.notifications.notifiers import Notification
from worker.notifications.transport import code_hosts, github_app

NEEDS = ("secret",)
NEEDS_VERSION = True
_HINTS = {
    401: "the token in the channel's secret is wrong or has expired",
    403: "the token may not write there: it needs Commit statuses, or for comments Contents, read and write",
    404: "no such repository as options.repository for this token",
    422: "the commit is none of options.repository, or has its 1000 statuses already",
}


class Options(github_app.Access):
    """The place of facts. as: status, for facts that change the commit's status, or comment, for every fact."""

    repository: code_hosts.GithubRepository
    as_: commit_status.As = "status"
    context: commit_status.Context = "registrar"


def path_and_body(notification: Notification, options: Options) -> tuple[str, dict[str, Any]]:
    """Return the request's path and body. Raises NotApplicable."""
    fact, repository = notification.fact, f"/repos/{options.repository}"
    sha = commit_status.sha(fact)
    if options.as_ == "comment":
        return f"{repository}/commits/{sha}/comments", {"body": commit_status.comment(fact)}
    return f"{repository}/statuses/{sha}", commit_status.status(fact, options.context, label="context")


def post(notification: Notification, http: requests.Session, encryptor: Encryptor) -> None:
    options = Options.model_validate(notification.options)
    path, body = path_and_body(notification, options)
    github_app.post(notification, http, path, body, access=options, hints=_HINTS)
