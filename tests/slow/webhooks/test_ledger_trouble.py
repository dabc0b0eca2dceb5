"""A real receiver whose database can't be written: it refuses honestly, takes nothing by half, recovers by itself."""

import json
import os
import resource
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg
import pytest
import requests
from sqlalchemy import select

from registrar.ledger import Ledger
from registrar.ledger.capacity import FRESH
from registrar.ledger.migrate import migrate
from registrar.ledger.tables import events, tasks
from tests import postgres_server
from tests.needs import needs
from tests.webhooks.conftest import finished, signed
from tests.webhooks.serving import serving

BALANCER = "/readyz?exclude=broker"
# Without the reserve, which would refuse before the database has to.
CONFIG = """
from registrar.ledger import capacity
from webhooks.monitoring import health
capacity.LEAST_FREE = 0
health.FRESH = 0.0

import os
from sqlalchemy import event
from sqlalchemy.engine import Engine

@event.listens_for(Engine, "connect")
def read_only(connection, record):
    if os.path.exists("{folder}/ledger.query_only"):
        connection.execute("PRAGMA query_only = ON")
"""


@dataclass
class Door:
    """A receiver in a process of its own. taken: the event ids that it has answered 202 with."""

    url: str
    ledger: Ledger
    taken: set[str]
    process: subprocess.Popen[bytes]
    retry_after: str | None = None

    def post(self, number: int, *, secret: str | None = None) -> tuple[int, dict]:
        body = json.dumps(finished(run_id=f"run{number}", description="x" * 1900)).encode()
        status, said = self.ask("/webhooks/ci", body, signed(body, **({"secret": secret} if secret else {})))
        self.taken |= {one["id"] for one in said["events"]} if status == 202 else set()
        return status, said

    def ask(self, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> tuple[int, dict]:
        verb = "GET" if body is None else "POST"
        answer = requests.request(verb, self.url + path, data=body, headers=headers, timeout=20)
        self.retry_after = answer.headers.get("Retry-After")
        return answer.status_code, answer.json()

    def may_write(self, most: int) -> None:
        """The bytes that a file of the receiver's may have: beyond them, writing is an error."""
        for worker in psutil.Process(self.process.pid).children():
            worker.rlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))

    def refuses(self, why: str, *, part: str = "ledger") -> None:
        """Until it does: a write may fit into what is left of a page or a connection."""
        for number in range(500):
            status, said = self.post(number)
            if status != 202:
                break
        assert (status, said["code"], self.retry_after) == (503, "unavailable", "5")
        assert said["detail"] == f"the ledger {why}; nothing was accepted, send it again"
        assert self.post(0, secret="whsec_" + "bm9w" * 8)[0] == 401  # though it can't be recorded
        status, said = self.ask(BALANCER)
        assert (status, said["checks"][part]["status"]) == (503, "fail")
        assert self.ask("/healthz")[0] == 200

    def is_well(self) -> None:
        """What was answered 202 is there whole, what was refused is not; and it goes on, in the same process, at once
        or when the ledger is asked again how much waits (Capacity).
        """
        until = time.monotonic() + FRESH + 1
        while (status := self.post(-1)[0]) != 202 and time.monotonic() < until:
            time.sleep(0.1)
        assert status == 202
        assert self.ask(BALANCER)[0] == 200
        with self.ledger.read() as connection:
            there = set(connection.execute(select(events.c.id)).scalars())
            to_do = set(connection.execute(select(tasks.c.event_id)).scalars())
        assert there == to_do == self.taken


@contextmanager
def door(folder: Path, ledger_url: str) -> Iterator[Door]:
    """Of one process."""
    changes = CONFIG.replace("{folder}", str(folder))
    with serving(folder, changes=changes, ledger_url=ledger_url) as server:
        yield Door(server.url, server.ledger, set(), server.process)


def migrated(url: str) -> str:
    with closing(Ledger(url)) as ledger:
        migrate(ledger)
    return url


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """A file system of 64 MiB, where one may be mounted."""
    mount, unmount = (needs(program, install="apt-get install mount") for program in ("mount", "umount"))
    subprocess.run([mount, "-t", "tmpfs", "-o", "size=64m", "none", folder], check=True)
    yield
    subprocess.run([unmount, "--lazy", folder], check=True)


