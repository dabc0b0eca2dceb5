"""What honest senders notice of slow clients, of floods that nobody signed, and of a Redis that is dead or slow.

Four senders post signed events, each over a new connection, to one receiver as `registrar up` starts it. Beside them:
200 clients that trickle headers, bodies and chunks; a flood of 16 connections that wrk keeps busy; or a broker in
trouble.
"""

import json
import random
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from tests.bench.contenders import receiver
from tests.bench.options import Options
from tests.bench.result import Result, Table, Target
from tests.bench.rounds import Figures, alternate, medians
from tests.bench.slow_clients import SLOW, honest, trickling
from tests.links import Link
from tests.mlflow_server import free_port
from tests.redis_server import serve as serve_redis
from tests.webhooks.conftest import CI

TITLE = "Beside hostile clients and a broker in trouble: four senders that post one signed event after another"
CONFIG = """
version: 1
max_unfinished: 1000000
sources:
  ci:
    kind: standard
    secrets: ["file:ci.whsec"]
    rate_limit: 999999/second
    max_unfinished: 1000000
    may: [{events: ["training_run.*"], models: ["*"]}]
  chat:
    kind: mattermost
    secrets: ["file:chat.token"]
"""
FLOOD = 16  # connections
LARGE = 1_000_000  # bytes: as much JSON as a source takes
COLUMNS = ("beside", "answered", "not answered", "median ms", "p99 ms", "worst ms")
Trouble = Callable[["Place"], AbstractContextManager[None]]


@dataclass(frozen=True)
class Place:
    """A receiver, and the link between it and its Redis."""

    port: int
    folder: Path
    link: Link


def measure(options: Options) -> Result:
    cases = list(TROUBLES)
    found = alternate(cases, options.rounds, lambda name: once(TROUBLES[name], options.seconds * 2))
    rows = {name: medians(rounds) for name, rounds in zip(cases, found, strict=True)}
    lost = {name: max(figures["not answered"] for figures in rounds) for name, rounds in zip(cases, found, strict=True)}
    targets = [Target(f"{name}: p99", row["p99 ms"], at_most=100, unit="ms") for name, row in rows.items()]
    return Result(
        table=Table(COLUMNS, [[name, *(row[column] for column in COLUMNS[1:])] for name, row in rows.items()]),
        targets=[*targets, Target("honest requests that were not answered", max(lost.values()), at_most=0)],
        rounds=dict(zip(cases, found, strict=True)),
    )


def once(trouble: Trouble, seconds: float) -> Figures:
    with place() as at, trouble(at):
        found = honest(at.port, seconds=seconds)
    return {
        "answered": found.answered,
        "not answered": found.refused,
        "median ms": found.median * 1000,
        "p99 ms": found.p99 * 1000,
        "worst ms": found.worst * 1000,
    }


@contextmanager
def place() -> Iterator[Place]:
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        (folder / "registrar.yml").write_text(CONFIG)
        (folder / "ci.whsec").write_text(CI)
        (folder / "chat.token").write_text("8yufttufp3nr3dhtnk8gedqgna")
        with (
            serve_redis(folder / "broker", free_port()) as broker,
            Link(broker.port) as link,
            receiver(folder, link.url_of("redis", "/0"), None, ()) as running,
        ):
            honest(running.port, seconds=2)
            yield Place(running.port, folder, link)


def slow_clients(at: Place) -> AbstractContextManager[None]:
    return trickling(at.port)


def flood(path: str, body: bytes, content_type: str = "application/json") -> Trouble:
    """wrk posts the same unsigned request over and over."""

    @contextmanager
    def begin(at: Place) -> Iterator[None]:
        script, content = at.folder / "flood.lua", at.folder / "flood.body"
        content.write_bytes(body)
        script.write_text(
            f'wrk.method = "POST"; wrk.headers["Content-Type"] = "{content_type}"\n'
            f'wrk.body = io.open({json.dumps(str(content))}, "rb"):read("*a")\n'
        )
        command = ["wrk", "-t1", f"-c{FLOOD}", "-d600", "-s", str(script), f"http://127.0.0.1:{at.port}{path}"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            time.sleep(1)
            yield
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(10)

    return begin


@contextmanager
def dead_broker(at: Place) -> Iterator[None]:
    """It accepts connections and never answers."""
    at.link.mode = "silent"
    yield
    at.link.mode = "pass"


@contextmanager
def slow_broker(at: Place) -> Iterator[None]:
    """Each answer takes 200 ms."""
    at.link.delay = 0.1
    yield
    at.link.delay = 0.0


def _json(size: int) -> bytes:
    """Valid, and slow to look into: small objects."""
    one = json.dumps({"\u00e9": random.random(), "b": ["x", {"c": 1}]})  # noqa: S311 (it opens nothing)
    return f'{{"context": [{", ".join([one] * (size // (len(one) + 2)))}]}}'.encode()


TROUBLES: dict[str, Trouble] = {
    "nobody": lambda at: nullcontext(),
    f"{SLOW} clients that trickle": slow_clients,
    "a flood at `standard`": flood("/webhooks/ci", _json(900)),
    f"a flood of {LARGE:,} bytes at `standard`": flood("/webhooks/ci", _json(LARGE)),
    "a flood at `mattermost`": flood("/webhooks/chat", _json(900)),
    f"a flood of {LARGE:,} bytes at `mattermost`": flood("/webhooks/chat", _json(LARGE)),
    "a flood at no source": flood("/webhooks/nobody", _json(900)),
    "a dead Redis": dead_broker,
    "a Redis that takes 200 ms": slow_broker,
}
