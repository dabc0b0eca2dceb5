"""Events that the record tells of: their tasks and journal entries go into files, and all that is asked is answered."""

import gzip
import json
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import DBAPIError

from registrar.compaction import archive_file, journal_files, run, writer
from registrar.compaction.archive_file import ArchiveDamaged, ArchiveMissing
from registrar.compaction.journal_files import check_files, whole_journal
from registrar.events.outcome import Cause
from registrar.ledger import archives, tables
from registrar.ledger.deployments import DeploymentRequested
from registrar.ledger.disputes import Disputed
from registrar.ledger.event_rows import Delivery
from registrar.ledger.holders import HoldingEnded, HoldingStarted
from registrar.ledger.journal.chain import Damaged, Head
from registrar.ledger.journal.verify import verify
from registrar.ledger.promotions import PromotionRequested
from registrar.ledger.queries import archivable_tasks, event_context, event_search, event_status
from registrar.ledger.queries.archivable_tasks import CURRENT, READ, RECENT
from registrar.ledger.queries.archived_journal import checkpoint
from registrar.ledger.queries.event_search import EventFilter
from registrar.ledger.queries.find import archive_location
from registrar.ledger.queries.holdings import history
from registrar.ledger.queries.incidents import incidents
from registrar.queries import local
from registrar.queries.local import LocalQueries
from registrar.queries.query_service import Unknown
from tests.compaction.conftest import CUTOFF, DIGEST, NOW, Past
from tests.compaction.test_archive import Crash, crash_at

pytestmark = pytest.mark.both_ledgers


@pytest.fixture(autouse=True)
def few_stay(monkeypatch):
    """Tasks of the newest event of a model and type stay, not of the newest 200."""
    monkeypatch.setattr(archivable_tasks, "NEWEST", 1)


def moves(past: Past, *days: float, model: str = "taxi") -> list[str]:
    """Events, each of which moves its model's next version to Production."""
    data = {"model": model, "run_id": "r"}
    return [
        past.event(each, data=data, records=(HoldingStarted(model, "stage", "Production", version, alone=True),))
        for version, each in enumerate(days, start=1)
    ]


def count(past: Past, table) -> int:
    with past.ledger.read() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


def proven(past: Past, **options) -> int:
    """The number of entries, all of which are intact, and by which the record is as it should be."""
    with past.ledger.read() as connection:
        return verify(connection, journal=lambda same: whole_journal(same, **options)).walk.count


def test_tasks_go_and_the_event_and_its_history_stay(past):
    old, still = moves(past, 120, 110)
    with past.ledger.read() as connection:
        before = event_status.event(connection, old), history(connection, "taxi")
    written = {each.kind: (each.rows, each.tasks) for each in past.archive()}
    assert written["tasks"] == (1, 2)
    with past.ledger.read() as connection:
        after = event_status.event(connection, old)
        assert history(connection, "taxi") == before[1]
        assert archive_file.read_event(connection, old, archive_location(connection, old)) == before[0]
        assert len(event_status.event(connection, still)["tasks"]) == 2
        found = event_search.search(connection, EventFilter(state="succeeded"))
    assert after["archived"] is not None
    assert after == before[0] | {"archived": after["archived"], "tasks": []}
    assert {each["id"]: each["state"] for each in found} == {old: "succeeded", still: "succeeded"}


def test_its_delivery_is_known_when_it_comes_again(past):
    delivery = Delivery("ci", "again", DIGEST)
    records = (HoldingStarted("taxi", "stage", "Production", 1, alone=True),)
    old = past.event(120, delivery=delivery, records=records)
    moves(past, 110)
    past.archive()
    receipt = past.again(delivery)
    assert (receipt.repeated, [id_ for id_, _ in receipt.events]) == (True, [old])


def test_what_decisions_rest_on_keeps_its_tasks(past, monkeypatch):
    monkeypatch.setattr(archivable_tasks, "NEWEST", 2)
    gone, recent, holder = moves(past, 150, 140, 130)
    bus = {"model": "bus", "run_id": "r"}
    opened = past.event(120, data=bus, records=(PromotionRequested("bus", 1, "Production", {}),))
    later = past.event(119, data=bus, records=(HoldingStarted("bus", "stage", "Staging", 1, alone=True),))
    past.event(118, data=bus, records=(HoldingStarted("bus", "stage", "Staging", 2, alone=True),))
    tram = {"model": "tram", "run_id": "r"}
    deployed = past.event(117, data=tram, records=(DeploymentRequested("tram", 1, "Production", None, None, "alert"),))
    adopted = past.event(160, records=(HoldingStarted("taxi", "alias", "champion", 1, alone=True),))
    past.event(155, records=(HoldingStarted("taxi", "alias", "champion", 2, alone=True),))
    with past.ledger.write() as connection:
        adoption = (tables.tasks.c.event_id == adopted, tables.tasks.c.name == "worker.register")
        connection.execute(update(tables.tasks).where(*adoption).values(name="worker.adopt"))
    planned = run.plan(past.ledger, cutoff=CUTOFF)
    assert planned.kept == {CURRENT: 6, READ: 1}
    past.archive()
    with past.ledger.read() as connection:
        for event_id in (recent, holder, opened, later, deployed, adopted):
            assert (event_id == recent) or event_status.event(connection, event_id)["tasks"], event_id
        assert event_status.event(connection, gone)["tasks"] == []


