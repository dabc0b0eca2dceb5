"""Records say which version they are about, and the journal says it too; what does not say so is judged by its time."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from registrar.events.incarnation import Incarnation
from registrar.events.outcome import Cause, LedgerChange
from registrar.ledger import tables
from registrar.ledger.deployments import DeploymentRequested, last
from registrar.ledger.disputes import Disputed, Settled, dispute, disputed, settled_at
from registrar.ledger.holders import HoldingEnded, HoldingStarted, held_before
from registrar.ledger.incarnations import Noted, Recorded, _restarted_at, known
from registrar.ledger.open_records import open_records
from registrar.ledger.promotions import PromotionRequested, latest
from registrar.ledger.queries.holdings import history
from tests.ledger.chain import EVIDENCE, NOON, Scene, assert_chained, scene
from tests.ledger.test_migrations import empty, migrated  # noqa: F401 (a fixture)
from tests.ledger.test_verify import damage, verified

pytestmark = pytest.mark.both_ledgers

FIRST = Incarnation("taxi", 1, NOON - timedelta(hours=1), "r1", "models:/m-1", "http://mlflow")
ANEW = replace(FIRST, created_at=NOON + timedelta(hours=5), run_id="r2", source="models:/m-2")


@pytest.fixture
def taxi(ledger) -> Scene:
    return scene(ledger)


def write(taxi: Scene, seen: Incarnation, *records: LedgerChange) -> None:
    """As a task that saw the version writes them."""
    cause = taxi.cause()
    seeing = Cause(cause.event_id, cause.actor, cause.actor_name, cause.at, {("taxi", seen.version): seen})
    with taxi.ledger.write() as connection:
        for record in records:
            record.apply(connection, seeing)


def test_each_record_says_which_version_it_is_about_and_the_journal_too(taxi):
    write(
        taxi,
        FIRST,
        HoldingStarted("taxi", "stage", "Production", 1),
        PromotionRequested("taxi", 1, "Staging", EVIDENCE),
    )
    write(taxi, FIRST, DeploymentRequested("taxi", 1, "Production", None, None, "alert"))
    with taxi.ledger.read() as connection:
        assert list(known(connection, "taxi").values()) == [FIRST]
        assert {one.noted for one in open_records(connection, "taxi")} == {FIRST}
        [held] = history(connection, "taxi")
    assert (held.version_created_at, held.run_id) == (FIRST.created_at, "r1")
    assert [kind for kind, _ in taxi.said()] == ["version.seen", "held", "promotion.opened", "deployment.requested"]
    assert_chained(taxi.entries())
    verified(taxi.ledger)


def test_what_ended_says_why_and_what_the_journal_does_not_say_is_found(taxi):
    write(taxi, FIRST, HoldingStarted("taxi", "stage", "Production", 1))
    write(
        taxi,
        ANEW,
        HoldingEnded("taxi", "stage", 1, because="taxi was made anew"),
        HoldingStarted("taxi", "alias", "champion", 1),
    )
    with taxi.ledger.read() as connection:
        [ended, _] = history(connection, "taxi")
    assert ended.until_because == "taxi was made anew"
    verified(taxi.ledger)
    with taxi.ledger.write() as connection:
        connection.execute(update(tables.holders).values(incarnation=1))
    assert "entry 5 says incarnation 2; the table says incarnation 1" in damage(taxi.ledger)


def test_a_version_that_the_journal_does_not_say_is_found(taxi):
    write(taxi, FIRST, Noted("taxi", 1))
    with taxi.ledger.write() as connection:
        connection.execute(update(tables.incarnations).values(run_id="r9"))
    assert "entry 1 says run_id r1; the table says run_id r9" in damage(taxi.ledger)


def test_of_a_number_only_the_records_of_that_version_are_found(taxi):
    write(taxi, FIRST, PromotionRequested("taxi", 1, "Production", EVIDENCE, state="rejected", id="prm_1"))
    write(taxi, FIRST, DeploymentRequested("taxi", 1, "Production", None, None, "alert", id="dep_1"))
    with taxi.ledger.read() as connection:
        for found, id_ in ((latest, "prm_1"), (last, "dep_1")):
            assert found(connection, "taxi", 1, "Production", of=ANEW) is None
            assert found(connection, "taxi", 1, "Production", of=FIRST).id == id_
            assert found(connection, "taxi", 1, "Production").id == id_


def test_a_record_of_before_has_no_note_and_gets_none(empty):  # noqa: F811
    ledger = migrated(empty)
    with ledger.read() as connection:
        assert {(one.version_created_at, one.run_id) for one in history(connection, "taxi")} == {(None, None)}
        times = held_before(connection, "taxi", "stage", "Production")
    verified(ledger)
    second = Incarnation("taxi", 2, NOON, "r2", "", "")
    [now] = [time for time in times if time.still]
    assert now.is_of(second)
    assert not now.is_of(replace(second, created_at=now.since + timedelta(seconds=1)))


@pytest.mark.parametrize(
    ("run", "after", "is_of"),
    [(None, 1, True), (None, -1, False), ("r1", 1, True), ("r1", -60, True), ("r1", -3600, False), ("r9", 1, False)],
)
def test_a_record_without_a_note_is_about_what_was_there_when_it_began(ledger, run, after, is_of):
    """Clocks may be minutes apart where the run is the same; else nothing is guessed."""
    record = Recorded(1, FIRST.created_at + timedelta(seconds=after), run_id=run)
    assert record.is_of(FIRST) is is_of


def test_a_dispute_is_open_until_it_is_settled(taxi):
    taxi.write(Disputed("taxi", "two pasts"))
    taxi.write(Disputed("taxi", "said again"))
    with taxi.ledger.read() as connection:
        assert (dispute(connection, "taxi").why, disputed(connection)) == ("two pasts", ["taxi"])
        assert (dispute(connection, "fares"), settled_at(connection, "taxi")) == (None, None)
    taxi.write(Settled("taxi", "Ada said so"), Settled("fares", "there was none"))
    with taxi.ledger.read() as connection:
        assert (dispute(connection, "taxi"), disputed(connection)) == (None, [])
        assert settled_at(connection, "taxi") is not None
    assert [kind for kind, _ in taxi.said()] == ["record.disputed", "record.settled"]
    verified(taxi.ledger)


@pytest.mark.parametrize(
    ("numbers_by_second", "restarted"),
    [
        ([(1, 0), (2, 100), (3, 200)], None),
        ([(1, 0), (3, 100), (2, 100.01)], None),
        ([(1, 0), (2, 100), (1, 101)], 101),
        ([(5, 0), (1, 300)], 300),
        ([(5, 0), (1, 300), (2, 301), (3, 300.9)], 300),
        ([(1, 0), (2, 10), (1, 20), (2, 30), (1, 40)], 40),
        ([(1, 0), (1, 0)], None),
    ],
)
def test_numbers_that_begin_anew_are_told_from_those_of_two_clients_at_once(numbers_by_second, restarted):
    began = datetime(2026, 11, 22, tzinfo=UTC)
    made = sorted(((n, began + timedelta(seconds=s)) for n, s in numbers_by_second), key=lambda each: each[1])
    found = _restarted_at(made)
    assert (found and (found - began).total_seconds()) == restarted
