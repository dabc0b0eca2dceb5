"""Sessions for addresses that came in with an event: they reach only the intended host, for a limited time.

A name that was harmless when the receiver checked it may lead elsewhere now (DNS rebinding), so the machine that
answered is checked after connecting, before a byte is sent.
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

    Redirects are not followed (http_post.py), no proxy, login or certificate of the environment is used, and no body is
    read. Raises PermanentError where the host is on neither list; the session raises it where another machine answers.
    """
    if not allowed(url, listed or own):
        raise PermanentError("the address for the answer is not, or no more, one of this source's; see its reply_to")
    opened = requests.Session()
    opened.trust_env = False
    adapter = _Adapter(url, listed=bool(listed))
    opened.adapters.clear()
    opened.mount("https://", adapter)
    opened.mount("http://", adapter)
    return opened


class _Adapter(HTTPAdapter):
    """Sends to one address."""

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
    """Return urllib3's pool, with connections that check the machine they reached."""
    connection = type("Judged", (_Judged, kind.ConnectionCls), {"listed": listed})
    return type("JudgedPool", (kind,), {"ConnectionCls": connection})


class _Judged:
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
    """Close a connection after so many seconds. A limit per read is not enough: a slow sender would keep us for
    ever.
    """
    same = connected.dup()  # TLS takes the socket itself away

    def hang_up() -> None:
        with contextlib.suppress(OSError):  # it is closed already
            same.shutdown(socket.SHUT_RDWR)

    timer = _Closing(seconds, hang_up, same)
    timer.daemon = True
    timer.start()
    return timer


class _Closing(threading.Timer):
    """A timer that closes its socket when it fires or is cancelled."""

    def __init__(self, seconds: float, what: Any, held: socket.socket) -> None:
        super().__init__(seconds, what)
        self._held = held

    def run(self) -> None:
        super().run()
        self._held.close()
