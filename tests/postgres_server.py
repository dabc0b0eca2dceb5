"""A throw-away PostgreSQL cluster on a socket of its own: one per test run, one database per test."""

import os
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from tests.needs import needs


def programs() -> Path:
    """The folder of PostgreSQL's programs. Debian keeps the server's off the PATH."""
    return Path(needs("initdb", install="apt-get install postgresql", elsewhere="usr/lib/postgresql/*/bin")).parent


def as_postgres() -> list[str]:
    """The words before a command that make it run as the user postgres, where we are root, whom PostgreSQL refuses."""
    if os.geteuid() != 0:
        return []
    setpriv = needs("setpriv", install="apt-get install util-linux")
    return [setpriv, "--reuid=postgres", "--regid=postgres", "--clear-groups"]


# What a machine that loses its power would need. Most tests ask something else, and wait for no disk.
_NOT_DURABLE = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off"


@contextmanager
def serve(options: str = "", *, durable: bool = False) -> Iterator[str]:
    """The folder of the cluster's socket; the cluster is ended and removed at the end of the block.

    durable: a commit waits for the disk, as anybody's PostgreSQL does. For what asks for that, and for benchmarks.
    """
    options = options if durable else f"{_NOT_DURABLE} {options}"
    # Not below pytest's folder: the server's own user must be able to enter, and a socket's path is short.
    with tempfile.TemporaryDirectory(prefix="pg-", ignore_cleanup_errors=True) as folder:
        os.chmod(folder, 0o777)  # noqa: S103 (the user postgres must get in; its name is random)
        kind = ("--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
        _run(folder, "initdb", "-D", "data", "-U", "registrar", *kind)
        start(folder, options)
        try:
            yield folder
        finally:
            stop(folder)


def start(folder: str, options: str = "") -> None:
    where = f"-c listen_addresses= -c unix_socket_directories={folder} {options}"
    _run(folder, "pg_ctl", "-D", "data", "-l", "log", "-o", where, "--wait", "start")


def postmaster(folder: str) -> int:
    """The id of the cluster's first process."""
    return int((Path(folder) / "data/postmaster.pid").read_text().splitlines()[0])


def stop(folder: str) -> None:
    """At once, whatever it is doing."""
    _run(folder, "pg_ctl", "-D", "data", "--wait", "-m", "immediate", "stop")


def _run(folder: str, program: str, *arguments: str) -> None:
    command = [*as_postgres(), str(programs() / program), *arguments]
    # pg_ctl's server would hold a pipe open for ever.
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL, timeout=60)


@contextmanager
def database(folder: str, *, like: str = "template1") -> Iterator[str]:
    """A database of one's own, as a ledger's URL. like: the name of another, to which nobody is connected."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(f"host={folder} user=registrar dbname=postgres", autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{like}"')
        yield f"postgresql+psycopg://registrar@/{name}?host={folder}"
        admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
