"""Where a request ends, over raw sockets: what stands in its body is never answered as a request of its own.

RFC 9112 sections 2, 3, 5, 6 and 7. The server's parser is not ours; that it can be relied on is shown here, and again
behind a proxy that keeps its connections and lets senders' paths through, and no others.
"""

import re
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import pytest
from sqlalchemy import select

from registrar.ledger.tables import events
from tests.mlflow_server import free_port
from tests.needs import needs
from tests.webhooks.serving import Server, request, serving, statuses, to_the_end

CHANGES = """
from webhooks.ingress import body_reader, error_handlers
body_reader.READ_SECONDS = 0.5
error_handlers.REFUSALS = "100000/minute"
"""
CI = b"POST /webhooks/ci HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
# What is smuggled: a request for what only people of the house may see.
POLICY = b"GET /v1/policy HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
SHOWN = b'"sources"'
LENGTH = b"%d" % len(POLICY)
CHUNK = b"%x\r\n%b\r\n" % (len(POLICY), POLICY)
LAST = b"0\r\n\r\n"


def announced(*lines: bytes, first: bytes = CI, body: bytes = POLICY) -> bytes:
    """A request with these lines and this body."""
    return first + b"".join(line + b"\r\n" for line in lines) + b"\r\n" + body


def coded(value: bytes, *lines: bytes, first: bytes = CI) -> bytes:
    """A request whose body is coded so, and is in chunks."""
    return announced(b"Transfer-Encoding:" + value, *lines, first=first, body=CHUNK + LAST)


def chunks(body: bytes, *, first: bytes = CI) -> bytes:
    return first + CHUNKED + b"\r\n" + body


@dataclass(frozen=True)
class Row:
    """closed: the end is not certain, so nothing more is read of its connection."""

    sent: bytes
    closed: bool = True


