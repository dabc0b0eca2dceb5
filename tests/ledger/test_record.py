"""What stays: history, promotions, rejections, and the schema itself."""

from datetime import UTC, datetime, timedelta

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from registrar.events.event import Actor, Event
from registrar.events.outcome import Cause
from registrar.events.types import parse
from registrar.ledger import Ledger, LedgerUnavailable
from registrar.ledger.deliveries import accept
from registrar.ledger.event_rows import Delivery
from registrar.ledger.holders import HoldingEnded, HoldingStarted
from registrar.ledger.migrate import migrate
from registrar.ledger.queries.holdings import HistoryFilter, history
from registrar.ledger.schema import SchemaMismatch, check
from registrar.ledger.tables import metadata

pytestmark = pytest.mark.both_ledgers

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
def event_id(ledger) -> str:
    event = Event(parse("training_run.failed", {"model": "taxi"}), Actor("ada", "Ada"), NOON)
    with ledger.write() as connection:
        return accept(connection, Delivery("ci", "1", "0" * 64), [event], at=NOON).events[0][0]


def write(ledger, event_id: str, hour: int, *records) -> None:
    with ledger.write() as connection:
        for record in records:
            record.apply(connection, Cause(event_id, "ada", "Ada", NOON + timedelta(hours=hour)))


def held(ledger, hour: int | None = None) -> list[tuple[str, int]]:
    at = NOON + timedelta(hours=hour) if hour is not None else None
    with ledger.read() as connection:
        return [(row.key, row.version) for row in history(connection, "taxi", HistoryFilter(at=at))]


def test_history_says_who_held_what_at_a_time(ledger, event_id):
    write(ledger, event_id, 0, HoldingStarted("taxi", "alias", "champion", 1, alone=True))
    write(ledger, event_id, 2, HoldingStarted("taxi", "alias", "champion", 2, alone=True))
    assert held(ledger, -1) == []
    assert held(ledger, 1) == [("champion", 1)]
    assert held(ledger, 2) == [("champion", 2)]
    assert held(ledger) == [("champion", 1), ("champion", 2)]


def test_a_holder_written_twice_is_one_row(ledger, event_id):
    for hour in (0, 1):
        write(ledger, event_id, hour, HoldingStarted("taxi", "stage", "Production", 1))
    assert held(ledger) == [("Production", 1)]


def test_leaving_a_stage_closes_it_and_keeps_the_one_gone_to(ledger, event_id):
    write(ledger, event_id, 0, HoldingStarted("taxi", "stage", "Staging", 1))
    write(
        ledger,
        event_id,
        1,
        HoldingEnded("taxi", "stage", 1, keep="Production"),
        HoldingStarted("taxi", "stage", "Production", 1),
    )
    assert held(ledger, 1) == [("Production", 1)]


def test_the_migrations_make_the_tables_of_the_code(ledger):
    with ledger.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_migrating_again_changes_nothing(ledger):
    assert migrate(ledger) == migrate(ledger)
    check(ledger)


def test_a_ledger_without_a_schema_says_what_to_run(tmp_path):
    empty = Ledger(f"sqlite:///{tmp_path}/empty.db")
    with pytest.raises(SchemaMismatch, match="registrar migrate"):
        check(empty)


def test_times_without_a_zone_are_refused(ledger, event_id):
    with pytest.raises(Exception, match="without a zone"), ledger.write() as connection:
        HoldingStarted("taxi", "stage", "Staging", 1).apply(connection, Cause(event_id, "a", "A", datetime(2026, 1, 1)))


def test_a_ledger_that_cannot_be_opened_is_unavailable(tmp_path):
    nowhere = Ledger(f"sqlite:///{tmp_path}/missing/ledger.db")
    with pytest.raises(LedgerUnavailable), nowhere.write():
        pass
