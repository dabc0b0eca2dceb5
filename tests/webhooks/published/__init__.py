"""What products send, composed after the shapes that two public collections of their payloads show.

octokit/webhooks (payload-examples/api.github.com) and go-playground/webhooks (testdata). The tables name each event and
its actions, and the parts that a body has beside them; nothing of the collections is copied.
"""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from werkzeug.test import TestResponse

from tests.webhooks.conftest import Receiver
from webhooks.ingress.source_types import Outgoing
from webhooks.signatures import source_signing

JSON, FORM = "application/json", "application/x-www-form-urlencoded"
SHA = "5275a45b7e99c7fd7265b790392c10a74101a67a"


@dataclass(frozen=True)
class Published:
    """One body. source: of tests/sources/household.py. name: of the event and its case."""

    source: str
    name: str
    body: bytes = field(repr=False)
    headers: dict[str, str] = field(repr=False)


def post(receiver: Receiver, said: Published, *, secret: str | None = None) -> TestResponse:
    """Signed as its source signs. secret: else the source's."""
    sender = receiver.client.application.extensions["receiver"].endpoint.sources[said.source]
    request = source_signing.signed(sender, Outgoing(said.headers, said.body), secret=secret, id=uuid.uuid4().hex)
    return receiver.post(request.body, dict(request.headers), to=said.source)


def rows(table: str) -> Iterator[tuple[str, str, str]]:
    """Of lines such as NAME: WORDS; PARTS."""
    for line in table.strip().splitlines():
        name, _, rest = line.partition(": ")
        middle, _, parts = rest.partition(";")
        yield name, middle, parts.strip()


def parts(names: str) -> dict[str, Any]:
    """As a body has them by these names."""
    return {name: _PARTS.get(name, _thing(name)) for name in names.split()}


def _thing(name: str) -> Any:
    """A part that nobody here reads: numbers, addresses, and what people wrote."""
    return {
        "id": 9921448362,
        "node_id": "WFR_kwLOJMUtSc8AAAABRQd7-Q",
        "url": f"https://api.example.com/{name}/1",
        "html_url": f"https://example.com/{name}/1",
        "title": f"The {name} of \U0001f680\ud83d \u202eyesterday",
        "body": "Looks\r\ngood \u0000 to\u2028me \x1b[31m",
        "state": "open",
        "number": 18446744073709551615,
        "user": {"login": "octocat", "id": 583231, "type": "User", "site_admin": False},
        "created_at": "2026-11-22T12:00:00Z",
        "updated_at": None,
        "labels": [],
    }


_RUN = {
    "id": 5453085689,
    "name": "Train",
    "path": ".github/workflows/train.yml",
    "display_title": "Train",
    "head_branch": "main",
    "head_sha": SHA,
    "event": "push",
    "status": "completed",
    "conclusion": "success",
    "run_number": 15,
    "run_attempt": 1,
    "html_url": "https://github.com/acme/taxi/actions/runs/5453085689",
    "updated_at": "2026-11-22T12:00:00Z",
    "head_repository": {"id": 616901961, "full_name": "acme/taxi"},
    "repository": {"id": 616901961, "full_name": "acme/taxi"},
}
_PARTS: dict[str, Any] = {
    "workflow_run": _RUN,
    "workflow_job_run": {"id": 1, "environment": "production", "status": "waiting"},
    "workflow_job_runs": [{"id": 1, "environment": "production"}, {"id": 2, "environment": "github-pages"}],
    "approver": {"login": "ada", "id": 583231, "type": "User"},
    "comment": {"id": 5, "body": "approve taxi 3\r\n", "user": {"login": "ada", "id": 583231}},
    "deployment": {"id": 9, "sha": SHA, "ref": "main", "task": "deploy", "payload": {}, "environment": "production"},
    "deployment_status": {"id": 2, "state": "success", "environment": "production", "target_url": "", "log_url": ""},
    "environment": "production",
    "deployment_callback_url": "https://api.github.com/repos/acme/taxi/actions/runs/1/deployment_protection_rule",
    "event": "push",
    "since": "2026-11-22T12:00:00Z",
    "client_payload": {"unit": False, "integration": True},
    "ref": "main",
    "sha": SHA,
    "tag": False,
    "status": "success",
    "build_status": "success",
    "build_name": "retrain",
    "build_id": 1977,
    "commit_title": "Merge branch 'main'",
    "object_attributes": {
        "id": 31,
        "ref": "main",
        "tag": False,
        "sha": SHA,
        "status": "success",
        "url": "",
        "variables": [],
    },
    "commit": {"id": SHA, "sha": SHA, "message": "Retrain\n", "title": "Retrain"},
    "merge_request": None,
    "source_pipeline": None,
}
