"""Each way for a ledger not to be well has its line."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import psycopg
import pytest
from sqlalchemy import make_url, text

from registrar.doctor.checks import ledger as check
from registrar.doctor.checks.ledger import filesystem
from registrar.ledger import Ledger
from registrar.ledger.migrate import migrate
from tests.conftest import blank_database
from tests.doctor.conftest import SiteOf, looked, troubles
from tests.postgres_server import database, serve

MOUNTS = "/dev/sda1 / ext4 rw 0 0\nserver:/x /mnt/share nfs4 rw 0 0\nnone /mnt/share/inner tmpfs rw 0 0\n"


class Usage(NamedTuple):
    free: int


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    """One that is well, so not the cluster of the other tests."""
    with serve(durable=True) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def blank_postgres(postgres: str) -> Iterator[str]:
    with blank_database(postgres) as name:
        yield name


@pytest.mark.both_ledgers
def test_one_that_is_well_has_no_trouble(site: SiteOf):
    assert troubles("ledger", site()) == []
    assert "takes writes, and its schema is this version's" in looked("ledger", site())[0].seen


def test_one_that_was_never_made_is_not_made(site: SiteOf, tmp_path: Path):
    [(level, seen, do)] = troubles("ledger", site(REGISTRAR_LEDGER_URL=f"sqlite:///{tmp_path}/none.db"))
    assert (level, seen, do) == ("FAIL", f"there is no ledger at {tmp_path}/none.db", "Create it: registrar migrate")
    assert not (tmp_path / "none.db").exists()


@pytest.mark.both_ledgers
def test_an_older_schema_is_said(site: SiteOf, ledger: Ledger):
    with ledger.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    [(level, seen, do)] = troubles("ledger", site())
    assert level == "FAIL"
    assert "at revision 0001" in seen
    assert "registrar migrate" in do


def test_a_damaged_file_is_said(site: SiteOf, tmp_path: Path):
    (tmp_path / "damaged.db").write_bytes(b"no database at all, " * 1000)
    [(level, seen, _)] = troubles("ledger", site(REGISTRAR_LEDGER_URL=f"sqlite:///{tmp_path}/damaged.db"))
    assert (level, "is damaged" in seen) == ("FAIL", True)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("postgresql+psycopg://u:the-password@127.0.0.1:1/x", "does not answer"),
        ("postgresql+psycopg://u:the-password@nowhere.invalid/x", "does not answer"),
        ("postgresql+psycopg://u:the-password@127.0.0.1:port/x", "is no database's address"),
        ("nosuch://u:the-password@h/x", "is no database's address"),
        ("mysql+pymysql://u:the-password@h/x", "needs pymysql"),
    ],
)
def test_one_that_can_not_be_reached_is_said_without_its_password(site: SiteOf, url: str, says: str):
    [(level, seen, do)] = troubles("ledger", site(REGISTRAR_LEDGER_URL=url))
    assert (level, says in seen) == ("FAIL", True)
    assert "the-password" not in seen + do


@pytest.mark.parametrize(("free", "level"), [(1, "FAIL"), (100 * 2**20, "warn")])
def test_a_disk_that_is_nearly_full_is_said(site: SiteOf, monkeypatch: pytest.MonkeyPatch, free: int, level: str):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(free))
    [(found, seen, do)] = troubles("ledger", site())
    assert (found, "MiB are free" in seen, "ake room" in do) == (level, True, True)


@pytest.mark.parametrize(
    ("path", "kind"), [("/x/ledger.db", "ext4"), ("/mnt/share/l.db", "nfs4"), ("/mnt/share/inner/l.db", "tmpfs")]
)
def test_the_file_system_is_that_of_the_innermost_mount(path: str, kind: str):
    assert filesystem(Path(path), MOUNTS) == kind
    assert filesystem(Path(path), "") is None


def test_sqlite_on_a_network_file_system_is_said(site: SiteOf, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(check, "_mounts", lambda: MOUNTS.replace("ext4", "nfs"))
    [(level, seen, do)] = troubles("ledger", site())
    assert (level, "network file system (nfs)" in seen, "PostgreSQL" in do) == ("FAIL", True, True)


@pytest.mark.parametrize(("encoding", "says"), [("LATIN1", "is LATIN1"), ("SQL_ASCII", "(SQL_ASCII?)")])
def test_a_database_of_another_encoding_is_said(site: SiteOf, postgres: str, encoding: str, says: str):
    with database(postgres) as url:
        name = make_url(url).database
        with psycopg.connect(f"host={postgres} user=registrar dbname=postgres", autocommit=True) as admin:
            admin.execute(f'DROP DATABASE "{name}"')
            admin.execute(f"""CREATE DATABASE "{name}" ENCODING '{encoding}' TEMPLATE template0""")
        if encoding == "LATIN1":  # the other one can't even be migrated
            opened = Ledger(url)
            migrate(opened)
            opened.close()
        [(level, seen, do)] = troubles("ledger", site(REGISTRAR_LEDGER_URL=url))
    assert (level, says in seen) == ("FAIL", True)
    assert "ENCODING 'UTF8'" in do


def test_a_server_that_does_not_sync_is_said(site: SiteOf, postgres: str):
    def set_fsync(value: str) -> None:
        with psycopg.connect(f"host={postgres} user=registrar dbname=postgres", autocommit=True) as admin:
            admin.execute(f"ALTER SYSTEM SET fsync = {value}")
            admin.execute("SELECT pg_reload_conf()")
        for _ in range(100):  # the server rereads its settings a moment later, and a new session shows them
            with psycopg.connect(f"host={postgres} user=registrar dbname=postgres") as asked:
                if asked.execute("SHOW fsync").fetchone() == (value,):
                    return
            time.sleep(0.1)
        pytest.fail(f"fsync did not become {value}")

    with database(postgres) as url:
        opened = Ledger(url)
        migrate(opened)
        opened.close()
        set_fsync("off")
        try:
            [(level, seen, do)] = troubles("ledger", site(REGISTRAR_LEDGER_URL=url))
        finally:
            set_fsync("on")
    assert (level, "a power cut loses acknowledged events" in seen, "fsync = on" in do) == ("FAIL", True, True)
