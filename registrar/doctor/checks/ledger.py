"""Checks the ledger: its schema, a write, durability and disk space."""

from collections.abc import Iterator
from pathlib import Path

from registrar.config.credentials import without_login
from registrar.doctor import DoctorContext, Finding, fail, ok, warn
from registrar.doctor.ledger_access import LedgerNotReadable, open_ledger
from registrar.ledger import Connection, Ledger, schema
from registrar.ledger.capacity import LEAST_FREE, free_bytes, probe
from registrar.ledger.database import journal_mode, postgresql_settings
from registrar.ledger.schema import NewerSchema, SchemaMismatch

_OLDEST = 13  # major version of PostgreSQL that was still maintained in 2025
_SOON_FULL = 1024**3  # bytes
_NETWORK = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "fuse.sshfs", "lustre"})
_MIB = 1024**2
_SETTINGS = ("server_version", "server_version_num", "server_encoding", "fsync", "synchronous_commit")


def check(context: DoctorContext) -> Iterator[Finding]:
    url = context.settings.ledger_url
    try:
        with open_ledger(url) as ledger:
            schema.check(ledger)
            with ledger.write() as connection:
                probe(connection)
            yield ok(f"{without_login(url)} takes writes, and its schema is this version's")
            with ledger.read() as connection:
                yield from (_check_sqlite if ledger.engine.dialect.name == "sqlite" else _check_postgresql)(connection)
            yield from _check_space(ledger)
    except LedgerNotReadable as error:
        yield fail(str(error), error.advice)
    except NewerSchema as error:
        yield fail(str(error), "Start the newer version of Registrar: only a backup of the ledger leads back")
    except SchemaMismatch as error:
        yield fail(str(error), "Stop all parts, run `registrar migrate`, and start them")


def _check_sqlite(connection: Connection) -> Iterator[Finding]:
    mode = journal_mode(connection)
    path = Path(str(connection.engine.url.database)).resolve()
    if (kind := filesystem(path, _mounts())) in _NETWORK:
        advice = "SQLite's locks don't work there: move it to a local disk, or use PostgreSQL"
        yield fail(f"the ledger is on a network file system ({kind})", advice)
    if mode == "wal":
        yield ok(f"journal mode WAL, on {kind or 'an unknown file system'}")
    else:
        yield fail(f"its journal mode is {mode}, not WAL", "Its file system can't do WAL: move it to a local disk")


def _check_postgresql(connection: Connection) -> Iterator[Finding]:
    shown = postgresql_settings(connection, _SETTINGS)
    if int(shown["server_version_num"]) // 10_000 < _OLDEST:
        yield warn(f"PostgreSQL {shown['server_version']} is no longer maintained", f"Upgrade to {_OLDEST} or newer")
    if shown["server_encoding"] != "UTF8":
        yield fail(f"its encoding is {shown['server_encoding']}", "Create a database with ENCODING 'UTF8'")
    for name in ("fsync", "synchronous_commit"):
        if shown[name] == "off":
            yield fail(f"{name} is off: a power cut loses acknowledged events", f"Set {name} = on in postgresql.conf")
    if "off" not in (shown["fsync"], shown["synchronous_commit"]):
        yield ok(f"PostgreSQL {shown['server_version']}, {shown['server_encoding']}, commits reach the disk")


def _check_space(ledger: Ledger) -> Iterator[Finding]:
    free = free_bytes(ledger)
    if free is None:
        return
    if free < LEAST_FREE:
        advice = f"Make room: below {LEAST_FREE // _MIB} MiB no event is accepted"
        yield fail(f"{free // _MIB} MiB are free on the ledger's disk", advice)
    elif free < _SOON_FULL:
        yield warn(f"{free // _MIB} MiB are free on the ledger's disk", "Make room: it will soon be full")


def filesystem(path: Path, mounts: str) -> str | None:
    """Return the kind of file system that a path is on; None where unknown. mounts: the text of /proc/mounts."""
    fields = [line.split() for line in mounts.splitlines()]
    kinds = {
        mount: kind
        for _, mount, kind, *_ in (words for words in fields if len(words) > 3)
        if path.is_relative_to(mount)
    }
    return kinds[max(kinds, key=len)] if kinds else None


def _mounts() -> str:
    try:
        return Path("/proc/mounts").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
