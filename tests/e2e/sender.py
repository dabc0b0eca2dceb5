"""A CI job and a chat system, as the receiver sees them: real HTTP, really signed."""

import json
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import requests

from registrar.http import signing
from tests.e2e.installation import Installation

PATIENCE = 90.0
JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass(frozen=True)
class Sender:
    stack: Installation

    def post(self, type_: str, *, id: str = "", **data: Any) -> requests.Response:
        """Without an id, one of its own: an event that nobody sent before."""
        body = json.dumps({"type": type_, "data": data}).encode()
        id_ = id or f"msg_{uuid.uuid4().hex}"
        signed = signing.standard_webhooks(self.stack.ci_secret, id=id_, timestamp=datetime.now(UTC), body=body)
        return self._post("ci", body, {**JSON, **signed})

    def slash(self, text: str, *, user: str = "UADA") -> requests.Response:
        form = {"team_id": "T1", "user_id": user, "user_name": "x", "command": "/registry", "text": text}
        return self._slack({**form, "trigger_id": uuid.uuid4().hex})

    def press(self, action: str, value: str, *, user: str = "UADA") -> requests.Response:
        payload = {
            "type": "block_actions",
            "user": {"id": user, "team_id": "T1", "username": "x"},
            "team": {"id": "T1"},
            "trigger_id": uuid.uuid4().hex,
            "actions": [{"type": "button", "action_id": action, "value": value}],
        }
        return self._slack({"payload": json.dumps(payload)})

    def _slack(self, form: dict[str, str]) -> requests.Response:
        body = urlencode(form).encode()
        signed = signing.slack(self.stack.slack_secret, timestamp=datetime.now(UTC), body=body)
        return self._post("slack", body, {**FORM, **signed})

    def _post(self, source: str, body: bytes, headers: dict[str, str]) -> requests.Response:
        """A 503 is honest, nothing was accepted: it is sent again, as every sender worth its name does."""
        url, until = f"{self.stack.settings.public_url}/webhooks/{source}", time.monotonic() + PATIENCE
        while True:
            answer = requests.post(url, data=body, headers=headers, timeout=15)
            if answer.status_code != 503 or time.monotonic() > until:
                return answer
            time.sleep(0.5)

    def ended(self, answer: requests.Response) -> dict[str, Any]:
        """What became of an accepted event, when it is finished."""
        assert answer.status_code in (200, 202), answer.text
        return self.until_done(answer.json()["events"][0]["status_url"])

    def until_done(self, status_url: str) -> dict[str, Any]:
        until = time.monotonic() + PATIENCE
        while (event := requests.get(status_url, timeout=15).json())["state"] == "unfinished":
            assert time.monotonic() < until, f"unfinished after {PATIENCE:g} s: {event}"
            time.sleep(0.1)
        return dict(event)
