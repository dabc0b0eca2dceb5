"""Archive files in an object store by fsspec, which has no rename and may break off in the middle of an upload."""

import gzip
import importlib
import os
from pathlib import Path

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from registrar.compaction import archive_file, writer
from registrar.compaction.archive_file import ArchiveDamaged, ArchiveFile
from registrar.compaction.journal_files import check_files, whole_journal
from registrar.compaction.places import PlaceUnavailable, place
from registrar.compaction.run import archive
from registrar.ledger.journal.verify import verify
from registrar.ledger.queries.find import archive_location
from tests.compaction.conftest import CUTOFF, Past
from tests.compaction.test_archive import Crash, crash_at
from tests.compaction.test_pinned import few_stay, moves  # noqa: F401 (a fixture)

STORE = "memory://bucket/registrar"


@pytest.fixture
def store():
    """What is in the store, by name."""
    files = MemoryFileSystem()
    files.store.clear()
    yield lambda: {path.rpartition("/")[2]: files.cat_file(path) for path in files.find("/bucket/registrar")}
    files.store.clear()


def run(past: Past) -> list[str]:
    return [each.path for each in archive(past.ledger, cutoff=CUTOFF, where=place(STORE))]


def test_files_go_to_the_store_and_are_read_from_there(past, store):
    gone = past.event(100, data={"model": "bus", "run_id": "r"})
    moves(past, 113, 112, 111)
    paths = run(past)
    assert [path.rpartition("/")[0] for path in paths] == [STORE] * 3
    assert {path.rpartition("/")[2] for path in paths} == set(store())
    with past.ledger.read() as connection:
        location = archive_location(connection, gone)
        assert archive_file.read_event(connection, gone, location)["id"] == gone
        assert verify(connection, journal=whole_journal).walk.count == 5
        assert check_files(connection).intact == 3
    assert run(past) == []


def test_an_upload_that_broke_off_is_done_anew_and_nothing_went(past, store, monkeypatch):
    event = past.event(100)

    def half(self, local, remote, **_):
        whole = Path(local).read_bytes()
        self.pipe_file(remote, whole[: len(whole) // 2])
        raise Crash

    with monkeypatch.context() as dying:
        dying.setattr(MemoryFileSystem, "put_file", half)
        with pytest.raises(Crash):
            run(past)
    assert (past.there(), len(store())) == ({event}, 1)
    [path] = run(past)
    assert (past.there(), list(store())) == (set(), [path.rpartition("/")[2]])


def test_a_store_that_keeps_something_else_than_it_was_given_costs_nothing(past, store, monkeypatch):
    event = past.event(100)
    real = MemoryFileSystem.put_file

    def lossy(self, local, remote, **options):
        real(self, local, remote, **options)
        self.pipe_file(remote, gzip.compress(b"something else"))

    with monkeypatch.context() as bad:
        bad.setattr(MemoryFileSystem, "put_file", lossy)
        with pytest.raises(ArchiveDamaged, match="nothing more was deleted"):
            run(past)
    assert past.there() == {event}
    run(past)
    assert (past.there(), len(store())) == (set(), 1)


def test_a_run_that_died_after_the_upload_is_gone_on_with(past, store, monkeypatch):
    past.event(100)
    with monkeypatch.context() as dying:
        crash_at(dying, writer, "_clear", 1)
        with pytest.raises(Crash):
            run(past)
    before = store()
    run(past)
    assert (past.there(), store()) == (set(), before)


def test_a_store_that_refuses_is_said_and_nothing_went(past, store, monkeypatch):
    event = past.event(100)

    def refused(*_, **__):
        raise PermissionError("Access Denied")

    with monkeypatch.context() as closed:
        closed.setattr(MemoryFileSystem, "put_file", refused)
        with pytest.raises(PlaceUnavailable, match=f"{STORE} can't be used: Access Denied"):
            run(past)
    assert past.there() == {event}
    assert len(run(past)) == 1


def test_a_full_disk_leaves_no_part_and_costs_nothing(past, monkeypatch):
    event = past.event(100)

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            past.archive()
    assert (past.there(), past.files()) == ({event}, [])
    assert len(past.archive()) == 1


def test_without_fsspec_it_is_said_what_to_install(monkeypatch):
    def missing(name: str):
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(PlaceUnavailable, match=r"pip install 'mlflow-registrar\[archive\]'"):
        place("s3://bucket/prefix")


def test_a_store_that_fsspec_does_not_know_is_said():
    with pytest.raises(PlaceUnavailable, match="gopher://hole can't be used: Protocol not known"):
        place("gopher://hole")


def test_an_address_of_files_is_a_folder(tmp_path):
    assert place(f"file://{tmp_path}").address == place(str(tmp_path)).address == str(tmp_path)


def test_a_file_that_is_not_in_the_store_is_missing(store):
    file = ArchiveFile(place(STORE), "events-2026-08-0.jsonl.gz")
    with pytest.raises(archive_file.ArchiveMissing, match=f"{STORE}/events-2026-08-0.jsonl.gz is not there"):
        archive_file.digest(file)