def test_who_archived_a_version_is_no_holder_of_a_target(past):
    """Each version that is replaced is in Archived from then on, and nobody takes it out."""
    archived = past.event(150, records=(HoldingStarted("taxi", "stage", "Archived", 1),))
    moves(past, 140, 130)
    past.archive()
    with past.ledger.read() as connection:
        assert event_status.event(connection, archived)["tasks"] == []


def test_the_newest_of_a_model_and_type_keep_their_tasks(past, monkeypatch):
    monkeypatch.setattr(archivable_tasks, "NEWEST", 3)
    moves(past, 150, 140, 130, 120)
    planned = run.plan(past.ledger, cutoff=CUTOFF)
    assert (planned.rows["tasks", "2026-06"] + planned.rows["tasks", "2026-07"], planned.kept) == (
        1,
        {CURRENT: 1, RECENT: 2},
    )


def test_the_journal_goes_and_is_verified_from_both(past):
    moves(past, 150, 140, 130, 120)
    entries = count(past, tables.journal)
    with past.ledger.read() as connection:
        head = event_context.head(connection)
    past.archive()
    assert count(past, tables.journal) == 2  # the newest, which the next one continues, and the other of its event
    moves(past, 3, 2, model="bus")
    assert proven(past) == entries + 3
    assert checkpoint_of(past).seq == entries - 1
    with past.ledger.read() as connection:
        verify(connection, expect=[head], journal=whole_journal)
        assert check_files(connection).lost == []


def checkpoint_of(past: Past) -> Head:
    with past.ledger.read() as connection:
        return checkpoint(connection)


def test_an_export_has_the_archived_entries_too(past):
    moves(past, 150, 140, 130)
    queries = LocalQueries(past.ledger, lambda: None)
    before = list(queries.audit()), list(queries.audit(model="taxi", after=2))
    past.archive()
    assert (list(queries.audit()), list(queries.audit(model="taxi", after=2))) == before
    [file] = past.folder.glob("journal-*")
    file.unlink()
    with pytest.raises(Unknown, match="that this machine does not have"):
        queries.audit()


def test_an_export_reads_the_files_where_they_are_now(past, tmp_path):
    moves(past, 150, 140, 130)
    before = list(LocalQueries(past.ledger, lambda: None).audit())
    past.archive()
    past.folder.rename(tmp_path / "elsewhere")
    with pytest.raises(Unknown, match="--from FOLDER if it was moved"):
        LocalQueries(past.ledger, lambda: None).audit()
    moved = LocalQueries(past.ledger, lambda: None, str(tmp_path / "elsewhere"))
    assert list(moved.audit()) == before


def test_an_export_that_is_overtaken_by_a_compaction_has_each_entry_once(past, monkeypatch):
    monkeypatch.setattr(local, "_AT_ONCE", 2)
    moves(past, 150, 140, 130, 120)
    queries = LocalQueries(past.ledger, lambda: None)
    export = queries.audit()
    begun = [next(export)]
    past.archive()
    assert [entry["seq"] for entry in [*begun, *export]] == [1, 2, 3, 4, 5, 6, 7]


def test_disputes_stay_as_they_are_looked_up(past):
    past.event(150, records=(Disputed("taxi", "two pasts", moves=False),))
    moves(past, 140, 130)
    past.archive()
    with past.ledger.read() as connection:
        kinds = list(connection.execute(select(tables.journal.c.kind).order_by(tables.journal.c.seq)).scalars())
    assert kinds == ["record.disputed", "released", "held"]
    assert proven(past) == 4


@pytest.mark.both_ledgers
def test_an_alias_named_as_a_stage_in_lower_case_is_none(past):
    """SQL and Python agree on which entries are incidents: none that compaction deletes is demanded."""
    past.event(150, records=(HoldingStarted("taxi", "alias", "archived", 1),))
    past.event(149, records=(HoldingEnded("taxi", "alias", 1, key="archived", because="by hand"),))
    moves(past, 140, 130)
    before = proven(past)
    with past.ledger.read() as connection:
        listed = [entry.kind for entry in incidents(connection)]
    past.archive()
    assert proven(past) == before
    with past.ledger.read() as connection:
        assert [entry.kind for entry in incidents(connection)] == listed == ["released"]


def test_entries_of_an_event_that_has_younger_ones_stay_together(past):
    """As of a promotion that waited: one event, and entries of two days."""
    moves(past, 150, 140, 130)
    with past.ledger.read() as connection:
        old = connection.execute(select(tables.journal.c.event_id).where(tables.journal.c.seq == 1)).scalar_one()
    with past.ledger.write() as connection:
        cause = Cause(old, "ada", "Ada", NOW - timedelta(days=20))
        HoldingStarted("taxi", "alias", "champion", 1).apply(connection, cause)
    past.archive()
    with past.ledger.read() as connection:
        here = list(connection.execute(select(tables.journal.c.seq).order_by(tables.journal.c.seq)).scalars())
    assert here == [1, 6]
    assert proven(past) == 6