CERTAIN = {
    "a length": Row(announced(b"Content-Length: " + LENGTH), closed=False),
    "leading zeros": Row(announced(b"Content-Length: %013d" % len(POLICY)), closed=False),
    "more leading zeros": Row(announced(b"Content-Length: %040d" % len(POLICY)), closed=False),
    "thousands of zeros": Row(announced(b"Content-Length: %05000d" % len(POLICY)), closed=False),
    "blanks after a length": Row(announced(b"Content-Length:  " + LENGTH + b" \t"), closed=False),
    "the same length twice": Row(announced(b"Content-Length: " + LENGTH, b"Content-Length: " + LENGTH), closed=False),
    "Content_Length": Row(announced(b"Content_Length: 5", b"Content-Length: " + LENGTH), closed=False),
    "a length of a connection": Row(
        announced(b"Connection: Content-Length", b"Content-Length: " + LENGTH), closed=False
    ),
    "LF alone after each line": Row(announced(b"Content-Length: " + LENGTH).replace(b"\r\n", b"\n", 4), closed=False),
    "a page": Row(announced(b"Content-Length: " + LENGTH, first=CI.replace(b"webhooks/ci", b"nowhere")), closed=False),
    "absolute form": Row(
        announced(b"Content-Length: " + LENGTH, first=CI.replace(b"/webhooks", b"http://y/webhooks")), closed=False
    ),
    "authority form": Row(announced(b"Content-Length: " + LENGTH, first=CI.replace(b"/webhooks/ci", b"x:80")), False),
    "CONNECT": Row(announced(b"Content-Length: " + LENGTH, first=b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n"), False),
    "asterisk form": Row(announced(b"Content-Length: " + LENGTH, first=b"OPTIONS * HTTP/1.1\r\nHost: x\r\n"), False),
    "GET with a body": Row(
        announced(b"Content-Length: " + LENGTH, first=b"GET /healthz HTTP/1.1\r\nHost: x\r\n"), False
    ),
    "HEAD with a body": Row(
        announced(b"Content-Length: " + LENGTH, first=b"HEAD /healthz HTTP/1.1\r\nHost: x\r\n"), False
    ),
    "HTTP/1.0": Row(announced(b"Content-Length: " + LENGTH, first=CI.replace(b"1.1", b"1.0"))),
    "chunks": Row(chunks(CHUNK + LAST), closed=False),
    "GET with chunks": Row(chunks(CHUNK + LAST, first=b"GET /healthz HTTP/1.1\r\nHost: x\r\n"), closed=False),
    "a tab before chunked": Row(coded(b"\tchunked"), closed=False),
    "ChUnKeD": Row(coded(b" ChUnKeD"), closed=False),
    "zeros before a chunk's size": Row(chunks(b"%017x\r\n" % len(POLICY) + POLICY + b"\r\n" + LAST), closed=False),
    "a blank after a chunk's size": Row(chunks(b"%x \r\n" % len(POLICY) + POLICY + b"\r\n" + LAST), closed=False),
    "a chunk's extension": Row(chunks(b"%x;a=b\r\n" % len(POLICY) + POLICY + b"\r\n" + LAST), closed=False),
    "a chunk's long extension": Row(
        chunks(b"%x;%b\r\n" % (len(POLICY), b"a" * 2000) + POLICY + b"\r\n" + LAST), closed=False
    ),
    "trailers": Row(chunks(b"0\r\nX-A: b\r\nContent-Length: 100\r\n\r\n"), closed=False),
    "100 trailers": Row(chunks(b"0\r\n" + b"".join(b"X-%d: b\r\n" % n for n in range(100)) + b"\r\n"), closed=False),
    "blank lines before it": Row(b"\r\n\r\n" + announced(b"Content-Length: " + LENGTH), closed=False),
    "refused unread": Row(announced(b"Content-Length: " + LENGTH, first=CI.replace(b"json", b"xml"))),
    "chunks refused unread": Row(chunks(CHUNK + LAST, first=CI.replace(b"json", b"xml"))),
}
UNCERTAIN = {
    "a length beyond what is there": announced(b"Content-Length: 2000000", body=b"x" * 100 + POLICY),
    "a length of 13 digits": announced(b"Content-Length: 1000000000000", body=b"x" * 100 + POLICY),
    "a length of 2**64": announced(b"Content-Length: 18446744073709551616"),
    "a length that overflows to the right one": announced(b"Content-Length: %d" % (2**64 + len(POLICY))),
    "no length": announced(b"Content-Length:"),
    "a length and a coding": announced(CHUNKED.strip(), b"Content-Length: %d" % len(LAST + POLICY), body=LAST + POLICY),
    "a coding and a short length": coded(b" chunked", b"Content-Length: 4"),
    "a coding and its length": coded(b" chunked", b"Content-Length: %d" % len(CHUNK + LAST)),
    "two lengths, the first short": announced(b"Content-Length: 0", b"Content-Length: " + LENGTH),
    "two lengths, the second short": announced(b"Content-Length: " + LENGTH, b"Content-Length: 0"),
    "a list of one length": announced(b"Content-Length: " + LENGTH + b", " + LENGTH),
    "a list of two lengths": announced(b"Content-Length: " + LENGTH + b", 0"),
    "a plus": announced(b"Content-Length: +" + LENGTH),
    "a minus": announced(b"Content-Length: -1"),
    "a hexadecimal length": announced(b"Content-Length: 0x2a"),
    "a blank in a length": announced(b"Content-Length: 4 2"),
    "a fraction": announced(b"Content-Length: 42.0"),
    "an underscore in a length": announced(b"Content-Length: 4_2"),
    "an Arabic digit": announced(b"Content-Length: \xd9\xa4"),
    "a word for a length": announced(b"Content-Length: five"),
    "a blank before the colon": announced(b"Content-Length : " + LENGTH),
    "a blank before the coding's colon": announced(
        b"Transfer-Encoding : chunked", b"Content-Length: %d" % len(CHUNK + LAST), body=CHUNK + LAST
    ),
    "identity with a length": announced(b"Transfer-Encoding: identity", b"Content-Length: " + LENGTH),
    "identity": announced(b"Transfer-Encoding: identity"),
    "identity, chunked": coded(b" identity, chunked"),
    "identity, then chunked": coded(b" identity", b"Transfer-Encoding: chunked"),
    "chunked, identity": coded(b" chunked, identity"),
    "chunked, then identity": coded(b" chunked", b"Transfer-Encoding: identity"),
    "chunked, chunked": coded(b" chunked, chunked"),
    "chunked, then chunked": coded(b" chunked", b"Transfer-Encoding: chunked"),
    "gzip, chunked": coded(b" gzip, chunked"),
    "gzip": coded(b" gzip"),
    "xchunked": coded(b" xchunked"),
    "a vertical tab before chunked": coded(b" \x0bchunked"),
    "a vertical tab after chunked": coded(b" chunked\x0b"),
    "a comma before chunked": coded(b" ,chunked"),
    "chunked in quotes": coded(b' "chunked"'),
    "chunked with a parameter": coded(b" chunked;q=1"),
    "no coding": announced(b"Transfer-Encoding:"),
    "a folded coding": announced(b"Transfer-Encoding:", b" chunked", body=CHUNK + LAST),
    "a folded line": announced(b"X-A: b", b" Content-Length: 3", b"Content-Length: " + LENGTH),
    "a blank before the first line": CI.replace(b"Host", b" Host", 1)
    + b"Content-Length: "
    + LENGTH
    + b"\r\n\r\n"
    + POLICY,
    "NUL in a value": announced(b"X-A: a\0b", b"Content-Length: " + LENGTH),
    "NUL in a name": announced(b"X\0A: b", b"Content-Length: " + LENGTH),
    "CR in a value": announced(b"X-A: b\rContent-Length: 3", b"Content-Length: " + LENGTH),
    "CR after a length": announced(b"Content-Length: " + LENGTH + b"\r"),
    "LF before a second coding": announced(
        b"X-A: b\nTransfer-Encoding: chunked", b"Content-Length: %d" % len(CHUNK + LAST), body=CHUNK + LAST
    ),
    "a line without a colon": announced(b"X-A", b"Content-Length: " + LENGTH),
    "a line without a name": announced(b": x", b"Content-Length: " + LENGTH),
    "HTTP/1.0 with a coding": coded(b" chunked", first=CI.replace(b"1.1", b"1.0")),
    "HTTP/1.0 with a coding, kept": coded(b" chunked", b"Connection: keep-alive", first=CI.replace(b"1.1", b"1.0")),
    "HTTP/1.0 with both": coded(
        b" chunked", b"Connection: keep-alive", b"Content-Length: 4", first=CI.replace(b"1.1", b"1.0")
    ),
    "HTTP/1.2": announced(b"Content-Length: " + LENGTH, first=CI.replace(b"1.1", b"1.2")),
    "HTTP/2.0": announced(b"Content-Length: " + LENGTH, first=CI.replace(b"1.1", b"2.0")),
    "HTTP/0.9": b"POST /webhooks/ci\r\n" + POLICY,
    "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + POLICY,
    "a blank in the path": announced(b"Content-Length: " + LENGTH, first=CI.replace(b"/ci", b"/c i")),
    "bytes before it": b"\0\0" + announced(b"Content-Length: " + LENGTH),
    "a head that is too large": announced(b"X-Long: " + b"a" * 200_000, b"Content-Length: " + LENGTH),
    "too many lines": announced(*(b"X-%d: b" % n for n in range(200)), b"Content-Length: " + LENGTH),
    "a chunk of 9 digits": chunks(b"100000000\r\n" + POLICY),
    "a chunk of 16 digits": chunks(b"ffffffffffffffff\r\n" + POLICY),
    "a chunk that overflows to the right size": chunks(b"1%016x\r\n" % len(POLICY) + POLICY + b"\r\n" + LAST),
    "a chunk over the limit": chunks(b"2000\r\n" + b"x" * 0x2000 + b"\r\n" + POLICY),
    "a chunk that is no number": chunks(b"zz\r\n" + POLICY),
    "a chunk below zero": chunks(b"-5\r\n" + POLICY),
    "a chunk with a plus": chunks(b"+2a\r\n" + POLICY),
    "a chunk with 0x": chunks(b"0x2a\r\n" + POLICY),
    "a chunk without a size": chunks(b"\r\n" + POLICY),
    "a blank before a chunk's size": chunks(b" %x\r\n" % len(POLICY) + POLICY + b"\r\n" + LAST),
    "LF after a chunk's size": chunks(b"%x\n" % len(POLICY) + POLICY + b"\r\n" + LAST),
    "CR after a chunk's size": chunks(b"%x\r" % len(POLICY) + POLICY + b"\r\n" + LAST),
    "LF after a chunk": chunks(b"%x\r\n" % len(POLICY) + POLICY + b"\n" + LAST),
    "no end of a chunk": chunks(b"5\r\nhello" + LAST + POLICY),
    "a chunk that is longer than it says": chunks(b"5\r\nhelloxx\r\n" + LAST + POLICY),
    "LF after the last chunk": chunks(b"0\n\n" + POLICY),
    "LF in a chunk's extension": chunks(b"5;\nxx\r\nhello\r\n" + LAST + POLICY),
    "CR in a chunk's extension": chunks(b"%x;a\rb\r\n" % len(POLICY) + POLICY + b"\r\n" + LAST),
    "a chunk's endless extension": chunks(b"%x;%b\r\n" % (len(POLICY), b"a" * 100_000) + POLICY + b"\r\n" + LAST),
    "trailers without an end": chunks(b"0\r\n" + b"X-A: b\r\n" * 2000 + POLICY),
    "a folded trailer": chunks(b"0\r\nX-A: b\r\n c\r\n\r\n" + POLICY),
    "NUL in a trailer": chunks(b"0\r\nX-A: a\0b\r\n\r\n" + POLICY),
    "a trailer without a colon": chunks(b"0\r\nfoo\r\n\r\n" + POLICY),
    "a request for a trailer": chunks(b"0\r\n" + POLICY),
    "broken chunks for a page": chunks(b"zz\r\n" + POLICY, first=b"GET /healthz HTTP/1.1\r\nHost: x\r\n"),
}
ROWS = CERTAIN | {name: Row(sent) for name, sent in UNCERTAIN.items()}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("framing"), changes=CHANGES) as server:
        yield server


def answers(port: int, sent: bytes) -> bytes:
    """All that is answered to these bytes. TimeoutError: the other side does not close the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        with suppress(ConnectionError):  # it is closed before all is sent
            connection.sendall(sent)
        return to_the_end(connection)


def is_one_request(said: bytes) -> None:
    """What was smuggled is not answered, and nothing broke."""
    assert SHOWN not in said
    assert all(status < 500 for status in statuses(said)), said


@pytest.mark.parametrize("name", ROWS)
def test_no_request_in_a_body_is_answered(server: Server, name: str):
    row, run_id = ROWS[name], _id(name)
    said = answers(server.port, row.sent + request(run_id, "Connection: close"))
    is_one_request(said)
    if row.closed:
        assert len(statuses(said)) <= 1, said
        assert _accepted(server, run_id) == 0
    else:
        assert statuses(said)[1:] == [202], said
        assert _accepted(server, run_id) == 1


def _id(name: str) -> str:
    return re.sub("[^A-Za-z0-9]+", "-", name)


def _accepted(server: Server, run_id: str) -> int:
    with server.ledger.read() as connection:
        return len(connection.execute(select(events).where(events.c.data["run_id"].as_string() == run_id)).all())


def test_what_is_smuggled_would_be_answered(server: Server):
    """Else this file shows nothing."""
    assert SHOWN in answers(server.port, POLICY.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))


PROXY = """
global
    maxconn 200
defaults
    mode http
    timeout connect 2s
    timeout client 1s
    timeout server 4s
    timeout http-request 1s
    timeout http-keep-alive 200ms
frontend senders
    bind 127.0.0.1:{port}
    http-request deny unless {{ path_beg /webhooks/ }} or {{ path /healthz }}
    default_backend receiver
backend receiver
    http-reuse always
    server one 127.0.0.1:{receiver} maxconn 1
"""


@pytest.fixture(scope="module")
def proxy(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of HAProxy: it lets two paths through, over one connection for all clients."""
    program = needs("haproxy", install="apt-get install haproxy", elsewhere="usr/sbin")
    file, port = tmp_path_factory.mktemp("proxy") / "haproxy.cfg", free_port()
    file.write_text(PROXY.format(port=port, receiver=server.port))
    process = subprocess.Popen([program, "-f", str(file), "-db"], stderr=subprocess.DEVNULL)
    try:
        for _ in range(100):
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait(10)


@pytest.mark.parametrize("name", ROWS)
def test_nor_behind_a_proxy_that_keeps_its_connections(server: Server, proxy: int, name: str):
    """Who comes next over the same connection is given the answer to what they sent; what the proxy itself takes for a
    second request is refused by its rule.
    """
    said, run_id = answers(proxy, ROWS[name].sent), f"{_id(name)}-proxied"
    is_one_request(said)
    assert set(statuses(said)[1:]) <= {403}, said
    assert statuses(answers(proxy, request(run_id, "Connection: close"))) == [202]
    assert _accepted(server, run_id) == 1


def test_the_proxy_lets_nobody_through_to_what_is_smuggled(proxy: int):
    assert statuses(answers(proxy, POLICY.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))) == [403]


def test_after_all_that_the_log_has_no_traceback_and_what_was_smuggled_once(server: Server):
    log = server.log.read_text(errors="replace")
    assert "Traceback" not in log
    assert log.count("GET /v1/policy") == 1, "test_what_is_smuggled_would_be_answered"
