"""Chat systems do not send again: what can't be taken now is told to the person, with a 200, where they see it."""

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from sqlalchemy import text

from registrar.ledger import capacity
from registrar.policy import Policy
from tests.webhooks import test_chats_app as chats
from tests.webhooks import test_slack_app as slack
from tests.webhooks.conftest import SLACK, Receiver
from webhooks.app import create_app
from webhooks.ingress.chat_reply import ChatReply, send

COMMAND = {
    "name": "registry",
    "type": 1,
    "options": [{"name": "text", "type": 3, "value": "approve nyc-taxi-regressor 3"}],
}
ASKED: dict[str, Callable] = {
    "slack, a command": lambda receiver: slack.slash(receiver, "approve nyc-taxi-regressor 3"),
    "slack, a press": lambda receiver: slack.press(receiver, slack.button(receiver)),
    "mattermost, a command": lambda receiver: chats.typed(receiver, "approve nyc-taxi-regressor 3"),
    "mattermost, a press": lambda receiver: chats.press(receiver, chats.buttons(receiver)[0]),
    "discord, a command": lambda receiver: chats.interact(receiver, type=2, data=COMMAND),
    "discord, a press": lambda receiver: chats.interact_by_press(receiver, 0),
    "teams, a message": lambda receiver: chats.mention(receiver, "approve nyc-taxi-regressor 3"),
}
EACH = pytest.mark.parametrize("ask", ASKED.values(), ids=ASKED.keys())
AGAIN = "Nothing was done; try again in a minute."


@pytest.fixture
def limited(ledger, settings, monkeypatch):
    """All chat systems at one receiver, each source with these limits."""
    monkeypatch.setattr(capacity, "FRESH", 0.0)
    monkeypatch.setattr(capacity, "STALE", 0.0)

    def start(**limits: object) -> Receiver:
        said = chats.POLICY.model_dump(mode="json", exclude_unset=True)
        said["sources"]["slack"] = {"kind": "slack", "secrets": ["env:SLACK_SECRET"], "may": chats.MAY}
        said["sources"] = {name: {**source, **limits} for name, source in said["sources"].items()}
        key = chats.DISCORD.public_key().public_bytes_raw().hex()
        environ = {"SLACK_SECRET": SLACK, "MM": chats.TOKEN, "TEAMS": chats.TEAMS, "DISCORD": key}
        app = create_app(replace(settings, environ=environ), policy=Policy.model_validate(said))
        return Receiver(app.test_client(), ledger, settings)

    return start


def told(answer, letters: list[ChatReply]) -> str:
    """What the person reads."""
    assert answer.status_code == 200
    shown = answer.json or letters[-1].body
    return shown.get("text") or shown.get("ephemeral_text") or shown["data"]["content"]


@EACH
def test_a_ledger_that_is_away(limited, letters, ask):
    receiver = limited()
    with receiver.ledger.write() as connection:
        connection.execute(text("ALTER TABLE events RENAME TO gone"))
    assert told(ask(receiver), letters) == f"Registrar can't take this now: its database does not answer. {AGAIN}"
    with receiver.ledger.write() as connection:
        connection.execute(text("ALTER TABLE gone RENAME TO events"))
    assert receiver.events() == []
    assert "Registrar can't" not in told(ask(receiver), [*letters, ChatReply("", {"text": "none"})])
    assert len(receiver.events()) == 1


@EACH
def test_too_much_work_that_waits(limited, letters, ask):
    receiver = limited(max_unfinished=1)
    told(ask(receiver), [ChatReply("", {"text": "none"})])
    with receiver.ledger.write() as connection:  # another delivery, that is not the first one again
        connection.execute(text("UPDATE events SET delivery_id = 'another'"))
    said = told(ask(receiver), letters)
    assert said == f"Registrar can't take this now: too many tasks wait to be done. {AGAIN}"
    assert len(receiver.events()) == 1
    assert [(status, code) for _, status, code in receiver.rejections()] == [(503, "too_much_waiting")]


@EACH
@pytest.mark.usefixtures("within_one_minute")
def test_too_many_requests(limited, letters, ask):
    receiver = limited(rate_limit="1/minute")
    ask(receiver)
    assert told(ask(receiver), letters) == f"Registrar can't take this now: too many requests come in. {AGAIN}"
    assert [(status, code) for _, status, code in receiver.rejections()] == [(429, "too_many_requests")]


@pytest.mark.usefixtures("within_one_minute")
def test_who_only_says_that_they_are_slack_is_told_nothing(limited, letters):
    receiver = limited(rate_limit="1/minute")
    for _ in range(2):
        slack.slash(receiver, "help")
    letters.clear()
    body = b"command=%2Fregistry&text=help&team_id=T1&user_id=U1"
    assert receiver.slack(body, secret=SLACK + "x").status_code == 401
    assert letters == []


class Chat(BaseHTTPRequestHandler):
    """Remembers what was posted to it, and answers with a redirect to itself."""

    posted: list[tuple[str, dict]]

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        type(self).posted.append((self.path, body))
        self.send_response(302)
        self.send_header("Location", self.path)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def chat():
    Chat.posted = []
    server = HTTPServer(("127.0.0.1", 0), Chat)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_letter_is_posted_once_and_no_redirect_is_followed(chat):
    send(ChatReply(f"{chat}/actions/x?y=z", {"text": "now"}))
    assert Chat.posted == [("/actions/x?y=z", {"text": "now"})]


def test_a_chat_that_is_not_there_is_no_error(caplog):
    send(ChatReply("http://127.0.0.1:1/actions/secret", {"text": "now"}))
    assert "127.0.0.1 could not be reached with the message to a person: ConnectionRefusedError" in caplog.text
    assert "secret" not in caplog.text
