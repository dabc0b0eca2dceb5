"""What stays in the ledger beside archive files, who writes meanwhile, copies of a ledger: nothing is lost unseen."""

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text, update

from registrar.compaction import run, writer
from registrar.compaction.archive_file import ArchiveDamaged
from registrar.compaction.journal_files import check_files
from registrar.compaction.places import place
from registrar.events.outcome import Cause
from registrar.events.states import PromotionState
from registrar.ledger import Ledger, deployments, metrics_checkpoint, promotions
from registrar.ledger.before_commit import flush
from registrar.ledger.deployments import DeploymentRequested
from registrar.ledger.disputes import Disputed
from registrar.ledger.holders import HoldingStarted
from registrar.ledger.journal.append import GENESIS
from registrar.ledger.journal.chain import Damaged
from registrar.ledger.promotions import PromotionRequested, PromotionStateChanged
from registrar.ledger.queries import archivable_tasks
from registrar.ledger.tables import metrics_checkpoint as counts
from registrar.policy.load import parse
from tests.compaction.conftest import CUTOFF, NOW, Past
from tests.compaction.test_pinned import moves, proven
from tests.ledger.test_verify import tampering
from tests.worker.harness import POLICY
from webhooks.monitoring.metrics.journal_reader import JournalReader

BUS = {"model": "bus", "run_id": "r"}


@pytest.fixture(autouse=True)
def few_stay(monkeypatch):
    monkeypatch.setattr(archivable_tasks, "NEWEST", 1)


@pytest.fixture
def disputed(past: Past) -> Past:
    """Its dispute is in a file, and stays in the ledger."""
    past.event(150, records=(Disputed("taxi", "two pasts", moves=False),))
    moves(past, 140, 130)
    before = proven(past)
    past.archive()
    assert proven(past) == before
    return past


@pytest.mark.both_ledgers
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE journal SET model = 'bus' WHERE kind = 'record.disputed'",
        "UPDATE journal SET actor_name = 'Mallory' WHERE kind = 'record.disputed'",
        "UPDATE journal SET body = replace(body, 'two pasts', 'nothing') WHERE kind = 'record.disputed'",
        "UPDATE journal SET previous = 'x' WHERE kind = 'record.disputed'",
        "UPDATE journal SET body_sha256 = 'x' WHERE kind = 'record.disputed'",
        "UPDATE journal SET kind = 'record.settled' WHERE kind = 'record.disputed'",
        "DELETE FROM journal WHERE kind = 'record.disputed'",
    ],
)
def test_what_stays_though_a_file_has_it_is_proven_by_the_file(disputed, statement):
    with tampering(disputed.ledger) as connection:
        assert connection.execute(text(statement)).rowcount == 1
    with pytest.raises((ArchiveDamaged, Damaged)):
        proven(disputed)


@pytest.fixture
def rejected(past: Past) -> Past:
    """A rejection is in a file, and stays in the ledger for the history."""
    asked = PromotionRequested("taxi", 7, "Production", {})
    past.event(150, records=(asked,))
    past.event(149, records=(PromotionStateChanged(asked.id, PromotionState.REJECTED, "wrong fares"),))
    moves(past, 140, 130)
    proven(past)
    past.archive()
    proven(past)
    return past


@pytest.mark.both_ledgers
def test_an_incident_that_was_deleted_beside_its_file_is_missed(rejected):
    statement = "DELETE FROM journal WHERE kind = 'promotion.decided' AND body LIKE '%wrong fares%'"
    with tampering(rejected.ledger) as connection:
        assert connection.execute(text(statement)).rowcount == 1
    with pytest.raises(ArchiveDamaged, match="is in an archive file, and missing in the ledger"):
        proven(rejected)


@pytest.mark.both_ledgers
def test_an_entry_written_while_its_events_first_one_leaves_is_whole(past, ledger_url):
    """On PostgreSQL the compaction waits for the writer, and then lets the first entry stay."""
    first, *_ = moves(past, 150, 140, 130)
    compaction = threading.Thread(target=past.archive)
    with past.ledger.write() as connection:
        HoldingStarted("taxi", "alias", "champion", 1).apply(connection, Cause(first, "ada", "Ada", NOW))
        flush(connection)
        if ledger_url.startswith("postgresql"):
            compaction.start()
            compaction.join(1)
    if compaction.ident is None:
        compaction.start()
    compaction.join(30)
    assert proven(past) == 6