def test_a_full_disk(tmp_path: Path):
    folder = tmp_path / "disk"
    folder.mkdir()
    with ExitStack() as stack:
        with suppress(subprocess.CalledProcessError):
            stack.enter_context(small_disk(folder))
        opened = stack.enter_context(door(tmp_path, migrated(f"sqlite:///{folder}/ledger.db")))
        assert opened.post(0)[0] == 202
        if folder.is_mount():
            ballast = folder / "ballast"
            ballast.write_bytes(b"\0" * (shutil.disk_usage(folder).free // 4096 * 4096))
            opened.refuses("has no room left on its disk", part="disk")
            ballast.unlink()
        else:
            opened.may_write(1)
            opened.refuses("can't be read or written: its disk fails")
            opened.may_write(resource.RLIM_INFINITY)
        opened.is_well()


def test_a_lock_that_another_process_keeps(tmp_path: Path):
    with door(tmp_path, migrated(f"sqlite:///{tmp_path}/ledger.db")) as opened:
        with closing(sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            opened.refuses("is locked by another process")
        opened.is_well()


@contextmanager
def unwritable(file: Path) -> Iterator[None]:
    """Also for root, whom permissions do not stop; and where root may not do this either, SQLite is told (CONFIG)."""
    needs("chattr", install="apt-get install e2fsprogs")
    close, reopen = (["chattr", "+i"], ["chattr", "-i"]) if os.geteuid() == 0 else (["chmod", "a-w"], ["chmod", "u+w"])
    if subprocess.run([*close, file], check=False).returncode:
        file = file.with_suffix(".query_only")
        file.touch()
        reopen = ["rm"]
    try:
        yield
    finally:
        subprocess.run([*reopen, file], check=True)


def test_a_file_that_can_not_be_written(tmp_path: Path):
    url = migrated(f"sqlite:///{tmp_path}/ledger.db")
    with ExitStack() as stack:
        closed = stack.enter_context(ExitStack())
        closed.enter_context(unwritable(tmp_path / "ledger.db"))
        opened = stack.enter_context(door(tmp_path, url))
        opened.refuses("is read-only")
        closed.close()
        opened.is_well()


MOST_CONNECTIONS = "-c max_connections=12"


@dataclass(frozen=True)
class Cluster:
    """A PostgreSQL of this file's own: it is stopped, and more."""

    folder: str

    def admin(self, database: str = "template1") -> psycopg.Connection:
        return psycopg.connect(f"host={self.folder} user=registrar dbname={database}", autocommit=True)

    def alter(self, change: str) -> None:
        """For connections from now on; the present ones are cut, as a failover does."""
        with self.admin() as admin:
            admin.execute(f"ALTER DATABASE postgres {change}".encode())
            admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'postgres'")


@pytest.fixture(scope="module")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Cluster, Door]]:
    with postgres_server.serve(MOST_CONNECTIONS, durable=True) as folder:
        url = f"postgresql+psycopg://registrar@/postgres?host={folder}"
        with door(tmp_path_factory.mktemp("door"), migrated(url)) as opened:
            yield Cluster(folder), opened


@contextmanager
def read_only(cluster: Cluster) -> Iterator[None]:
    cluster.alter("SET default_transaction_read_only = on")
    yield
    cluster.alter("RESET default_transaction_read_only")


@contextmanager
def stopped(cluster: Cluster) -> Iterator[None]:
    postgres_server.stop(cluster.folder)
    yield
    postgres_server.start(cluster.folder, MOST_CONNECTIONS)


@contextmanager
def crowded(cluster: Cluster) -> Iterator[None]:
    """Others have all connections that there may be."""
    cluster.alter("RESET ALL")
    with ExitStack() as others:
        with suppress(psycopg.OperationalError):
            while True:
                others.enter_context(closing(cluster.admin()))
        yield


@contextmanager
def locked(cluster: Cluster) -> Iterator[None]:
    with cluster.admin("postgres") as other, other.transaction():
        other.execute("LOCK TABLE events, heartbeats IN ACCESS EXCLUSIVE MODE")
        yield


@pytest.mark.parametrize(
    ("trouble", "why"),
    [
        (read_only, "is read-only"),
        (stopped, "does not answer"),
        (crowded, "takes no more connections"),
        (locked, "is locked by another process"),
    ],
)
def test_postgresql(postgresql: tuple[Cluster, Door], trouble: Callable, why: str):
    cluster, opened = postgresql
    with trouble(cluster):
        opened.refuses(why)
    opened.is_well()


@contextmanager
def frozen(cluster: Cluster) -> Iterator[None]:
    """It answers nothing, and its kernel still says that it is there."""
    first = psutil.Process(postgres_server.postmaster(cluster.folder))
    every = [first, *first.children()]
    for process in every:
        process.suspend()
    try:
        yield
    finally:
        for process in every:
            process.resume()


def test_a_database_that_hangs_keeps_no_sender_waiting_and_what_is_sent_again_counts_once(
    postgresql: tuple[Cluster, Door],
):
    cluster, opened = postgresql
    opened.is_well()
    body = json.dumps(finished(run_id="hangs")).encode()
    headers = signed(body)
    with frozen(cluster):
        status, said = opened.ask("/webhooks/ci", body, headers)
        assert (status, said["code"], opened.retry_after) == (503, "unavailable", "5")
        assert "it is not known whether this was accepted; send it again unchanged" in said["detail"]
        assert opened.ask("/healthz") == (200, {"status": "alive"})
    status, said = opened.ask("/webhooks/ci", body, headers)
    assert status in (200, 202)
    opened.taken |= {one["id"] for one in said["events"]}
    opened.is_well()
