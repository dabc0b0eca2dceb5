"""A chat server on loopback that speaks as much of Slack, Mattermost and Discord as cards take; it keeps messages."""

import http.server
import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

# By method and path: which chat answers. https://docs.slack.dev/reference/methods/chat.postMessage and so on.
_ROUTES = {
    ("POST", r"/slack/chat\.postMessage"): "slack_post",
    ("POST", r"/slack/chat\.update"): "slack_update",
    ("POST", r"/mattermost/api/v4/posts"): "mattermost_post",
    ("PUT", r"/mattermost/api/v4/posts/([a-z0-9]{26})/patch"): "mattermost_patch",
    ("POST", r"/discord/channels/7/messages"): "discord_post",
    ("PATCH", r"/discord/channels/7/messages/([0-9]+)"): "discord_patch",
    ("POST", r"/discord/webhooks/8/tok\?wait=true"): "discord_post",
    ("PATCH", r"/discord/webhooks/8/tok/messages/([0-9]+)"): "discord_patch",
}


@dataclass(frozen=True)
class Call:
    method: str
    path: str
    headers: dict[str, str]
    said: dict[str, Any]


@dataclass
class ChatRoom:
    """messages: as they are now, by their id, each in its chat's own words. calls: all that came.

    answer: before anything is done, None or the status and body that it is refused with.
    after: called when a message was kept, before the answer: a server, or a worker, may die there.
    """

    messages: dict[str, dict[str, Any]] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    answer: Callable[[Call], tuple[int, bytes] | None] = lambda call: None
    after: Callable[[Call], None] = lambda call: None

    def __enter__(self) -> Self:
        room = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                status, said = room.take(Call(self.command, self.path, dict(self.headers), body))
                self.send_response(status)
                self.end_headers()
                self.wfile.write(said)

            do_PUT = do_PATCH = do_POST

            def log_message(self, *_: object) -> None: ...

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()
        self.root = f"http://127.0.0.1:{self._server.server_port}"
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def take(self, call: Call) -> tuple[int, bytes]:
        self.calls.append(call)
        if refused := self.answer(call):
            return refused
        for (method, path), name in _ROUTES.items():
            if call.method == method and (found := re.fullmatch(path, call.path)):
                status, said = getattr(self, name)(call.said, *found.groups())
                self.after(call)
                return status, json.dumps(said).encode()
        return 404, b"{}"

    def slack_post(self, said: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        ts = f"1795348800.{len(self.messages):06d}"
        self.messages[ts] = said
        return 200, {"ok": True, "channel": said["channel"], "ts": ts, "message": said}

    def slack_update(self, said: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if said["ts"] not in self.messages:
            return 200, {"ok": False, "error": "message_not_found"}
        self.messages[said["ts"]] |= said
        return 200, {"ok": True, **said}

    def mattermost_post(self, said: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """A pending_post_id that was seen is the post that it made."""
        known = [id for id, post in self.messages.items() if post.get("pending_post_id") == said["pending_post_id"]]
        id = known[0] if known else f"{len(self.messages):026d}"
        self.messages.setdefault(id, said)
        return 201, {"id": id, **said}

    def mattermost_patch(self, said: dict[str, Any], id: str) -> tuple[int, dict[str, Any]]:
        return self._changed(said, id)

    def discord_post(self, said: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """https://docs.discord.com/developers/resources/message#create-message: enforce_nonce."""
        id = next(
            (id for id, old in self.messages.items() if said.get("nonce") and old.get("nonce") == said["nonce"]), None
        )
        id = id or str(900 + len(self.messages))
        self.messages.setdefault(id, said)
        return 200, {"id": id, **said}

    def discord_patch(self, said: dict[str, Any], id: str) -> tuple[int, dict[str, Any]]:
        return self._changed(said, id)

    def _changed(self, said: dict[str, Any], id: str) -> tuple[int, dict[str, Any]]:
        if id not in self.messages:
            return 404, {}
        self.messages[id] |= said
        return 200, {"id": id, **self.messages[id]}
