"""What is counted of the journal is in the ledger: counted once, by one reader, whoever dies; shown by all."""

import multiprocessing
import os
import threading
import time
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy import Connection, delete, select, update

from registrar.events.event import Actor
from registrar.ledger import Ledger, LedgerUnavailable, metrics_checkpoint
from registrar.ledger.engine import now
from registrar.ledger.journal.append import GENESIS, EntryKind, append_deed
from registrar.ledger.migrate import migrate
from registrar.ledger.tables import events, journal, metrics_series, metrics_subjects, tasks
from registrar.ledger.tables import metrics_checkpoint as table
from registrar.policy import Policy
from registrar.policy.load import parse
from tests.ledger.test_verify import tampering
from tests.metrics.reading import scraped
from tests.metrics.test_journal_metrics import DEPLOYED, TAXI, UNCOUNTED, promoted
from tests.worker.harness import ADA, POLICY, WorkerHarness
from webhooks.monitoring.metrics import journal_metrics, journal_reader
from webhooks.monitoring.metrics.journal_metrics import JournalCollector
from webhooks.monitoring.metrics.journal_reader import JournalReader

ENTRIES = "registrar_journal_entries_total"


@pytest.fixture
def policy() -> Policy:
    return parse(POLICY)


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_reader, "PAGE", 3)


def write(ledger: Ledger, count: int) -> None:
    """Entries without an event."""
    for _ in range(count):
        with ledger.write() as connection:
            append_deed(connection, Actor("local:ada", "Ada"), now(), EntryKind.TOKEN_REVOKED, name="ci")


def stored(ledger: Ledger) -> int:
    """The sum of what is counted by kind."""
    with ledger.read() as connection:
        found = connection.execute(select(metrics_series.c.value).where(metrics_series.c.metric == "journal_entries"))
        return int(sum(found.scalars()))


def all_rows(ledger: Ledger) -> list[tuple[object, ...]]:
    with ledger.read() as connection:
        rows = [row for each in (metrics_series, metrics_subjects, table) for row in connection.execute(each.select())]
    return sorted((tuple(row) for row in rows), key=str)


def read_all(ledger: Ledger, policy: Policy) -> None:
    reader = JournalReader(ledger, policy)
    while reader.step():
        pass


def shown(ledger: Ledger, policy: Policy) -> dict[str, dict[tuple[str, ...], float]]:
    """By a process that began just now."""
    return scraped(JournalCollector(ledger, policy))


def as_never_counted(ledger: Ledger) -> None:
    """As the migration leaves a ledger with a past."""
    with ledger.write() as connection:
        for each in (metrics_series, metrics_subjects):
            connection.execute(delete(each))
        connection.execute(update(table).values(seq=0, hash=GENESIS, complete=False, reader=None, reader_until=None))


@pytest.mark.both_ledgers
def test_a_process_that_starts_shows_what_others_counted(harness, monkeypatch):
    promoted(harness, "r1", rmse=5.0)
    before = shown(harness.ledger, harness.context.policy)
    assert before[UNCOUNTED] == {(): 0}
    monkeypatch.setattr(journal_reader, "after", lambda *_, **__: pytest.fail("the journal is read again"))
    monkeypatch.setattr(JournalReader, "catch_up", lambda *_, **__: None)
    assert shown(harness.ledger, harness.context.policy) == before


