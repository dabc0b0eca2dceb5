"""Every change of the record is said once, in a chain without a gap."""

import json
import threading
import time
from collections.abc import Iterator

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

from registrar.ledger.deployments import DeploymentEnded, DeploymentRequested
from registrar.ledger.holders import HoldingEnded, HoldingStarted
from registrar.ledger.journal.append import GENESIS, iso
from registrar.ledger.journal.stream import entries
from registrar.ledger.promotions import PromotionRequested, PromotionStateChanged, Reevaluated, ReminderSent
from registrar.ledger.votes import VoteCast
from tests.ledger.chain import EVIDENCE, NOON, Scene, assert_chained, scene

pytestmark = pytest.mark.both_ledgers


@pytest.fixture
def taxi(ledger) -> Scene:
    return scene(ledger)


def test_an_entry_says_what_changed_and_copies_the_event_behind_it(taxi):
    event_id = taxi.write(HoldingStarted("taxi", "stage", "Production", 3))
    [row] = taxi.entries()
    assert (row.seq, row.kind, row.model, row.version, row.event_id) == (1, "held", "taxi", 3, event_id)
    assert (row.event_type, row.source, row.actor, row.actor_name) == ("training_run.failed", "ci", "ada", "Ada")
    assert (row.body_sha256, row.previous) == ("b" * 64, GENESIS)
    said = json.loads(row.body)
    assert said["said"] == {"kind": "stage", "key": "Production", "promotion_id": None, "incarnation": None}
    assert said["at"] == row.at.isoformat(timespec="microseconds")
    assert {name: said[name] for name in ("seq", "kind", "event_id", "actor")} == {
        "seq": 1,
        "kind": "held",
        "event_id": event_id,
        "actor": "ada",
    }


def test_entries_are_read_of_a_model_of_a_time_and_after_a_number(taxi):
    for version, model in enumerate(("taxi", "bus", "taxi", "taxi"), start=1):
        taxi.write(HoldingStarted(model, "stage", "Staging", version))
    times = [row.at for row in taxi.entries()]

    def read(**which) -> list[int]:
        with taxi.ledger.read() as connection:
            return [entry["seq"] for entry in entries(connection, **which)]

    assert read() == [1, 2, 3, 4]
    assert read(model="taxi") == [1, 3, 4]
    assert (read(since=times[1]), read(until=times[2])) == ([2, 3, 4], [1, 2])
    assert (read(after=3), read(after=1, limit=2)) == ([4], [2, 3])


@pytest.fixture
def in_tokyo(monkeypatch) -> Iterator[None]:
    with monkeypatch.context() as zone:
        zone.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("in_tokyo")
def test_times_are_written_in_utc_wherever_the_machine_is():
    assert iso(NOON) == "2026-11-22T12:00:00.000000+00:00"


def test_what_changes_nothing_is_no_entry(taxi):
    taxi.write(
        PromotionRequested("taxi", 1, "Production", EVIDENCE, id="prm_1"), PromotionStateChanged("prm_1", "rejected")
    )
    taxi.write(HoldingStarted("taxi", "alias", "champion", 1, alone=True))
    before = len(taxi.entries())
    taxi.write(
        HoldingStarted("taxi", "alias", "champion", 1, alone=True),
        HoldingEnded("taxi", "stage", 1),
        PromotionStateChanged("prm_1", "failed"),
    )
    assert len(taxi.entries()) == before == 3


def test_whoever_takes_an_alias_releases_who_had_it(taxi):
    taxi.write(HoldingStarted("taxi", "alias", "champion", 1, alone=True))
    taxi.write(HoldingStarted("taxi", "alias", "champion", 2, alone=True))
    assert [(row.kind, row.version) for row in taxi.entries()] == [("held", 1), ("released", 1), ("held", 2)]


def test_a_promotion_is_told_from_its_request_to_its_end(taxi):
    taxi.write(PromotionRequested("taxi", 1, "Production", EVIDENCE, reason="better", id="prm_1"), actor="eve")
    taxi.write(VoteCast("prm_1", "approve", True, "fine"), PromotionStateChanged("prm_1", "approved"), actor="bob")
    opened, vote, decided = taxi.said()
    assert opened == (
        "promotion.opened",
        {
            "promotion_id": "prm_1",
            "target": "Production",
            "state": "awaiting_approval",
            "requested_by": "eve",
            "reason": "better",
            "evidence": EVIDENCE,
            "due_at": None,
            "broke_glass": False,
            "incarnation": None,
        },
    )
    assert vote == ("vote", {"promotion_id": "prm_1", "verdict": "approve", "counted": True, "why": "fine"})
    said = {"promotion_id": "prm_1", "state": "approved", "reason": "better", "decided_by": "bob", "broke_glass": False}
    assert decided == ("promotion.decided", said)
    assert [row.actor for row in taxi.entries()] == ["eve", "bob", "bob"]


