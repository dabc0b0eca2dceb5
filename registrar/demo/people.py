"""Ada and Bob of the team's chat: what Slack sends when one of them presses a button."""

import json
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlencode

import requests

from registrar.demo.chat import Chat, Element, Message
from registrar.demo.expect import Unexpected
from registrar.http import signing

TEAM = "T0DEMO"
TIMEOUT = 10


@dataclass(frozen=True)
class Person:
    """A member of the chat, by the account that registrar.yml knows."""

    name: str
    account: str


ADA = Person("Ada", "U0ADA")
BOB = Person("Bob", "U0BOB")


@dataclass(frozen=True)
class Slack:
    """The chat's own server: it signs what it sends to Registrar, and gets the answers."""

    url: str
    secret: str
    chat: Chat

    def press(self, button: Element, *, by: Person) -> str:
        """Returns the id under which the answer to this click will come. Raises Unexpected."""
        reply = uuid.uuid4().hex
        body = urlencode({"payload": json.dumps(self._click(button, by, reply))}).encode()
        headers = signing.slack(self.secret, timestamp=datetime.now(UTC), body=body)
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        answer = requests.post(self.url, data=body, headers=headers, timeout=TIMEOUT)
        if not answer.ok:
            raise Unexpected(expected="the click taken", seen=f"{answer.status_code} {answer.text}", look_at="receiver")
        return reply

    def _click(self, button: Element, by: Person, reply: str) -> dict[str, object]:
        """https://docs.slack.dev/reference/interaction-payloads/block_actions-payload"""
        now = datetime.now(UTC).timestamp()
        action = {"type": "button", "block_id": "demo", "action_ts": f"{now:.6f}"}
        return {
            "type": "block_actions",
            "user": {"id": by.account, "username": by.name.lower(), "name": by.name.lower(), "team_id": TEAM},
            "team": {"id": TEAM, "domain": "demo"},
            "api_app_id": "A0DEMO",
            "trigger_id": f"{now:.6f}.{uuid.uuid4().hex}",
            "response_url": self.chat.reply_url(reply),
            "actions": [action | {"action_id": button.action_id, "value": button.value}],
        }

    def answer(self, reply: str, *, seconds: float) -> Message:
        """What the person who pressed is told. Raises Unexpected."""
        told = self.chat.wait(lambda message: message.place == f"reply/{reply}", seconds=seconds)
        if told is None:
            raise Unexpected(expected=f"an answer to the click within {seconds:g} s", seen="none", look_at="worker")
        return told