@pytest.mark.both_ledgers
def test_two_readers_at_once_count_each_entry_once(ledger, policy, monkeypatch):
    """Both have read the same entries before one of them writes."""
    write(ledger, 2)
    both, written, ended = threading.Barrier(2), ledger.written, []

    def meet(work: Callable[[Connection], object]) -> object:
        both.wait(timeout=30)
        return written(work)

    monkeypatch.setattr(ledger, "written", meet)
    readers = [JournalReader(ledger, policy) for _ in range(2)]
    threads = [threading.Thread(target=lambda reader=reader: ended.append(reader.step())) for reader in readers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert ended == [False, False]
    assert stored(ledger) == 2


@pytest.mark.both_ledgers
def test_many_readers_and_writers_at_once_lose_and_double_nothing(ledger, policy):
    write(ledger, 10)
    done = threading.Event()

    def read() -> None:
        reader = JournalReader(ledger, policy)
        while not done.is_set():
            try:
                while reader.step():
                    pass
            except LedgerUnavailable:
                pass

    readers = [threading.Thread(target=read) for _ in range(3)]
    for thread in readers:
        thread.start()
    write(ledger, 30)
    done.set()
    for thread in readers:
        thread.join(timeout=60)
    read_all(ledger, policy)
    assert stored(ledger) == 40


def die_before_the_commit(url: str, policy: Policy) -> None:
    journal_reader.PAGE = 3

    def advance(*arguments: object) -> bool:
        assert metrics_checkpoint.advance(*arguments)
        os._exit(9)

    journal_reader.advance = advance
    JournalReader(Ledger(url), policy).step()


@pytest.mark.both_ledgers
def test_a_reader_killed_between_its_writes_and_its_commit_changed_nothing(harness, ledger_url):
    promoted(harness, "r1", rmse=5.0)
    harness.ledger.close()
    read_all(harness.ledger, harness.context.policy)
    expected = all_rows(harness.ledger)
    as_never_counted(harness.ledger)
    harness.ledger.close()
    process = multiprocessing.get_context("spawn").Process(
        target=die_before_the_commit, args=(ledger_url, harness.context.policy)
    )
    process.start()
    process.join(timeout=120)
    assert process.exitcode == 9
    assert stored(harness.ledger) == 0
    with harness.ledger.read() as connection:
        checkpoint = metrics_checkpoint.current(connection)
    assert (checkpoint.seq, checkpoint.reader is not None) == (0, True), "only its lease was written"
    until_free(harness.ledger)
    read_all(harness.ledger, harness.context.policy)
    assert all_rows(harness.ledger) == expected


def until_free(ledger: Ledger) -> None:
    """The lease of a dead reader ends."""
    with ledger.write() as connection:
        connection.execute(update(table).values(reader_until=now() - timedelta(seconds=1)))


@pytest.mark.both_ledgers
def test_of_many_entries_one_reader_counts_and_the_others_leave_it_to_it(ledger, policy):
    write(ledger, 10)
    as_never_counted(ledger)
    one, other = JournalReader(ledger, policy), JournalReader(ledger, policy)
    assert one.step()
    assert stored(ledger) == 3
    assert not other.step()
    assert stored(ledger) == 3
    until_free(ledger)
    assert other.step()
    assert not one.step(), "it was overtaken"
    while other.step():
        pass
    assert stored(ledger) == 10
    with ledger.read() as connection:
        checkpoint = metrics_checkpoint.current(connection)
    assert (checkpoint.complete, checkpoint.reader) == (True, None)


def test_a_reader_that_stops_leaves_its_work_to_others_at_once(ledger, policy, monkeypatch):
    write(ledger, 10)
    one, other = JournalReader(ledger, policy), JournalReader(ledger, policy)
    real = one.step
    monkeypatch.setattr(one, "step", lambda: (real(), one._stopped.set())[0])
    one.catch_up(wait=30)
    assert stored(ledger) == 3
    assert other.step()


def test_an_overtaken_reader_throws_its_page_away(ledger, policy, monkeypatch):
    write(ledger, 10)
    slow, quick = JournalReader(ledger, policy), JournalReader(ledger, policy)
    real = journal_reader.advance

    def overtaken(*arguments: object) -> bool:
        monkeypatch.setattr(journal_reader, "advance", real)
        connection, *_ = arguments
        connection.execute(update(table).values(reader="another"))
        return real(*arguments)

    monkeypatch.setattr(journal_reader, "advance", overtaken)
    assert not slow.step()
    until_free(ledger)
    while quick.step():
        pass
    assert stored(ledger) == 10


def test_a_lease_from_before_the_clock_was_set_back_holds_nobody_off(ledger, policy):
    write(ledger, 10)
    with ledger.write() as connection:
        connection.execute(update(table).values(reader="dead", reader_until=now() + timedelta(hours=1)))
    read_all(ledger, policy)
    assert stored(ledger) == 10


@pytest.mark.both_ledgers
def test_after_an_upgrade_nothing_is_shown_before_all_is_counted(ledger_url, tmp_path, monkeypatch):
    with closing(Ledger(ledger_url)) as ledger:
        migrate(ledger)
        harness = WorkerHarness(ledger, tmp_path, policy=DEPLOYED)
        promoted(harness, "r1", rmse=5.0)
        promoted(harness, "r2", rmse=4.0)
        with ledger.write() as connection:  # as migration 0017 leaves a ledger that has entries
            connection.execute(update(table).values(seq=0, hash=GENESIS, complete=False))
        with ledger.read() as connection:
            count = metrics_checkpoint.newest_entry(connection)
            assert not metrics_checkpoint.current(connection).complete
        monkeypatch.setattr(JournalCollector, "_read_families", without_reading(JournalCollector._read_families))
        one, reader, left = (
            JournalCollector(ledger, harness.context.policy),
            JournalReader(ledger, harness.context.policy),
            [],
        )
        while reader.step():
            found = scraped(one)
            assert found.keys() == {UNCOUNTED}
            left.append(found[UNCOUNTED][()])
        assert left == [count - seq for seq in range(3, count + 1, 3)][: len(left)]
        found = scraped(one)
        assert found[UNCOUNTED] == {(): 0}
        assert sum(found[ENTRIES].values()) == count
        assert found["registrar_promotions_total"][*TAXI, "promoted"] == 2
        assert found["registrar_lead_time_seconds_count"][*TAXI, "trained_to_promoted"] == 2


def without_reading(read):
    """A scrape that finds another process counting."""

    def shown_only(self):
        self.reader.stop()
        return read(self)

    return shown_only


def test_a_new_ledger_has_nothing_to_count(ledger):
    with ledger.read() as connection:
        assert metrics_checkpoint.current(connection).complete


def test_a_scrape_does_not_wait_for_a_long_journal(ledger, policy, monkeypatch):
    monkeypatch.setattr(journal_metrics, "WAIT", 0.25)
    monkeypatch.setattr(JournalReader, "step", lambda _: time.sleep(5))
    begun = time.monotonic()
    scraped(JournalCollector(ledger, policy))
    assert time.monotonic() - begun < 4


def test_entries_are_counted_though_nobody_scrapes(ledger, policy, monkeypatch):
    monkeypatch.setattr(journal_reader, "EVERY", 0.05)
    reader = JournalReader(ledger, policy)
    reader.start()
    write(ledger, 7)
    until = time.monotonic() + 30
    while stored(ledger) < 7 and time.monotonic() < until:
        time.sleep(0.05)
    reader.stop()
    assert stored(ledger) == 7


@pytest.mark.both_ledgers
def test_entries_that_leave_the_journal_stay_counted(harness):
    promoted(harness, "r1", rmse=5.0)
    before = shown(harness.ledger, harness.context.policy)
    with tampering(harness.ledger) as connection:
        newest = metrics_checkpoint.newest_entry(connection)
        connection.execute(delete(journal).where(journal.c.seq < newest))
    assert shown(harness.ledger, harness.context.policy) == before
    promoted(harness, "r2", rmse=4.0)
    found = shown(harness.ledger, harness.context.policy)
    assert found["registrar_promotions_total"][*TAXI, "promoted"] == 2
    assert sum(found[ENTRIES].values()) > sum(before[ENTRIES].values())


def test_legs_of_a_version_whose_event_left_the_ledger_are_known(harness):
    """Compaction takes events after a week; an approval may come later."""
    harness.registry.trained("r1", rmse=5.0)
    harness.registry.files["models/taxi/1"] = {"MLmodel": b"flavors: {}\n"}
    event_id = harness.post("training_run.finished", model="taxi", run_id="r1")
    read_all(harness.ledger, harness.context.policy)
    with harness.ledger.write() as connection:
        connection.execute(update(tasks).where(tasks.c.event_id == event_id).values(finished_at=None))
        connection.execute(update(events).where(events.c.id == event_id).values(occurred_at=now()))
    harness.later(hours=2)
    harness.post("promotion.approve", by=ADA, model="taxi", version=1)
    found = shown(harness.ledger, harness.context.policy)
    assert found["registrar_lead_time_seconds_count"][*TAXI, "trained_to_registered"] == 1


@pytest.mark.both_ledgers
@pytest.mark.parametrize("change", ["shorter", "another"])
def test_another_journal_is_counted_anew(ledger, policy, change, caplog):
    """A table that was restored without the others."""
    write(ledger, 8)
    read_all(ledger, policy)
    with tampering(ledger) as connection:
        if change == "shorter":
            connection.execute(delete(journal).where(journal.c.seq > 5))
        else:
            connection.execute(update(journal).where(journal.c.seq == 8).values(hash="f" * 64))
    found = shown(ledger, policy)
    assert sum(found[ENTRIES].values()) == (5 if change == "shorter" else 8)
    assert "counted anew" in caplog.text


def test_a_ledger_restored_from_a_backup_counts_on_from_there(ledger, policy, tmp_path):
    write(ledger, 4)
    one = JournalCollector(ledger, policy)
    scraped(one)
    with closing(Ledger(f"sqlite:///{tmp_path}/backup.db")) as backup:
        with ledger.read() as connection:
            connection.connection.driver_connection.backup(  # type: ignore[union-attr]
                backup.engine.raw_connection().driver_connection
            )
        write(ledger, 5)
        assert sum(scraped(one)[ENTRIES].values()) == 9
        write(backup, 2)
        assert sum(shown(backup, policy)[ENTRIES].values()) == 6


def test_a_ledger_that_takes_no_writes_shows_what_was_counted(ledger, policy, monkeypatch, caplog):
    write(ledger, 3)
    read_all(ledger, policy)
    write(ledger, 3)

    def refuse(work: object) -> bool:
        raise LedgerUnavailable("attempt to write a readonly database", "is read-only")

    monkeypatch.setattr(ledger, "written", refuse)
    one = JournalCollector(ledger, policy)
    for _ in range(3):
        found = scraped(one)
        one.reader.catch_up(wait=30)
    assert sum(found[ENTRIES].values()) == 3
    assert found[UNCOUNTED] == {(): 3}
    assert caplog.text.count("not counted for the metrics") == 1, "once for each outage"


def test_an_entry_that_can_not_be_read_holds_nothing_up(harness, caplog):
    promoted(harness, "r1", rmse=5.0)
    with tampering(harness.ledger) as connection:
        of_votes = update(journal).where(journal.c.kind == EntryKind.VOTE)
        connection.execute(of_votes.values(body="no JSON"))
    found = shown(harness.ledger, harness.context.policy)
    assert found[ENTRIES]["vote",] == 1
    assert "registrar_votes_total" not in found
    assert found["registrar_promotions_total"][*TAXI, "promoted"] == 1
    assert "lacks fields of the kind 'vote'" in caplog.text


@pytest.mark.both_ledgers
def test_counts_of_another_version_are_shown_as_far_as_this_one_knows_them(ledger, policy):
    """Families and labels that it does not have stay in the ledger; buckets are those of this version."""
    labels = '{"leg":"trained_to_promoted","policy":"taxi","target":"Production"}'
    rows = [
        {"metric": "lead_time_seconds", "labels": labels, "value": 90.0, "buckets": {"2.0": 1, "60.0": 2, "+Inf": 1}},
        {"metric": "of_tomorrow", "labels": '{"model":"taxi"}', "value": 7.0, "buckets": None},
        {"metric": "votes", "labels": '{"verdict":"approve"}', "value": 7.0, "buckets": None},
    ]
    with ledger.write() as connection:
        connection.execute(metrics_series.insert(), rows)
    write(ledger, 4)
    found = shown(ledger, policy)
    buckets = {labels[2]: count for labels, count in found["registrar_lead_time_seconds_bucket"].items()}
    assert [buckets[bound] for bound in ("1.0", "10.0", "60.0", "300.0", "+Inf")] == [0, 1, 3, 3, 4]
    assert found["registrar_lead_time_seconds_sum"].popitem() == (("taxi", "Production", "trained_to_promoted"), 90)
    assert not any("tomorrow" in name or "votes" in name for name in found)
    assert ("of_tomorrow", '{"model":"taxi"}', 7.0, None) in all_rows(ledger)


def test_what_was_counted_under_another_policy_stays(harness):
    promoted(harness, "r1", rmse=5.0)
    before = shown(harness.ledger, harness.context.policy)["registrar_promotions_total"]
    renamed = parse(POLICY.replace("taxi:", '"t*":'))
    harness.policy(POLICY.replace("taxi:", '"t*":'))
    promoted(harness, "r2", rmse=4.0)
    found = shown(harness.ledger, renamed)["registrar_promotions_total"]
    assert found == before | {("t*", *labels[1:]): 1 for labels in before}


def test_only_the_newest_versions_are_remembered(harness, monkeypatch):
    monkeypatch.setattr(metrics_checkpoint, "VERSIONS", 2)
    for run in ("r1", "r2", "r3"):
        harness.registry.trained(run, rmse=5.0)
        harness.post("training_run.finished", model="taxi", run_id=run)
        read_all(harness.ledger, harness.context.policy)
    with harness.ledger.read() as connection:
        found = connection.execute(select(metrics_subjects.c.key).where(metrics_subjects.c.kind == "version"))
        assert set(found.scalars()) == {"2:taxi", "3:taxi"}


def test_what_is_done_with_is_not_remembered(harness):
    promoted(harness, "r1", rmse=5.0)
    read_all(harness.ledger, harness.context.policy)
    with harness.ledger.read() as connection:
        kinds = set(connection.execute(select(metrics_subjects.c.kind)).scalars())
    assert kinds == {"version"}


def test_counters_never_fall_over_restarts(harness):
    highest: dict[tuple[str, tuple[str, ...]], float] = {}
    look = partial(shown, harness.ledger, harness.context.policy)
    for number in range(1, 4):
        promoted(harness, f"r{number}", rmse=6.0 - number)
        for _ in range(2):
            now_shown = {(n, ls): v for n, of in look().items() if n != UNCOUNTED for ls, v in of.items()}
            assert now_shown.keys() >= highest.keys()
            assert all(value >= highest.get(key, 0) for key, value in now_shown.items())
            highest = now_shown
