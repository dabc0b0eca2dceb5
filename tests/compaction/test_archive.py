"""`registrar compact`: what goes, what stays, and that nothing is lost on the way."""

import gzip
import json
import threading
from hashlib import sha256

import pytest
from sqlalchemy import delete, insert, select, update

from registrar.compaction import archive_file, places, run, writer
from registrar.compaction.archive_file import ArchiveDamaged, ArchiveMissing
from registrar.ledger import archives, dead_letters, tables
from registrar.ledger.archive_rows import from_json
from registrar.ledger.archives import AlreadyArchiving, exclusive_run
from registrar.ledger.deliveries import DeliveryConflict
from registrar.ledger.deployments import DeploymentRequested
from registrar.ledger.event_rows import Delivery
from registrar.ledger.holders import HoldingStarted
from registrar.ledger.interventions import TaskDiscarded
from registrar.ledger.promotions import PromotionRequested
from registrar.ledger.queries import event_status
from registrar.ledger.queries.archivable import ASKED, FAILED, OPEN
from registrar.ledger.queries.archivable_tasks import CURRENT
from registrar.ledger.queries.find import archive_location
from registrar.ledger.votes import VoteCast
from tests.compaction.conftest import CUTOFF, DIGEST, FINISHED, Past

pytestmark = pytest.mark.both_ledgers
REQUEST = {"model": "taxi", "version": 1, "target": "Production"}


class Crash(BaseException):
    """As if the process had been killed: nothing catches it."""


def crash_at(monkeypatch, where, name: str, call: int) -> None:
    """The process dies in the call-th call, instead of doing it."""
    real, calls = getattr(where, name), iter(range(1, 1000))

    def dying(*args, **kwargs):
        if next(calls) == call:
            raise Crash
        return real(*args, **kwargs)

    monkeypatch.setattr(where, name, dying)


def rows(past: Past, *which) -> dict[str, list]:
    with past.ledger.read() as connection:
        return {table.name: connection.execute(select(table).order_by(table.c.seq)).all() for table in which}


def archived_lines(past: Past, kind: str = "events") -> list[dict]:
    """All lines of all files, without the headers, and each file as any program would read it."""
    found = []
    for file in past.files():
        if file.name.startswith(kind) and file.stat().st_size:  # a part that was just begun is empty
            header, *lines = [json.loads(line) for line in gzip.decompress(file.read_bytes()).splitlines()]
            assert header["count"] == len(lines)
            found += lines
    return found


def test_old_events_go_with_their_tasks_and_can_be_put_back_as_they_were(past):
    old = [past.event(days) for days in (130, 120, 95)]
    young = past.event(30)
    before = rows(past, tables.events, tables.tasks)
    written = past.archive()
    assert [(each.kind, each.month, each.rows, each.tasks) for each in written] == [
        ("events", "2026-07", 2, 4),
        ("events", "2026-08", 1, 2),
    ]
    assert past.there() == {young}
    lines = archived_lines(past)
    assert [line["event"]["id"] for line in lines] == old
    with past.ledger.write() as connection:  # as whoever wants them back would
        connection.execute(delete(tables.archived))
        for line in lines:
            connection.execute(insert(tables.events).values(from_json(tables.events, line["event"])))
            for task in line["tasks"]:
                connection.execute(insert(tables.tasks).values(from_json(tables.tasks, task)))
    assert rows(past, tables.events, tables.tasks) == before


def test_twice_is_once(past):
    past.event(100)
    first = past.archive()
    assert (len(first), past.archive()) == (1, [])
    assert len(archived_lines(past)) == 1


def test_old_refusals_go_and_young_ones_stay(past):
    for days in (120, 100, 3):
        past.refused(days)
    before = rows(past, tables.rejections)["rejections"]
    past.archive()
    assert rows(past, tables.rejections)["rejections"] == before[2:]
    found = [from_json(tables.rejections, line["rejection"]) for line in archived_lines(past, "rejections")]
    assert [tuple(each.values()) for each in found] == [tuple(row) for row in before[:2]]


