"""Posts a sentence to a person whose button press was refused, where the chat system does not show the response.

The worker sends all other messages, from tasks in the ledger; these must work while the ledger can't be written. Each
is tried once: the press stays refused whether the message arrives or not.
"""

import json
import logging
import queue
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

log = logging.getLogger(__name__)

# Messages that wait.
MOST = 100
# Seconds for each message.
TIMEOUT = 3.0


@dataclass(frozen=True)
class ChatReply:
    """A message for one person. url: checked by the source: https to the chat system's own host."""

    url: str = field(repr=False)
    body: Mapping[str, Any] = field(repr=False)


class ChatResponder:
    """Sends messages in one thread, which the first message starts."""

    def __init__(self) -> None:
        self._waiting: queue.Queue[ChatReply] = queue.Queue(MOST)
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def post(self, async_reply: ChatReply) -> bool:
        """Queue a message. Return False if too many wait: then the person sees a failure without a sentence."""
        try:
            self._waiting.put_nowait(async_reply)
        except queue.Full:
            return False
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._send_all, name="chat-replies", daemon=True)
                self._thread.start()
        return True

    def _send_all(self) -> None:
        while True:
            send(self._waiting.get())


def send(async_reply: ChatReply) -> None:
    """Post once. Follows no redirect, uses no proxy of the environment, reads no body."""
    parts = urlsplit(async_reply.url)
    connection_type = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = connection_type(parts.hostname or "", parts.port, timeout=TIMEOUT)
    target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    try:
        connection.request("POST", target, json.dumps(async_reply.body), {"Content-Type": "application/json"})
        if (status := connection.getresponse().status) >= 300:
            log.warning("%s refused the message to a person: HTTP %d", parts.hostname, status)
    except (OSError, HTTPException) as error:
        log.warning("%s could not be reached with the message to a person: %s", parts.hostname, type(error).__name__)
    finally:
        connection.close()