@pytest.mark.both_ledgers
def test_what_was_written_last_is_so_afterwards_though_an_older_entry_stays(past):
    older, newer = (PromotionRequested("bus", 1, "Production", {}) for _ in range(2))
    first, last = (DeploymentRequested("bus", 1, "Production", None, None, "alert") for _ in range(2))
    event = past.event(150, data=BUS, records=(older, first))
    past.event(149, data=BUS, records=(PromotionStateChanged(older.id, PromotionState.REJECTED, "no"),))
    past.event(140, data=BUS, records=(newer, last))
    moves(past, 120, 119)
    with past.ledger.write() as connection:  # so that the entries of the oldest event stay
        HoldingStarted("bus", "alias", "x", 1).apply(connection, Cause(event, "ada", "Ada", NOW))
    past.archive()
    with past.ledger.read() as connection:
        found = (
            promotions.latest(connection, "bus", 1, "Production"),
            deployments.last(connection, "bus", 1, "Production"),
        )
    assert [one and one.id for one in found] == [newer.id, last.id]


def counted(ledger: Ledger, reader: JournalReader | None = None) -> dict[tuple[str, str], float]:
    reader = reader or JournalReader(ledger, parse(POLICY))
    while reader.step():
        pass
    with ledger.read() as connection:
        return {(metric, str(labels)): series.value for metric, labels, series in metrics_checkpoint.shown(connection)}


def count_nothing(ledger: Ledger) -> None:
    """As migration 0017 leaves a ledger that has entries."""
    with ledger.write() as connection:
        connection.execute(text("DELETE FROM metrics_series"))
        connection.execute(text("DELETE FROM metrics_subjects"))
        connection.execute(update(counts).values(seq=0, hash=GENESIS, complete=False, reader=None))


@pytest.mark.both_ledgers
@pytest.mark.parametrize("page", [None, 1], ids=["nothing was counted", "a part was counted"])
def test_nothing_leaves_before_the_metrics_have_counted_it(past, monkeypatch, page):
    opened = PromotionRequested("bus", 1, "Production", {}, state=PromotionState.APPROVED)
    past.event(150, data=BUS, records=(opened,))
    past.event(149, data=BUS, records=(PromotionStateChanged(opened.id, PromotionState.PROMOTED),))
    moves(past, 140, 130)
    count_nothing(past.ledger)
    should = counted(past.ledger)
    count_nothing(past.ledger)
    reader = JournalReader(past.ledger, parse(POLICY))
    if page:
        monkeypatch.setattr("webhooks.monitoring.metrics.journal_reader.PAGE", page)
        reader.step()
    moved = list(run.archive(past.ledger, cutoff=CUTOFF, where=place(str(past.folder))))
    assert {one.kind: one.rows for one in moved} == ({"journal": 1, "tasks": 1} if page else {})
    assert counted(past.ledger, reader) == should
    assert past.archive()


def test_a_copy_of_a_ledger_lets_the_files_of_the_other_one_be(past, tmp_path, monkeypatch):
    """Copied while the other one wrote a file: the copy knows its name, and not its digest."""
    moves(past, 150, 140, 130)
    spool = writer.spool

    def copied(*given):
        if not (tmp_path / "copy.db").exists():
            with (
                closing(sqlite3.connect(str(past.ledger.engine.url.database))) as from_,
                closing(sqlite3.connect(tmp_path / "copy.db")) as to,
            ):
                from_.backup(to)
        return spool(*given)

    monkeypatch.setattr(writer, "spool", copied)
    past.archive()
    files = sorted(path.name for path in Path(past.folder).iterdir())
    with closing(Ledger(f"sqlite:///{tmp_path}/copy.db")) as copy:
        assert list(run.archive(copy, cutoff=CUTOFF, where=place(str(tmp_path / "drill"))))
    assert sorted(path.name for path in Path(past.folder).iterdir()) == files
    assert proven(past) == 5


def test_of_two_places_one_may_have_moved(past, tmp_path):
    moves(past, 150, 140)
    past.archive()
    moves(past, 130, 120, model="bus")
    first, past.folder = past.folder, tmp_path / "second"
    past.archive()
    first.rename(tmp_path / "moved")
    with past.ledger.read() as connection:
        found = check_files(connection, folder=str(tmp_path / "moved"))
    assert (found.lost, found.intact) == ([], len([*(tmp_path / "moved").iterdir(), *past.folder.iterdir()]))