def test_what_is_referred_to_or_open_or_failed_stays_and_the_plan_says_why(past):
    gone = past.event(100)
    held = past.event(100, records=(HoldingStarted("taxi", "stage", "Production", 1),))
    opened = past.event(100, records=(PromotionRequested("taxi", 1, "Production", {}),))
    voted = past.event(100, records=(VoteCast(None, "approve", counted=False, why="no"),))
    deployed = past.event(100, records=(DeploymentRequested("bus", 1, "Production", None, None, "alert"),))
    waits = past.event(100, type_="promotion.request", data=REQUEST, reply_to="sealed")
    asked = past.event(100, type_="promotion.request", data={**REQUEST, "model": "bus"}, reply_to="sealed")
    dead_one = past.event(100, state="dead", data={**FINISHED, "model": "bus"})
    failed = past.event(100, state="failed", data={**FINISHED, "model": "bus"})
    queued = past.event(100, state="queued", data={**FINISHED, "model": "tram"})
    planned = run.plan(past.ledger, cutoff=CUTOFF)
    assert planned.rows == {("events", "2026-08"): 2, ("journal", "2026-08"): 3}
    assert planned.kept == {CURRENT: 4, ASKED: 1, FAILED: 2, OPEN: 1}
    past.archive()
    assert past.there() == {held, opened, voted, deployed, waits, dead_one, failed, queued}
    assert {line["event"]["id"] for line in archived_lines(past)} == {gone, asked}


def test_what_the_journal_tells_of_stays(past):
    failed = past.event(100, state="failed")
    with past.ledger.read() as connection:
        letters = dead_letters.list_dead_letters(connection)
    asked = {"task_id": letters[-1].id, "reason": "a typo", "model": "taxi"}
    drops = tuple(TaskDiscarded(letter, "a typo") for letter in letters)
    dropping = past.event(99, type_="task.drop", records=drops, data=asked)
    past.archive()
    assert past.there() == {dropping}
    with past.ledger.read() as connection:
        found = archive_file.read_event(connection, failed, archive_location(connection, failed))
    assert (found["state"], [deed["event_id"] for deed in found["tasks"][0]["settled"]]) == ("dropped", [dropping])


def test_work_that_ended_late_is_as_old_as_its_end(past):
    id_ = past.event(100)
    with past.ledger.write() as connection:
        connection.execute(update(tables.tasks).values(finished_at=CUTOFF))
    assert past.archive() == []
    assert past.there() == {id_}


def test_a_delivery_that_comes_again_is_known_for_ever(past):
    delivery = Delivery("ci", "again", DIGEST)
    id_ = past.event(100, delivery=delivery)
    past.archive()
    receipt = past.again(delivery)
    assert (receipt.repeated, receipt.events, receipt.task_messages) == (True, [(id_, "training_run.finished")], [])
    assert past.there() == set()
    with pytest.raises(DeliveryConflict):
        past.again(Delivery("ci", "again", "b" * 64))


def test_an_archived_event_is_told_as_it_was(past):
    id_ = past.event(100)
    with past.ledger.read() as connection:
        before = event_status.event(connection, id_)
    past.archive()
    with past.ledger.read() as connection:
        assert event_status.event(connection, id_) is None
        assert archive_file.read_event(connection, id_, archive_location(connection, id_)) == before


@pytest.mark.parametrize(
    ("where", "name", "call"),
    [
        (writer, "spool", 1),
        (archives, "record_digest", 1),
        (writer, "digest", 1),
        (writer, "_delete", 1),
        (writer, "_delete", 2),
        (archives, "finish_archive", 1),
    ],
    ids=["before the file", "before its digest", "after the file", "before deleting", "half deleted", "all deleted"],
)
def test_a_run_that_died_is_gone_on_with(past, monkeypatch, where, name, call):
    monkeypatch.setattr(writer, "_AT_ONCE", 2)
    old = [past.event(100) for _ in range(5)]
    with monkeypatch.context() as dying:
        crash_at(dying, where, name, call)
        with pytest.raises(Crash):
            past.archive()
    assert past.there() | {line["event"]["id"] for line in archived_lines(past)} == set(old)
    past.archive()
    assert past.there() == set()
    assert [line["event"]["id"] for line in archived_lines(past)] == old
    assert len(past.files()) == 1
    assert past.archive() == []


def test_a_file_that_was_being_written_is_begun_anew(past, monkeypatch):
    id_ = past.event(100)
    with monkeypatch.context() as dying:
        crash_at(dying, places.Path, "replace", 1)
        with pytest.raises(Crash):
            past.archive()
    assert [file.suffix for file in past.files()] == [".part"]
    past.archive()
    assert [line["event"]["id"] for line in archived_lines(past)] == [id_]
    assert len(past.files()) == 1


def half_deleted(past: Past, monkeypatch) -> None:
    monkeypatch.setattr(writer, "_AT_ONCE", 2)
    for _ in range(5):
        past.event(100)
    with monkeypatch.context() as dying:
        crash_at(dying, writer, "_delete", 2)
        with pytest.raises(Crash):
            past.archive()


