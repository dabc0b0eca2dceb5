"""Places that can't be used, now or any more, and runs that broke off there: said, and no later run stops for them."""

import io
import sqlite3
from contextlib import closing, suppress

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from registrar.compaction import run, writer
from registrar.compaction.journal_files import check_files
from registrar.compaction.places import PlaceUnavailable, place
from registrar.ledger import Ledger
from tests.compaction.conftest import CUTOFF, Past
from tests.compaction.test_archive import Crash, crash_at
from tests.compaction.test_pinned import few_stay, moves, proven  # noqa: F401 (a fixture)
from tests.compaction.test_places import STORE, store  # noqa: F401 (a fixture)


class StoreError(Exception):
    """As those of botocore, gcsfs and azure-core: none is an OSError."""


def archive(past: Past, where: str) -> list[writer.Written]:
    return list(run.archive(past.ledger, cutoff=CUTOFF, where=place(where)))


def lost(past: Past) -> list[str]:
    with past.ledger.read() as connection:
        return check_files(connection).lost


def half_deleted(past: Past, monkeypatch, where: str) -> None:
    moves(past, 140, 130, 120)
    monkeypatch.setattr(writer, "_AT_ONCE", 1)
    with monkeypatch.context() as dying, suppress(Crash):
        crash_at(dying, writer, "_delete", 2)
        archive(past, where)


def refusing(error: Exception):
    def refuse(*_, **__):
        raise error

    return refuse


def test_a_wrong_place_is_said_and_stops_no_later_run(past, tmp_path):
    past.event(100)
    (tmp_path / "a-file").touch()
    with pytest.raises(PlaceUnavailable, match="a-file can't be made or written; name another with --to"):
        archive(past, str(tmp_path / "a-file"))
    with pytest.raises(PlaceUnavailable, match="can't be made or written"):
        archive(past, str(tmp_path / "a-file" / "below"))
    assert len(past.archive()) == 1
    assert lost(past) == []


def test_a_store_that_refused_and_is_away_stops_no_later_run(past, store, monkeypatch):  # noqa: F811
    past.event(100)
    monkeypatch.setattr(MemoryFileSystem, "put_file", refusing(StoreError("Unable to locate credentials")))
    monkeypatch.setattr(MemoryFileSystem, "info", refusing(StoreError("Unable to locate credentials")))
    with pytest.raises(PlaceUnavailable, match=f"^{STORE} can't be used: Unable to locate credentials"):
        archive(past, STORE)
    assert [each.resumed for each in past.archive()] == [False]


def test_a_store_that_is_away_is_not_taken_for_one_without_the_file(past, store, monkeypatch):  # noqa: F811
    half_deleted(past, monkeypatch, STORE)
    with monkeypatch.context() as away:
        away.setattr(MemoryFileSystem, "info", refusing(PermissionError("the token expired")))
        with pytest.raises(PlaceUnavailable, match=f"a run of .* UTC to {STORE} broke off.*: the token expired"):
            archive(past, STORE)
    assert archive(past, STORE)[0].resumed
    proven(past)


def test_a_folder_that_may_not_be_searched_is_not_taken_for_one_without_the_file(past, monkeypatch):
    half_deleted(past, monkeypatch, str(past.folder))
    with monkeypatch.context() as away:
        away.setattr("registrar.compaction.places.Path.stat", refusing(PermissionError(13, "Permission denied")))
        with pytest.raises(PlaceUnavailable, match=f"to {past.folder} broke off.*Permission denied"):
            past.archive()
    assert past.archive()[0].resumed


def test_a_store_that_breaks_off_while_it_is_read_is_said(past, store, monkeypatch):  # noqa: F811
    past.event(100)
    archive(past, STORE)

    class Broken(io.BytesIO):
        read = refusing(ConnectionResetError("reset by peer"))

    monkeypatch.setattr(MemoryFileSystem, "open", lambda *_, **__: Broken())
    assert lost(past) == [f"{STORE} can't be used: reset by peer"]


def test_a_folder_in_place_of_a_file_is_said(past):
    past.event(100)
    past.archive()
    [file] = past.files()
    file.unlink()
    file.mkdir()
    [sentence] = lost(past)
    assert f"{past.folder} can't be used" in sentence


def test_no_file_is_lost_while_a_compaction_publishes_it_or_died_before(past, monkeypatch):
    moves(past, 140, 130, 120)
    found = []
    folder = type(place(str(past.folder)))
    real = folder.publish

    def publish(self, name):
        found.append(lost(past))
        real(self, name)

    with monkeypatch.context() as dying:
        crash_at(dying, folder, "publish", 1)
        with pytest.raises(Crash):
            past.archive()
    assert lost(past) == []
    monkeypatch.setattr(folder, "publish", publish)
    past.archive()
    assert found == [[], []]
    with past.ledger.read() as connection:
        assert check_files(connection).intact == 2


def test_a_file_of_which_a_row_is_deleted_may_be_lost(past, monkeypatch):
    half_deleted(past, monkeypatch, str(past.folder))
    [file] = past.files()
    file.rename(file.with_suffix(".away"))
    [sentence] = lost(past)
    assert f"{file} is not there" in sentence


@pytest.mark.parametrize("noted", [False, True], ids=["before the digest is noted", "after it"])
def test_a_copy_of_a_ledger_lets_a_part_be_that_the_other_one_writes(past, tmp_path, monkeypatch, noted):
    moves(past, 150, 140, 130)
    folder = type(place(str(past.folder)))
    where, name = (folder, "publish") if noted else (writer.archives, "record_digest")
    real = getattr(where, name)

    def drilled(*given):
        monkeypatch.setattr(where, name, real)
        with (
            closing(sqlite3.connect(str(past.ledger.engine.url.database))) as from_,
            closing(sqlite3.connect(tmp_path / "copy.db")) as to,
        ):
            from_.backup(to)
        with closing(Ledger(f"sqlite:///{tmp_path}/copy.db")) as copy:
            assert list(run.archive(copy, cutoff=CUTOFF, where=place(str(tmp_path / "drill"))))
        real(*given)

    monkeypatch.setattr(where, name, drilled)
    assert past.archive()
    assert (lost(past), proven(past)) == ([], 5)


def test_a_part_that_was_removed_is_said_and_nothing_went(past, monkeypatch):
    event = past.event(100)
    record = writer.archives.record_digest

    def removed(*given):
        record(*given)
        [part] = past.files()
        part.unlink()

    with monkeypatch.context() as by_hand:
        by_hand.setattr(writer.archives, "record_digest", removed)
        with pytest.raises(PlaceUnavailable, match=r"\.part was removed .* no row of it was deleted: run it again"):
            past.archive()
    assert past.there() == {event}
    assert len(past.archive()) == 1
