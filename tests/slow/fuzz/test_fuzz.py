"""Random requests, over real HTTP, at every source: no 5xx, no exception that nobody foresaw, no growth in memory.

5,000 of them here; `make fuzz N=50000` sends as many as you like, FUZZ_SEED=<n> before it chooses others.
"""

import http.client
import os
import random
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.slow.fuzz.app import VOUCHED
from tests.sources.captured import Capture, captures, read
from tests.sources.household import household
from tests.sources.test_fixtures import HOSTILE_BODIES, HOSTILE_HEADERS
from tests.webhooks.serving import serving

REQUESTS = int(os.environ.get("FUZZ", "5000"))
PER_EXAMPLE = 10
GROWTH = 24 * 2**20  # bytes; what one request leaves behind would show: 5 KB of each come to this in CI
CAPTURES = [read(path) for path in captures()]
NAMED = sorted({capture.sender.context.name for capture in CAPTURES})
HEADS = [dict(capture.request.headers) for capture in CAPTURES]
HOSTILE = list(HOSTILE_BODIES.values())
FRAMING = {"content-length", "transfer-encoding", "connection", "host"}
NAMES = sorted({name for head in HEADS for name in head} | {"content-encoding", "expect", "x-nonsense"})
# http.client itself refuses to send controls; the raw bytes of tests/webhooks/test_framing.py cover those.
VALUES = [re.sub(r"[^ -~\u00a0-\u00ff]", "", value or "") for value in HOSTILE_HEADERS.values()]
TYPES = ["application/json", "application/x-www-form-urlencoded", "application/cloudevents+json", "text/plain"]
# What breaks readers of JSON and forms, put into places where it is not expected.
BITS = [
    b"null",
    b"[]",
    b"{}",
    b"-1",
    b"1e999",
    b"9" * 400,
    b'"\\ud800"',
    b'"\\u0000"',
    b"true",
    b'""',
    b"\xff",
    b"&",
    b"=",
]
BITS += [b'"' + b"a" * 5000 + b'"', b"[" * 70, b'{"a":1,"a":2}', b"%00", b"%ff", b"+", b'"../../x"', b"NaN"]


class Door:
    def __init__(self, port: int, worker: psutil.Process, log: Path) -> None:
        self.port, self.worker, self.log = port, worker, log
        self.seen: Counter[int] = Counter()
        self.sizes: list[int] = []  # bytes, after each tenth of the requests

    def knock(self, path: str, body: bytes, headers: dict[str, str], *, chunked: bool) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            sent = iter([body[: len(body) // 2], body[len(body) // 2 :]]) if chunked and body else body
            connection.request("POST", path, body=sent, headers=headers, encode_chunked=chunked and bool(body))
            status = connection.getresponse().status
        except (ConnectionError, http.client.BadStatusLine):
            status = 0  # refused in the middle of what it was sending
        finally:
            connection.close()
        self.seen[status] += 1
        if self.seen.total() % max(1, REQUESTS // 10) == 0:
            self.sizes.append(self.memory())
        return status

    def memory(self) -> int:
        return self.worker.memory_info().rss


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    folder = tmp_path_factory.mktemp("fuzz")
    policy, secrets = household()
    (folder / "fuzz.yml").write_text(policy)
    environ = {"REGISTRAR_CONFIG": str(folder / "fuzz.yml"), **secrets}
    with serving(folder, app="tests.slow.fuzz.app:from_environment", **environ) as server:
        [worker] = server.workers()  # which is looked at
        yield Door(server.port, worker, server.log)


def mutated(body: bytes, choose: random.Random) -> bytes:
    """A few bytes of it cut, doubled, swapped, or a value put in place of another."""
    for _ in range(choose.randrange(3)):
        at = choose.randrange(len(body) + 1)
        match choose.randrange(5):
            case 0:
                body = body[:at] + body[at + choose.randrange(9) :]
            case 1:
                body = body[:at] + choose.choice(BITS) + body[at:]
            case 2:
                body = body[:at] + bytes([choose.randrange(256)]) + body[at + 1 :]
            case 3:
                body = body[:at] * 2
            case 4:
                body = _with_another_value(body, choose)
    return body


def _with_another_value(body: bytes, choose: random.Random) -> bytes:
    places = [match.span(1) for match in re.finditer(rb'[:\[,] ?("[^"]*"|[0-9]+|true|false|null)|=([^&]*)', body)]
    places = [place for place in places if place[0] >= 0]
    if not places:
        return body
    begin, end = choose.choice(places)
    return body[:begin] + choose.choice(BITS) + body[end:]


def headers_of(capture: Capture, choose: random.Random) -> dict[str, str]:
    """Mostly its own; sometimes another's, or hostile ones."""
    headers = dict(capture.request.headers if choose.random() < 0.8 else choose.choice(HEADS))
    for _ in range(choose.choice([0, 0, 1, 2])):
        name = choose.choice(NAMES)
        headers[name] = choose.choice([*VALUES, choose.choice(HEADS).get(name, "")])
    if choose.random() < 0.1:
        headers["content-type"] = choose.choice(TYPES)
    if choose.random() < 0.8:
        headers[VOUCHED] = "1"
    return {name: value.strip()[:8000] for name, value in headers.items() if name not in FRAMING}


@seed(int(os.environ.get("FUZZ_SEED", "1")))
@settings(
    max_examples=max(1, REQUESTS // PER_EXAMPLE),
    deadline=None,
    database=None,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)
@given(dice=st.randoms(use_true_random=False), capture=st.sampled_from(CAPTURES))
def test_no_request_breaks_the_receiver(door: Door, dice: random.Random, capture: Capture):
    choose = random.Random(dice.getrandbits(64))  # noqa: S311 (not for secrets)
    for _ in range(PER_EXAMPLE):
        body = mutated(capture.request.body if choose.random() < 0.9 else choose.choice(HOSTILE), choose)
        name = capture.sender.context.name if choose.random() < 0.9 else choose.choice(NAMED)
        headers = headers_of(capture, choose)
        status = door.knock(f"/webhooks/{name}", body, headers, chunked=choose.random() < 0.2)
        assert status < 500, (name, headers, body)


def test_after_that_nothing_unforeseen_is_in_the_log(door: Door):
    log = door.log.read_text(errors="replace")
    assert "Traceback" not in log, log[log.index("Traceback") - 2000 :][:6000]


def test_after_that_every_fate_was_met(door: Door):
    """Accepted, repeated, and most ways of being refused: else the requests were too dull to show anything."""
    print(f"\n{door.seen.total()} requests: {dict(sorted(door.seen.items()))}")
    assert {200, 202, 400, 401, 415, 422} <= set(door.seen)


def test_after_that_the_memory_has_not_grown(door: Door):
    print("\nMB after each tenth of the requests: " + " ".join(f"{size / 2**20:.1f}" for size in door.sizes))
    assert door.sizes[-1] - door.sizes[1] < GROWTH
