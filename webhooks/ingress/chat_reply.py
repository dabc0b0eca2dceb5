"""Posts a sentence to whoever pressed a button in vain, where the chat system shows nothing of the answer itself.

Everything else that is said to people is the worker's to say; but what it does stands in the ledger, and this is for
when the ledger takes nothing. The press is refused whether the letter arrives or not, so nothing is tried again.
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

MOST = 100  # letters that wait
SECONDS = 3.0  # for each


@dataclass(frozen=True)
class ChatReply:
    """url: checked by the kind (registrar.address.allowed): https to the chat system's own host, by its certificate."""

    url: str = field(repr=False)
    body: Mapping[str, Any] = field(repr=False)


class ChatResponder:
    """One thread empties it, and is started by the first letter."""

    def __init__(self) -> None:
        self._waiting: queue.Queue[ChatReply] = queue.Queue(MOST)
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def post(self, async_reply: ChatReply) -> bool:
        """False where too many wait already: then the press is seen to fail, without a sentence."""
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
    """No redirect is followed, no proxy of the environment used, no body read."""
    parts = urlsplit(async_reply.url)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=SECONDS)
    target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    try:
        connection.request("POST", target, json.dumps(async_reply.body), {"Content-Type": "application/json"})
        if (status := connection.getresponse().status) >= 300:
            log.warning("%s does not take what is to be said to a person: HTTP %d", parts.hostname, status)
    except (OSError, HTTPException) as error:
        log.warning("%s can't be told what is to be said to a person: %s", parts.hostname, type(error).__name__)
    finally:
        connection.close()