def as_before_schema_0016(past: Past) -> None:
    """Rewrite the file as an older version would have written it."""
    [file] = past.files()
    older = gzip.decompress(file.read_bytes()).replace(b'"dispatch_at"', b'"ring_at"')
    file.write_bytes(gzip.compress(older.replace(b'"worker.answer_github_protection_rule"', b'"worker.answer"')))
    with past.ledger.write() as connection:
        connection.execute(update(tables.archives).values(sha256=sha256(file.read_bytes()).hexdigest()))


def answered(past: Past) -> str:
    """An old event whose first task answered GitHub."""
    id_ = past.event(100)
    answer = tables.tasks.c.event_id == id_, tables.tasks.c.name == "worker.register"
    with past.ledger.write() as connection:
        renamed = {"name": "worker.answer_github_protection_rule"}
        connection.execute(update(tables.tasks).where(*answer).values(renamed))
    return id_


def test_an_older_file_is_gone_on_with_after_the_upgrade(past, monkeypatch):
    answered(past)
    with monkeypatch.context() as dying:
        crash_at(dying, writer, "_delete", 1)
        with pytest.raises(Crash):
            past.archive()
    as_before_schema_0016(past)
    assert [(each.resumed, each.left) for each in past.archive()] == [(True, 0)]
    assert past.there() == set()


def test_an_event_in_an_older_file_is_told_by_the_present_names(past):
    id_ = answered(past)
    with past.ledger.read() as connection:
        before = event_status.event(connection, id_)
    past.archive()
    as_before_schema_0016(past)
    with past.ledger.read() as connection:
        assert archive_file.read_event(connection, id_, archive_location(connection, id_)) == before


def test_nothing_more_is_deleted_by_a_file_that_was_changed(past, monkeypatch):
    half_deleted(past, monkeypatch)
    [file] = past.files()
    left = past.there()
    file.write_bytes(gzip.compress(gzip.decompress(file.read_bytes()).replace(b'"Ada"', b'"Eve"')))
    with pytest.raises(ArchiveDamaged, match="not as it was written"):
        past.archive()
    assert past.there() == left


def test_nothing_more_is_deleted_where_the_file_is_gone(past, monkeypatch):
    half_deleted(past, monkeypatch)
    [file] = past.files()
    file.rename(file.with_suffix(".away"))
    with pytest.raises(ArchiveMissing, match="2 rows of it are deleted"):
        past.archive()
    file.with_suffix(".away").rename(file)
    assert [each.resumed for each in past.archive()] == [True]
    assert past.there() == set()


def test_what_is_not_as_in_the_file_stays(past, monkeypatch):
    one, other = past.event(100), past.event(100)
    real = writer.spool

    def changing(*args):
        written = real(*args)
        with past.ledger.write() as connection:
            connection.execute(update(tables.events).where(tables.events.c.id == one).values(actor_name="Eve"))
        return written

    monkeypatch.setattr(writer, "spool", changing)
    [written] = past.archive()
    assert (written.rows, written.left) == (2, 1)
    assert past.there() == {one}
    with past.ledger.read() as connection:
        assert (archive_location(connection, one), bool(archive_location(connection, other))) == (None, True)


def test_a_file_holds_a_bounded_number(past):
    for _ in range(5):
        past.event(100)
    assert [written.rows for written in past.archive(most=2)] == [2, 2, 1]
    assert past.there() == set()


def test_one_run_at_a_time(past):
    past.event(100)
    with exclusive_run(past.ledger), pytest.raises(AlreadyArchiving):
        past.archive()
    assert len(past.archive()) == 1


def test_the_receiver_goes_on_accepting(past, monkeypatch):
    monkeypatch.setattr(writer, "_AT_ONCE", 5)
    old = [past.event(100) for _ in range(60)]
    sent: list[str] = []
    begun, over = threading.Event(), threading.Event()

    def sender(number: int) -> None:
        while not over.is_set():
            sent.append(past.again(Delivery(f"ci-{number}", f"{len(sent)}", DIGEST)).events[0][0])
            begun.set()
            repeated = past.again(Delivery("ci", f"msg_{len(sent) % 60}", DIGEST))
            assert repeated.repeated

    threads = [threading.Thread(target=sender, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    begun.wait()
    past.archive()
    during = len(sent)
    over.set()
    for thread in threads:
        thread.join()
    assert during > 0
    assert past.there() == set(sent)
    assert [line["event"]["id"] for line in archived_lines(past)] == old
