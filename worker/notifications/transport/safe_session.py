"""Sessions for addresses that came with an event: they reach only the intended host, for a limited time.

A name that was harmless when the receiver checked it may lead elsewhere by now (DNS rebinding), so the peer's address
is checked after connecting, before a byte is sent.
https://owasp.org/API-Security/editions/2023/en/0xa7-server-side-request-forgery/
"""

import contextlib
import socket
import threading
from collections.abc import Collection
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool

from registrar.http.safe_url import allowed, may_answer
from worker.registry.protocol import PermanentError

SECONDS = 15.0  # from connecting to the last byte; chat systems answer in a few hundred ms


def session(url: str, *, own: Collection[str], listed: Collection[str]) -> requests.Session:
    """Return a session for one call to `url`. own: the kind's hosts; listed: the source's reply_to, which replaces
    them.

    It uses no proxy, login or certificate of the environment; http_post.py follows no redirects. Raises PermanentError
    where the host is not allowed; so does the session where the name leads into a private network.
    """
    if not allowed(url, listed or own):
        raise PermanentError("the address for the answer is not, or no longer, one of this source's; see its reply_to")
    safe = requests.Session()
    safe.trust_env = False
    adapter = _Adapter(url, listed=bool(listed))
    safe.adapters.clear()
    safe.mount("https://", adapter)
    safe.mount("http://", adapter)
    return safe


class _Adapter(HTTPAdapter):
    """An adapter that sends to one address only."""

    def __init__(self, url: str, *, listed: bool) -> None:
        self._url = url
        self._listed = listed
        super().__init__(pool_connections=1, pool_maxsize=1, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {
            "http": _pool(HTTPConnectionPool, listed=self._listed),
            "https": _pool(HTTPSConnectionPool, listed=self._listed),
        }

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        if urlsplit(request.url or "")[:2] != urlsplit(self._url)[:2]:
            raise PermanentError("an answer goes to its own address and to no other")
        return super().send(request, *args, **kwargs)


def _pool(kind: Any, *, listed: bool) -> Any:
    """Return urllib3's pool class, with connections that check their peer's address."""
    connection = type("CheckedConnection", (_CheckedConnection, kind.ConnectionCls), {"listed": listed})
    return type("CheckedPool", (kind,), {"ConnectionCls": connection})


class _CheckedConnection:
    """A mixin for urllib3's connections."""

    host: str
    listed: bool
    _end: threading.Timer | None = None

    def _new_conn(self) -> socket.socket:
        connected: socket.socket = super()._new_conn()  # type: ignore[misc]
        if not may_answer(connected.getpeername()[0], host=self.host, listed=self.listed):
            connected.close()
            raise PermanentError(
                f"{self.host} leads to an address inside a private network; to allow it, list it in reply_to"
            )
        self._end = hang_up_after(SECONDS, connected)
        return connected

    def close(self) -> None:
        if self._end:
            self._end.cancel()
        super().close()  # type: ignore[misc]


def hang_up_after(seconds: float, connected: socket.socket) -> threading.Timer:
    """Shut a connection down after so many seconds: a limit per read does not stop a slow sender."""
    duplicate = connected.dup()  # TLS detaches the socket itself

    def hang_up() -> None:
        with contextlib.suppress(OSError):  # it is closed already
            duplicate.shutdown(socket.SHUT_RDWR)

    timer = _ClosingTimer(seconds, hang_up, duplicate)
    timer.daemon = True
    timer.start()
    return timer


class _ClosingTimer(threading.Timer):
    """A timer that closes its socket when it fires or is cancelled."""

    def __init__(self, seconds: float, function: Any, owned: socket.socket) -> None:
        super().__init__(seconds, function)
        self._owned = owned

    def run(self) -> None:
        super().run()
        self._owned.close()
