"""Runs a small chat server and deploy system on loopback, and shows the messages that Registrar sends to them."""

import hmac
import html
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from pydantic import BaseModel
from rich.emoji import Emoji

from registrar.http import signing


class Words(BaseModel):
    """A text object. https://docs.slack.dev/reference/block-kit/composition-objects/text-object"""

    text: str


class Element(BaseModel):
    """A text of a context block, or a button. action_id and value come back with a click."""

    text: Words | str
    action_id: str = ""
    value: str = ""

    @property
    def label(self) -> str:
        return self.text if isinstance(self.text, str) else self.text.text


class Block(BaseModel):
    """A part of a message. https://docs.slack.dev/reference/block-kit/blocks"""

    type: str
    text: Words | None = None
    elements: list[Element] = []

    @property
    def lines(self) -> list[str]:
        own = [self.text.text] if self.text else []
        return own + [f"  {element.label}" for element in self.elements if not element.action_id]


class Content(BaseModel):
    """The JSON of a chat message or a deploy event. The text of a message with blocks is only for notifications."""

    text: str = ""
    blocks: list[Block] = []
    type: str = ""
    data: dict[str, Any] = {}


@dataclass(frozen=True)
class Message:
    """A message. place: "team-chat", "deploy", or "reply/ID" for an answer that only one person sees."""

    place: str
    content: Content

    @property
    def lines(self) -> list[str]:
        """Return the lines that a chat shows, or a deploy system's line of log."""
        if self.place == "deploy":
            data = self.content.data
            return [f"{self.content.type}: {data.get('text') or json.dumps(data)}"]
        written = [line for block in self.content.blocks for line in block.lines] or [self.content.text]
        return [_as_slack_shows(line) for line in written]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    @property
    def buttons(self) -> dict[str, Element]:
        """Return the buttons by action_id."""
        elements = [element for block in self.content.blocks for element in block.elements]
        return {element.action_id: element for element in elements if element.action_id}


def _as_slack_shows(text: str) -> str:
    """Replace Slack's :emoji: names and its three escaped characters."""
    return html.unescape(Emoji.replace(text))


MAX_BYTES = 1_000_000


class Chat(ThreadingHTTPServer):
    """Listens on 127.0.0.1 while entered; `show` is called for each message, in a thread of its own.

    token: part of the chat's address, so that nobody else can post. deploy_secret: checks signatures of deploy events.
    """

    daemon_threads = True

    def __init__(self, *, port: int, token: str, deploy_secret: str, show: Callable[[Message], None]) -> None:
        """Listen on the port, or on any other if it is 0 or not free."""
        try:
            super().__init__(("127.0.0.1", port), _Handler)
        except OSError:
            super().__init__(("127.0.0.1", 0), _Handler)
        self.messages: list[Message] = []
        self._came = threading.Condition()
        self._token, self._deploy_secret, self._show = token, deploy_secret, show

    @property
    def port(self) -> int:
        return self.server_port

    @property
    def team_chat_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/team-chat/{self._token}"

    @property
    def deploy_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/deploy"

    def reply_url(self, reply: str) -> str:
        """Return the address for answers to one click or command, which the click contains as Slack's response_url."""
        return f"http://127.0.0.1:{self.port}/reply/{reply}"

    def __enter__(self) -> Self:
        threading.Thread(
            target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True, name="demo-chat"
        ).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.shutdown()
        self.server_close()

    def take(self, path: str, headers: dict[str, str], body: bytes) -> int:
        """Accept a message, show it, and wake up `wait`. Return the HTTP status of the answer."""
        place = path.strip("/").removesuffix(f"/{self._token}")
        if place == "deploy" and not self._signed(headers, body):
            return 401
        known = place == "deploy" or (place == "team-chat" and place != path.strip("/")) or place.startswith("reply/")
        if not known:
            return 404
        message = Message(place, Content.model_validate_json(body))
        self._show(message)
        with self._came:
            self.messages.append(message)
            self._came.notify_all()
        return 200

    def _signed(self, headers: dict[str, str], body: bytes) -> bool:
        seconds = headers.get("webhook-timestamp", "")
        if not (seconds.isascii() and seconds.isdigit()):
            return False
        at = datetime.fromtimestamp(int(seconds), UTC)
        expected = signing.standard_webhooks(
            self._deploy_secret, id=headers.get("webhook-id", ""), timestamp=at, body=body
        )
        return hmac.compare_digest(expected["webhook-signature"], headers.get("webhook-signature", ""))

    def wait(self, wanted: Callable[[Message], bool], *, seconds: float) -> Message | None:
        """Return the newest message that is wanted, once there is one; None after `seconds`."""

        def newest() -> Message | None:
            return next((message for message in reversed(self.messages) if wanted(message)), None)

        with self._came:
            return self._came.wait_for(newest, seconds)


class _Handler(BaseHTTPRequestHandler):
    server: Chat
    timeout = 10

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        if length > MAX_BYTES:
            return self._answer(413)
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            return self._answer(self.server.take(self.path, headers, self.rfile.read(length)))
        except ValueError:
            return self._answer(400)

    def _answer(self, status: int) -> None:
        body = b"ok" if status == 200 else b"not taken"
        self.send_response(status)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing: messages are shown."""
