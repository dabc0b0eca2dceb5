"""Our way of reading a request's head, beside gunicorn's own: the same comes of it, whatever the bytes are."""

from typing import Any

import pytest
from gunicorn.config import Config
from gunicorn.http.message import Request
from gunicorn.http.unreader import IterUnreader
from hypothesis import example, given, settings
from hypothesis import strategies as st

from webhooks import gunicorn_conf
from webhooks.visitor import _PLAIN, _Request

PEERS = (("127.0.0.1", 4444), ("203.0.113.9", 4444))  # the first is trusted to forward
NAMES = (
    "Host",
    "content-length",
    "Content-Type",
    "Transfer-Encoding",
    "Expect",
    "X-Forwarded-Proto",
    "X_Forwarded_For",
    "webhook-id",
    "Connection",
    "",
    "a b",
    "ü",
)
VALUES = ("x", "", "0", "5", "chunked", "100-continue", "https", "a\tb", "a\x00b", "é", " padded ", "\r", "a\nb")
FIELDS = st.tuples(
    st.sampled_from(NAMES) | st.text(max_size=6), st.sampled_from((":", ": ", " : ", "")), st.sampled_from(VALUES)
)
LINES = st.sampled_from(
    ("POST /webhooks/ci HTTP/1.1", "POST /a%20b?q=1#f HTTP/1.0", "GET * HTTP/1.1", "post / HTTP/1.1", "POST x", "")
)


@pytest.fixture(scope="module")
def cfg() -> Config:
    config = Config()
    for name in ("limit_request_line", "limit_request_fields", "limit_request_field_size"):
        config.set(name, getattr(gunicorn_conf, name))
    return config


def read(kind: type[Request], cfg: Config, head: bytes, peer: Any) -> Any:
    """What it made of it: all that it says of the request, or how it refuses it."""
    try:
        request = kind(cfg, IterUnreader(iter([head])), peer)
    except Exception as error:  # noqa: BLE001 (compared)
        return type(error), str(error)
    said = {name: value for name, value in vars(request).items() if name not in {"unreader", "body"}}
    return said, type(request.body.reader), getattr(request.body.reader, "length", None)


@settings(max_examples=1500, deadline=None)
@given(line=LINES, fields=st.lists(FIELDS, max_size=6), peer=st.sampled_from(PEERS))
@example(line="POST /webhooks/ci HTTP/1.1", fields=[("Host", ": ", "x")] * 2, peer=PEERS[0])
@example(line="POST /webhooks/ci HTTP/1.1", fields=[("X-Forwarded-Proto", ": ", "https")], peer=PEERS[0])
@example(line="POST /webhooks/ci HTTP/1.1", fields=[("a", ":", "x" * 9000)], peer=PEERS[0])
@example(line="POST /webhooks/ci HTTP/1.1", fields=[(f"a{n}", ":", "") for n in range(65)], peer=PEERS[0])
def test_it_reads_as_gunicorn_does(cfg: Config, line: str, fields: list[tuple[str, str, str]], peer: Any):
    text = "\r\n".join([line, *("".join(field) for field in fields)])
    head = f"{text}\r\n\r\n".encode(errors="replace")
    assert read(_Request, cfg, head, peer) == read(Request, cfg, head, peer)


def test_what_senders_send_is_plain():
    assert _PLAIN.fullmatch(b"Host: x\r\nContent-Type: application/json\r\nContent-Length: 5\r\nwebhook-id: msg_1")
