"""Calls to addresses that came in: a real listener, and names that lead to it though they should not."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
import requests

from tests.notifications.conftest import listener  # noqa: F401 (a fixture)
from worker.notifications.transport import safe_session
from worker.notifications.transport.http_post import post
from worker.registry.protocol import PermanentError, RetryableError

SLACK = frozenset({"hooks.slack.com"})


def call(url: str, *listed: str, own: frozenset[str] = SLACK, headers: dict[str, str] | None = None) -> None:
    with safe_session.session(url, own=own, listed=listed) as http:
        post(http, url, b"{}", headers or {})


def host_of(url: str) -> str:
    return url.split("/")[2]


class Silent:
    """Takes connections, sends what it is told to, byte by byte, and keeps what it gets."""

    def __init__(self, pieces: list[bytes]) -> None:
        self.pieces, self.got = pieces, b""
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        self.connections: list[socket.socket] = []
        self.stop, self.finished = threading.Event(), False
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.listening.accept()
            except OSError:
                return
            self.connections.append(connection)
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        try:
            connection.settimeout(5)
            self.got += connection.recv(65536)
            for piece in self.pieces:
                connection.sendall(piece)
                if self.stop.wait(0.05):
                    return
            self.finished = True
        except OSError:
            return


@contextmanager
def silent(*pieces: bytes) -> Iterator[Silent]:
    made = Silent(list(pieces))
    try:
        yield made
    finally:
        made.stop.set()
        made.listening.close()
        for connection in made.connections:
            connection.close()


@pytest.fixture
def leads_here(monkeypatch: pytest.MonkeyPatch):
    """Every name leads to a port of this machine, as a name that was rebound would."""

    def lead(port: int) -> None:
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]
        monkeypatch.setattr("urllib3.util.connection.socket.getaddrinfo", lambda *_: found)

    return lead


def test_a_listed_host_is_called(listener):  # noqa: F811
    call(listener.url, host_of(listener.url))
    assert [body for _, body in listener.got] == [b"{}"]


def test_a_host_that_is_on_no_list_any_more_is_not_called(listener):  # noqa: F811
    with pytest.raises(PermanentError, match="no longer, one of this source's"):
        call(listener.url, "chat.example")
    assert listener.got == []


def test_a_name_of_the_kind_that_leads_into_the_own_network_gets_no_byte(leads_here):
    with silent() as machine:
        leads_here(machine.port)
        with pytest.raises(PermanentError, match=r"hooks\.slack\.com leads to an address inside a private network"):
            call("https://hooks.slack.com/actions/x")
        assert machine.got == b""


def test_a_listed_name_may_lead_into_the_own_network_and_must_still_prove_itself(leads_here):
    """It gets as far as TLS, and no further without a certificate."""
    with silent(b"no TLS here, just words\r\n") as machine:
        leads_here(machine.port)
        with pytest.raises(RetryableError, match=r"chat\.example does not answer"):
            call("https://chat.example/x", "chat.example")
        assert machine.got.startswith(b"\x16\x03")  # a TLS handshake, and no request
        assert b"POST" not in machine.got


def test_a_redirect_is_not_followed(listener):  # noqa: F811
    listener.answer = (307, {"Location": listener.url + "/elsewhere"})
    with pytest.raises(PermanentError, match="refused the message with 307"):
        call(listener.url, host_of(listener.url))
    assert len(listener.got) == 1


def test_the_session_calls_no_other_address(listener):  # noqa: F811
    with safe_session.session("https://hooks.slack.com/x", own=SLACK, listed=()) as http:
        for other in (listener.url, "https://hooks.slack.com:8443/x", "https://evil.example/x"):
            with pytest.raises(PermanentError, match="to its own address"):
                http.post(other, data=b"{}", timeout=1)
    assert listener.got == []


def test_proxies_logins_and_certificates_of_the_environment_are_not_used(listener, monkeypatch, tmp_path):  # noqa: F811
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login ada password geheim\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    call(listener.url, host_of(listener.url))
    [(headers, _)] = listener.got
    assert "Authorization" not in headers


@pytest.mark.parametrize(
    "pieces",
    [
        [b"H"] * 10_000,
        [b"HTTP/1.1 200 OK\r\n", *[b"X: y\r\n"] * 10_000],
    ],
    ids=["a status line that never ends", "headers that never end"],
)
def test_an_answer_that_trickles_is_cut_off(pieces, monkeypatch):
    """Without a limit for the whole, each piece in time would keep the worker for eight minutes."""
    monkeypatch.setattr(safe_session, "SECONDS", 0.5)
    with silent(*pieces) as machine:
        with suppress(RetryableError):  # a status that came whole counts
            call(f"http://127.0.0.1:{machine.port}/x", f"127.0.0.1:{machine.port}")
        assert not machine.finished


def test_a_body_however_long_is_not_read(monkeypatch):
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n"
    with silent(head, *[b"x" * 1000] * 10_000) as machine:
        call(f"http://127.0.0.1:{machine.port}/x", f"127.0.0.1:{machine.port}")


def test_https_is_checked_against_the_systems_certificates():
    with safe_session.session("https://hooks.slack.com/x", own=SLACK, listed=()) as http:
        assert http.verify is True
        assert isinstance(http, requests.Session)
    assert ssl.create_default_context().verify_mode is ssl.CERT_REQUIRED