def test_a_second_run_goes_on_where_the_first_ended(past):
    moves(past, 150, 140)
    past.archive()
    moves(past, 130, 120, model="bus")
    past.archive()
    assert [each.kind for each in past.archive()] == []
    assert len(list(past.folder.glob("journal-*"))) == 2
    assert proven(past) == 6


@pytest.mark.parametrize(
    "death",
    [(writer, "spool", 1), (archives, "record_end", 1), (writer, "_delete", 2), (archives, "finish_archive", 1)],
)
@pytest.mark.parametrize("kind", ["journal", "tasks"])
def test_a_run_that_died_leaves_a_record_that_is_proven_and_is_gone_on_with(past, monkeypatch, kind, death):
    monkeypatch.setattr(writer, "_AT_ONCE", 2)
    old = moves(past, 116, 115, 114, 113, 112, 111)
    entries = count(past, tables.journal)
    monkeypatch.setattr(writer, "KINDS", {kind: writer.KINDS[kind]})
    monkeypatch.setattr(run, "KINDS", writer.KINDS)
    with monkeypatch.context() as dying:
        crash_at(dying, *death)
        with pytest.raises(Crash):
            past.archive()
    assert proven(past) == entries
    past.archive()
    assert proven(past) == entries
    assert len(past.files()) == 1
    assert past.archive() == []
    with past.ledger.read() as connection:
        shown = [event_status.event(connection, each) for each in old]
    assert all((each["archived"] is None) == bool(each["tasks"]) for each in shown)


def test_a_resumed_run_calls_no_row_changed_that_went_before_it(past, monkeypatch):
    monkeypatch.setattr(writer, "_AT_ONCE", 1)
    moves(past, 116, 115, 114, 113)
    monkeypatch.setattr(writer, "KINDS", {"tasks": writer.KINDS["tasks"]})
    monkeypatch.setattr(run, "KINDS", writer.KINDS)
    with monkeypatch.context() as dying:
        crash_at(dying, writer, "_delete", 3)
        with pytest.raises(Crash):
            past.archive()
    assert [(each.resumed, each.rows, each.left) for each in past.archive()] == [(True, 3, 0)]


def test_a_file_that_was_altered_or_lost_is_noticed(past):
    moves(past, 113, 112, 111)
    past.archive()
    for kind, raised in (("tasks", None), ("journal", ArchiveMissing)):
        [file] = past.folder.glob(f"{kind}-*")
        whole = file.read_bytes()
        file.write_bytes(gzip.compress(gzip.decompress(whole).replace(b'"Ada"', b'"Eve"')))
        with past.ledger.read() as connection, pytest.raises(ArchiveDamaged, match="not as it was written"):
            check_files(connection)
        file.unlink()
        with past.ledger.read() as connection:
            [lost] = check_files(connection).lost
        assert f"{file} is not there" in lost
        if raised:
            with pytest.raises(raised):
                proven(past)
        file.write_bytes(whole)
    assert proven(past) == 5


def test_files_that_were_moved_are_verified_where_one_says(past, tmp_path):
    moves(past, 150, 140, 130)
    past.archive()
    past.folder.rename(tmp_path / "elsewhere")
    assert proven(past, folder=str(tmp_path / "elsewhere")) == 5


def test_a_file_that_was_written_anew_with_its_digest_breaks_the_chain(past):
    """As one would who may write the folder and the ledger."""
    moves(past, 150, 140, 130)
    past.archive()
    [file] = past.folder.glob("journal-*")
    header, *lines = gzip.decompress(file.read_bytes()).splitlines()
    entry = json.loads(lines[0]) | {"actor_name": "Eve"}
    file.write_bytes(gzip.compress(b"\n".join([header, json.dumps(entry).encode(), *lines[1:]])))
    with past.ledger.write() as connection:
        mine = tables.archives.c.name == file.name
        found = archive_file._digest_of(Path(file))
        connection.execute(update(tables.archives).where(mine).values(sha256=found))
    with pytest.raises(Damaged, match="entry 1 was altered"):
        proven(past)


def test_the_database_lets_no_entry_go_that_no_file_has(past):
    moves(past, 150, 140, 30, 20)
    past.archive()
    with pytest.raises(DBAPIError, match="append-only"), past.ledger.write() as connection:
        connection.execute(delete(tables.journal).where(tables.journal.c.seq == checkpoint_of(past).seq + 1))


def test_nothing_is_read_in_files_where_there_are_none(past):
    moves(past, 30, 20)
    with past.ledger.read() as connection:
        assert list(journal_files.file_entries([])) == []
        assert check_files(connection).intact == 0
    assert proven(past) == 3