def test_a_promotion_that_waits_is_told_as_often_as_it_changes(taxi):
    taxi.write(PromotionRequested("taxi", 1, "Production", EVIDENCE, state="waiting", due_at=NOON, id="prm_1"))
    for _ in range(2):
        taxi.write(Reevaluated("prm_1", "waiting", NOON))
    taxi.write(Reevaluated("prm_1", "awaiting_approval", None, {**EVIDENCE, "run_id": "r2"}))
    taxi.write(ReminderSent("prm_1"))
    taxi.write(
        ReminderSent("prm_1", escalated=True),
        PromotionStateChanged("prm_1", "expired", "nobody came"),
        ReminderSent("prm_1"),
    )
    assert [(kind, sorted(said)) for kind, said in taxi.said()[1:]] == [
        ("promotion.judged", ["due_at", "evidence", "promotion_id", "state"]),
        ("promotion.told", ["promotion_id", "reminded_at"]),
        ("promotion.told", ["escalated_at", "promotion_id", "reminded_at"]),
        ("promotion.decided", ["broke_glass", "decided_by", "promotion_id", "reason", "state"]),
    ]


def test_a_broken_glass_is_told(taxi):
    taxi.write(PromotionRequested("taxi", 1, "Production", EVIDENCE, id="prm_1"))
    taxi.write(PromotionStateChanged("prm_1", "approved", "the site is down", broke_glass=True), actor="bob")
    kind, said = taxi.said()[1]
    assert (kind, said["broke_glass"], said["decided_by"], said["reason"]) == (
        "promotion.decided",
        True,
        "bob",
        "the site is down",
    )


def test_a_deployment_is_told_from_its_request_to_its_end(taxi):
    for version in (1, 2):
        taxi.write(DeploymentRequested("taxi", version, "Production", "eu", NOON, "rollback", id=f"dep_{version}"))
    taxi.write(DeploymentEnded("dep_2", "live"), DeploymentEnded("dep_1", "failed"))
    assert [(kind, said["deployment_id"], said["state"]) for kind, said in taxi.said()] == [
        ("deployment.requested", "dep_1", "requested"),
        ("deployment.ended", "dep_1", "superseded"),
        ("deployment.requested", "dep_2", "requested"),
        ("deployment.ended", "dep_2", "live"),
    ]


def test_a_vote_on_what_nobody_asked_for_is_about_its_events_model(taxi):
    taxi.write(VoteCast(None, "approve", False, "nobody asked"))
    [row] = taxi.entries()
    assert (row.kind, row.model, row.version) == ("vote", "taxi", None)


def test_an_insert_that_is_rolled_back_leaves_no_gap(taxi):
    taxi.write(HoldingStarted("taxi", "stage", "Staging", 1))
    with pytest.raises(IntegrityError):
        taxi.write(HoldingStarted("taxi", "stage", "Staging", 2), VoteCast("prm_none", "approve", True, "on nothing"))
    taxi.write(HoldingStarted("taxi", "stage", "Staging", 3))
    assert [row.version for row in taxi.entries()] == [1, 3]
    assert_chained(taxi.entries())


def test_writers_at_the_same_time_leave_one_chain(taxi):
    def write(name: str) -> None:
        for version in range(1, 16):
            taxi.write(HoldingStarted(name, "alias", "champion", version, alone=True))

    threads = [threading.Thread(target=write, args=(f"model-{n}",)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(taxi.entries()) == 6 * (15 + 14)
    assert_chained(taxi.entries())


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE journal SET version = 9",
        "DELETE FROM journal",
        "INSERT INTO journal SELECT 9, at, kind, model, version, event_id, event_type, source, actor, actor_name,"
        " body_sha256, body, hash, hash FROM journal WHERE seq = 2",
        "INSERT INTO journal SELECT 3, at, kind, model, version, event_id, event_type, source, actor, actor_name,"
        " body_sha256, body, repeat_of, hash FROM journal, (SELECT hash AS repeat_of FROM journal WHERE seq = 1) AS one"
        " WHERE seq = 2",
    ],
)
def test_the_database_itself_refuses_all_but_the_next_entry(taxi, change):
    taxi.write(HoldingStarted("taxi", "stage", "Staging", 1), HoldingStarted("taxi", "stage", "Production", 2))
    before = taxi.entries()
    with pytest.raises(DBAPIError, match="append-only"), taxi.ledger.engine.begin() as connection:
        connection.execute(text(change))
    assert taxi.entries() == before


def test_the_database_itself_refuses_to_empty_or_replace(taxi):
    taxi.write(HoldingStarted("taxi", "stage", "Staging", 1))
    sqlite = "INSERT OR REPLACE INTO journal SELECT * FROM journal"
    change = sqlite if taxi.ledger.engine.dialect.name == "sqlite" else "TRUNCATE journal"
    with pytest.raises(DBAPIError, match="append-only"), taxi.ledger.engine.begin() as connection:
        connection.execute(text(change))
