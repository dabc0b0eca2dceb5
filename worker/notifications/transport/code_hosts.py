"""The REST APIs of GitHub and GitLab, as far as notifiers write to them."""

import json
import time
from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import quote

import requests
from pydantic import Field

from registrar.events.types.terms import Form
from worker.notifications.transport.http_post import Answer, exchange, judge, retry_after_seconds
from worker.registry.protocol import PermanentError, RetryableError

GITHUB = "https://api.github.com"
GITHUB_HOST = "api.github.com"
_HEADERS = {
    "Accept": "application/vnd.github+json",
    "Accept-Encoding": "identity",
    "Content-Type": "application/json",
    "User-Agent": "registrar",
    "X-GitHub-Api-Version": "2022-11-28",
}
_PAUSE = 60.0  # seconds, where a secondary limit names no time

# https://docs.github.com/repositories: letters, digits, `-`, `_` and `.`; neither part is a path itself.
GithubRepository = Annotated[
    str,
    Form(
        r"^[A-Za-z0-9][A-Za-z0-9-]{0,99}/(?!\.{1,2}$)[A-Za-z0-9._-]{1,100}$(?!\n)", "is no repository such as acme/taxi"
    ),
    Field(description="OWNER/NAME"),
]


class Unauthorized(PermanentError):
    """The token is wrong or has expired (401)."""


def post_github(
    http: requests.Session, url: str, content: Mapping[str, Any], *, token: str, hints: Mapping[int, str]
) -> Answer:
    """POST to GitHub's API. token: a person's or an app's. Raises RetryableError, PermanentError.

    https://docs.github.com/rest/using-the-rest-api/getting-started-with-the-rest-api
    """
    headers = {**_HEADERS, "Authorization": f"Bearer {token}"}
    answer = exchange(http, url, json.dumps(content).encode(), headers)
    if answer.status in (403, 429) and (pause := _limited(answer)) is not None:
        raise RetryableError(f"{answer.host} has had enough requests for now", after=pause)
    if answer.status == 401:
        raise Unauthorized(f"{answer.host} refused the message with 401: {hints.get(401, 'the token is wrong')}")
    judge(answer, hints=hints)
    return answer


def github_root(url: str | None) -> str:
    """Return the root of GitHub's API. url: of a GitHub Enterprise Server, https://HOST/api/v3; None: github.com's."""
    return (url or GITHUB).rstrip("/")


def _limited(answer: Answer) -> float | None:
    """Return the seconds to wait where a refusal is by a rate limit; None where a permission is missing.

    https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api#exceeding-the-rate-limit
    """
    if (seconds := retry_after_seconds(answer)) is not None:
        return seconds
    if answer.headers.get("X-RateLimit-Remaining", "").strip() == "0":
        reset = answer.headers.get("X-RateLimit-Reset", "").strip()
        return max(float(reset) - time.time(), 1.0) if reset.isascii() and reset.isdigit() else _PAUSE
    return _PAUSE if answer.status == 429 or b"secondary rate limit" in answer.body.lower() else None


GITLAB = "https://gitlab.com/api/v4"
GitlabProject = Annotated[
    int | str, Field(description="its number, or its path: GROUP/NAME", json_schema_extra={"examples": ["acme/taxi"]})
]


def gitlab_project_url(url: str | None, project: int | str) -> str:
    """Return a project's address in GitLab's API. url: of a self-managed GitLab's, https://HOST/api/v4.

    https://docs.gitlab.com/api/rest/
    """
    return f"{(url or GITLAB).rstrip('/')}/projects/{quote(str(project), safe='')}"
