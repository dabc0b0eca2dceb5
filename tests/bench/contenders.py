"""The receivers that are compared, each started as its users start it, on a free port and with stores of its own."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import func, select

from registrar.ledger import Ledger
from registrar.ledger.tables import events
from registrar.local import Stack
from registrar.local import services as usual
from registrar.local.installation import LOOPBACK, Installation
from registrar.local.services import Service
from tests.bench.machine import ROOT
from tests.mlflow_server import free_port
from tests.postgres_server import database, postmaster
from tests.redis_server import Server
from tests.redis_server import serve as serve_redis
from webhooks import serve as receiver_settings

CI = "/webhooks/ci"
NOBODY = "http://127.0.0.1:1"  # an MLflow that the receiver never asks
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
"""
_PATIENCE = 60.0  # seconds until somebody listens
# Of granian's WSGI mode, for the bare route, and of gunicorn's gthread, for the hand-written receiver.
THREADS = 32


@dataclass(frozen=True)
class Running:
    """A receiver that is ready. pids: its own; stores: of the Redis and the database behind it.

    accepted: how many deliveries its stores hold, where there are any.
    """

    port: int
    path: str
    pids: Sequence[int]
    stores: Sequence[int] = ()
    accepted: Callable[[], int] | None = None


@dataclass(frozen=True)
class Contender:
    """serve: in an empty folder, with the secret by which senders sign."""

    name: str
    serve: Callable[[Path, str], AbstractContextManager[Running]]
    verifies: bool = True


def ours(cluster: str | None = None, *, workers: int = receiver_settings.WORKERS) -> Contender:
    """As `registrar up` starts it; on SQLite, or on PostgreSQL where there is a cluster. workers: processes."""

    @contextmanager
    def serve(folder: Path, secret: str) -> Iterator[Running]:
        (folder / "registrar.yml").write_text(CONFIG)
        (folder / "ci.whsec").write_text(secret)
        with _broker(folder) as broker:
            if cluster is None:
                with receiver(folder, _url(broker), None, (broker.pid,), workers=workers) as running:
                    yield running
            else:
                stores = (broker.pid, postmaster(cluster))
                with database(cluster) as url, receiver(folder, _url(broker), url, stores, workers=workers) as running:
                    yield running

    processes = "" if workers == receiver_settings.WORKERS else f", {workers} processes"
    return Contender(f"Registrar, {'PostgreSQL' if cluster else 'SQLite'}{processes}", serve)


def bare() -> Contender:
    """A route that does nothing, on the same server in its WSGI mode: the limit."""

    @contextmanager
    def serve(folder: Path, secret: str) -> Iterator[Running]:
        port = free_port()
        command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--factory", "--host", LOOPBACK]
        options = ["--port", str(port), "--workers", str(receiver_settings.WORKERS), "--blocking-threads", str(THREADS)]
        command += [
            *options,
            "--workers-kill-timeout",
            "5",
            "--http",
            "1",
            "--no-ws",
            "--backpressure",
            str(receiver_settings.CONNECTIONS),
        ]
        told = {"MALLOC_ARENA_MAX": "2"}
        with _started(folder, [*command, "tests.bench.peers.bare:create_app"], port, told) as pid:
            yield Running(port, CI, (pid,))

    return Contender("bare route", serve, verifies=False)


def handwritten(processes: int = receiver_settings.WORKERS) -> Contender:
    """On plain gunicorn, with a pool of threads in each process."""
    options = ("--worker-class", "gthread", "--workers", str(processes), "--threads", str(THREADS))

    @contextmanager
    def serve(folder: Path, secret: str) -> Iterator[Running]:
        with _broker(folder) as broker:
            told = {"BROKER_URL": _url(broker), "WEBHOOK_SECRET": secret}
            with _gunicorn(folder, "tests.bench.peers.handwritten:create_app()", options, told) as running:
                yield replace(running, stores=(broker.pid,), accepted=lambda: broker.client.llen("celery"))

    return Contender(f"hand-written, {processes} process{'es' * (processes > 1)}", serve)


def adnanh(*, waits: bool = False) -> Contender:
    """github.com/adnanh/webhook verifies, answers, and runs a command; or runs it, and answers."""

    @contextmanager
    def serve(folder: Path, secret: str) -> Iterator[Running]:
        signature = {"source": "header", "name": "X-Signature"}
        hook = {
            "id": "ci",
            "execute-command": "/bin/true",
            "include-command-output-in-response": waits,
            "http-methods": ["POST"],
            "trigger-rule": {"match": {"type": "payload-hmac-sha256", "secret": secret, "parameter": signature}},
            "trigger-rule-mismatch-http-response-code": 401,
        }
        (folder / "hooks.json").write_text(json.dumps([hook]))
        port = free_port()
        command = ["webhook", "-hooks", str(folder / "hooks.json"), "-ip", LOOPBACK, "-port", str(port)]
        with _started(folder, command, port, {}) as pid:
            yield Running(port, "/hooks/ci", (pid,))

    return Contender("adnanh/webhook, waiting" if waits else "adnanh/webhook", serve)


@contextmanager
def _broker(folder: Path) -> Iterator[Server]:
    with serve_redis(folder / "broker", free_port()) as broker:
        yield broker


@contextmanager
def receiver(
    folder: Path,
    broker: str,
    ledger_url: str | None,
    stores: Sequence[int],
    *,
    workers: int = receiver_settings.WORKERS,
) -> Iterator[Running]:
    def plan(site: Installation) -> list[Service]:
        parts = [part for part in usual.plan(site) if part.name in ("migrate", "receiver")]
        options = ("--workers", str(workers))
        return [replace(one, command=(*one.command, *options)) if one.name == "receiver" else one for one in parts]

    stack = Stack(
        folder / "data",
        folder / "registrar.yml",
        say=_quiet,
        mlflow=NOBODY,
        ledger=ledger_url,
        broker=broker,
        plan=plan,
    )
    with stack as started:
        ledger = Ledger(started.addresses.ledger_url)
        port = int(started.addresses.receiver_url.rpartition(":")[2])
        try:
            yield Running(port, CI, (started.pid("receiver"),), stores, lambda: _count(ledger))
        finally:
            ledger.close()


def _count(ledger: Ledger) -> int:
    with ledger.read() as connection:
        return int(connection.execute(select(func.count()).select_from(events)).scalar_one())


@contextmanager
def _gunicorn(folder: Path, app: str, options: Sequence[str], told: Mapping[str, str]) -> Iterator[Running]:
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", *options, "--bind", f"{LOOPBACK}:{port}", app]
    with _started(folder, command, port, told) as pid:
        yield Running(port, CI, (pid,))


@contextmanager
def _started(folder: Path, command: Sequence[str], port: int, told: Mapping[str, str]) -> Iterator[int]:
    """The process's id, once somebody listens on the port."""
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **told}, stdout=log, stderr=log)
    try:
        until = time.monotonic() + _PATIENCE
        while not _listens(port):
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"{command} does not listen:\n{(folder / 'log').read_text()[-2000:]}")
            time.sleep(0.05)
        yield process.pid
    finally:
        process.terminate()
        process.wait(30)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((LOOPBACK, port)) == 0


def _url(broker: Server) -> str:
    return f"redis://{LOOPBACK}:{broker.port}/0"


def _quiet(line: str) -> None:
    pass
