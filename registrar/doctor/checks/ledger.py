"""The ledger: there, of this version's schema, written durably, with room to grow."""

from collections.abc import Iterator
from pathlib import Path

from registrar.config.credentials import without_login
from registrar.doctor import DoctorContext, Finding, fail, ok, warn
from registrar.doctor.ledger_access import LedgerNotReadable, open_ledger
from registrar.ledger import Connection, Ledger
from registrar.ledger.capacity import LEAST_FREE, free_bytes, probe
from registrar.ledger.database import journal_mode, postgresql_settings
from registrar.ledger.schema import NewerSchema, SchemaMismatch, check

_OLDEST = 13  # of the PostgreSQLs that are still maintained in 2025
_SOON_FULL = 1024**3
_NETWORK = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "fuse.sshfs", "lustre"})
_MIB = 1024**2
_SETTINGS = ("server_version", "server_version_num", "server_encoding", "fsync", "synchronous_commit")


def look(site: DoctorContext) -> Iterator[Finding]:
    url = site.settings.ledger_url
    try:
        with open_ledger(url) as ledger:
            check(ledger)
            with ledger.write() as connection:
                probe(connection)
            yield ok(f"{without_login(url)} takes writes, and its schema is this version's")
            with ledger.read() as connection:
                yield from (_sqlite if ledger.engine.dialect.name == "sqlite" else _postgresql)(connection)
            yield from _room(ledger)
    except LedgerNotReadable as error:
        yield fail(str(error), error.advice)
    except NewerSchema as error:
        yield fail(str(error), "Start the newer version: there is no way back, other than a backup of the ledger")
    except SchemaMismatch as error:
        yield fail(str(error), "Stop the parts, run `registrar migrate`, start them")


def _sqlite(connection: Connection) -> Iterator[Finding]:
    mode = journal_mode(connection)
    path = Path(str(connection.engine.url.database)).resolve()
    if (kind := filesystem(path, _mounts())) in _NETWORK:
        advice = "SQLite's locks do not hold there: move it to a local disk, or use PostgreSQL"
        yield fail(f"the ledger lies on a network file system ({kind})", advice)
    if mode == "wal":
        yield ok(f"journal mode WAL, on {kind or 'a file system of unknown kind'}")
    else:
        yield fail(f"its journal mode is {mode}, and not WAL", "Its file system can't do WAL: move it to a local disk")


def _postgresql(connection: Connection) -> Iterator[Finding]:
    shown = postgresql_settings(connection, _SETTINGS)
    if int(shown["server_version_num"]) // 10_000 < _OLDEST:
        yield warn(f"PostgreSQL {shown['server_version']} gets no repairs any more", f"Upgrade to {_OLDEST} or newer")
    if shown["server_encoding"] != "UTF8":
        yield fail(f"its encoding is {shown['server_encoding']}", "Make a database with ENCODING 'UTF8': names need it")
    for name in ("fsync", "synchronous_commit"):
        if shown[name] == "off":
            yield fail(f"{name} is off: a power cut loses what was acknowledged", f"Set {name} = on in postgresql.conf")
    if "off" not in (shown["fsync"], shown["synchronous_commit"]):
        yield ok(f"PostgreSQL {shown['server_version']}, {shown['server_encoding']}, commits reach the disk")


def _room(ledger: Ledger) -> Iterator[Finding]:
    free = free_bytes(ledger)
    if free is None:
        return
    if free < LEAST_FREE:
        least = f"{LEAST_FREE // _MIB} MiB are needed"
        yield fail(f"{free // _MIB} MiB are free on the ledger's disk", f"{least}, or nothing is accepted: make room")
    elif free < _SOON_FULL:
        yield warn(f"{free // _MIB} MiB are free on the ledger's disk", "Make room before it is full")


def filesystem(path: Path, mounts: str) -> str | None:
    """The kind of the file system that a path is on, by /proc/mounts; None where that is not known."""
    found = [line.split() for line in mounts.splitlines()]
    held = [
        (mount, kind)
        for _, mount, kind, *_ in (words for words in found if len(words) > 3)
        if path.is_relative_to(mount)
    ]
    return max(held, key=lambda one: len(one[0]))[1] if held else None


def _mounts() -> str:
    try:
        return Path("/proc/mounts").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
