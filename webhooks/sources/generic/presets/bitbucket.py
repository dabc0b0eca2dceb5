"""Bitbucket Cloud: a commit's build status. Data Center has no webhook for it; all its events are ignored by name.

https://support.atlassian.com/bitbucket-cloud/docs/manage-webhooks/ (X-Hub-Signature is SHA-256 here)
https://support.atlassian.com/bitbucket-cloud/docs/event-payloads/#Build-status-created
"""

import re
from typing import Any

from webhooks.ci import build
from webhooks.ci.build import Build, first
from webhooks.ci.payload import Ignored, at, text
from webhooks.ingress.validation import clean

VERIFY = {"how": "hmac", "header": "x-hub-signature", "prefix": "sha256="}
DELIVERY_ID = None
WORKFLOW = "build status"
_OUTCOMES = {"SUCCESSFUL": True, "FAILED": False}
_COMMITS_LINK = re.compile(r"https?://[^?#]+/commit/([0-9a-f]{40})/?")


def ended(payload: Any) -> Build:
    status = at(payload, "commit_status")
    if status is None:
        raise Ignored(_reason(payload))
    _no_fork(status, payload)
    name, state = first(status, "name", "key"), text(status, "state")
    linked = _COMMITS_LINK.fullmatch(text(status, "links", "commit", "href"))
    return Build(
        succeeded=build.succeeded(_OUTCOMES, state, what="build status"),
        branch=text(status, "refname"),
        names=(name, text(status, "key")),
        summary=f"build {clean(text(status, 'key') or name)} failed",
        commit=text(status, "commit", "hash") or (linked[1] if linked else ""),
        url=text(status, "url"),
        at=first(status, "updated_on", "created_on"),
    )


def _reason(payload: Any) -> str:
    """Return the kind of another event: Data Center names it; in Cloud's bodies it is a key, such as `push`."""
    if at(payload, "test") is True:
        return "a test of the hook"
    parts = sorted(set(payload) - {"actor", "repository"}) if isinstance(payload, dict) else []
    return f"events of the kind {clean(text(payload, 'eventKey') or ', '.join(parts)) or '(none)'}"


def _no_fork(status: Any, payload: Any) -> None:
    built = first(status, "repository.full_name", "commit.repository.full_name")
    here = text(payload, "repository", "full_name")
    if built and here and built.lower() != here.lower():
        raise build.fork()
