"""Who holds a stage or an alias, who held it, and by whose decision."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import update

from registrar.events.event import Actor, Event
from registrar.events.incarnation import Incarnation
from registrar.events.outcome import Cause, Fact, FollowUp, LedgerChange, Outcome
from registrar.events.types import parse
from registrar.ledger import tables, tasks
from registrar.ledger.deliveries import accept
from registrar.ledger.event_rows import Delivery
from registrar.ledger.holders import (
    Holder,
    HoldingEnded,
    HoldingStarted,
    PastHolding,
    ever_held,
    held_before,
    held_now,
    holder,
    holding_since,
    models_held,
)
from registrar.ledger.promotions import PromotionRequested
from registrar.ledger.queries.holdings import history
from tests.ledger.chain import EVIDENCE, NOON, Scene, scene

pytestmark = pytest.mark.both_ledgers

APPROVED = {**EVIDENCE, "model_digest": "m" * 64, "compared": "names and sizes"}
FIRST = Incarnation("taxi", 1, NOON - timedelta(hours=1), "r1", "models:/m-1", "http://mlflow")


@pytest.fixture
def taxi(ledger) -> Scene:
    return scene(ledger)


def read(taxi: Scene, query, *arguments, **more):
    with taxi.ledger.read() as connection:
        return query(connection, *arguments, **more)


def champion(version: int, **how) -> HoldingStarted:
    return HoldingStarted("taxi", "alias", "champion", version, **how)


def staged(version: int, stage: str = "Staging", **how) -> HoldingStarted:
    return HoldingStarted("taxi", "stage", stage, version, **how)


def test_of_several_holders_the_latest_is_the_holder(taxi):
    taxi.write(staged(1), staged(3), staged(2))
    taxi.write(staged(4, "Production"), HoldingStarted("bus", "stage", "Staging", 9), champion(8))
    assert read(taxi, holder, "taxi", "stage", "Staging") == 2
    assert read(taxi, holder, "taxi", "stage", "Archived") is None
    assert read(taxi, holder, "taxi", "alias", "Staging") is None
    assert read(taxi, held_now, "taxi", "stage") == [
        *(Holder("Staging", version) for version in (1, 3, 2)),
        Holder("Production", 4),
    ]
    taxi.write(HoldingEnded("taxi", "stage", 2))
    assert read(taxi, holder, "taxi", "stage", "Staging") == 3


def test_models_that_have_a_holder_are_listed_once(taxi):
    taxi.write(staged(1), champion(1), HoldingStarted("bus", "stage", "Staging", 9))
    assert sorted(read(taxi, models_held)) == ["bus", "taxi"]
    taxi.write(HoldingEnded("bus", "stage", 9))
    assert read(taxi, models_held) == ["taxi"]


def test_the_journal_names_the_holdings_model_whatever_the_event_is_about(taxi):
    taxi.write(HoldingStarted("bus", "stage", "Staging", 9))
    taxi.write(HoldingEnded("bus", "stage", 9))
    assert [(row.kind, row.model) for row in taxi.entries()] == [("held", "bus"), ("released", "bus")]


def test_holdings_that_end_together_are_released_in_the_order_in_which_they_began(taxi):
    taxi.write(staged(1), staged(1, "Production"))
    taxi.write(HoldingEnded("taxi", "stage", 1))
    assert [said["key"] for kind, said in taxi.said() if kind == "released"] == ["Staging", "Production"]


def test_one_that_holds_alone_ends_the_others_and_not_those_of_another_key_or_model(taxi):
    taxi.write(staged(1), staged(1, "Production"), HoldingStarted("bus", "stage", "Staging", 1), champion(1))
    taxi.write(staged(2, alone=True))
    assert read(taxi, held_now, "taxi", "stage") == [Holder("Production", 1), Holder("Staging", 2)]
    assert read(taxi, held_now, "bus", "stage") == [Holder("Staging", 1)]
    assert read(taxi, held_now, "taxi", "alias") == [Holder("champion", 1)]


def test_one_that_moved_anew_holds_from_then_on(taxi):
    taxi.write(staged(1))
    taxi.write(staged(1, anew=True))
    first, second = read(taxi, history, "taxi")
    assert (first.until, second.until) == (second.since, None)
    taxi.write(staged(1))
    assert len(read(taxi, history, "taxi")) == 2


def test_a_version_leaves_the_key_that_is_named_or_all_but_the_one_that_it_keeps(taxi):
    def begin() -> None:
        taxi.write(*(HoldingEnded("taxi", "stage", version) for version in (1, 2)))
        taxi.write(staged(1), staged(1, "Production"), staged(2), champion(1))

    begin()
    taxi.write(HoldingEnded("taxi", "stage", 1, key="Staging", because="it was moved"))
    assert read(taxi, held_now, "taxi", "stage") == [Holder("Production", 1), Holder("Staging", 2)]
    [ended] = [row for row in read(taxi, history, "taxi") if row.until_because]
    assert (ended.key, ended.version, ended.until_because) == ("Staging", 1, "it was moved")
    begin()
    taxi.write(HoldingEnded("taxi", "stage", 1, keep="Staging"))
    assert read(taxi, held_now, "taxi", "stage") == [Holder("Staging", 1), Holder("Staging", 2)]
    assert read(taxi, held_now, "taxi", "alias") == [Holder("champion", 1)]
    begin()
    taxi.write(HoldingEnded("taxi", "stage", 1))
    assert read(taxi, held_now, "taxi", "stage") == [Holder("Staging", 2)]
    assert read(taxi, held_now, "taxi", "alias") == [Holder("champion", 1)]


def test_the_end_of_a_holding_has_its_time_and_its_event(taxi):
    taxi.write(staged(1), actor="ada")
    taxi.write(staged(2, alone=True), actor="bob")
    ended, began = read(taxi, history, "taxi")
    assert (ended.actor, began.actor, ended.until) == ("ada", "bob", began.since)
    assert [(kind, said.get("key"), said.get("because")) for kind, said in taxi.said()][1:2] == [
        ("released", "Staging", None)
    ]


def seen(taxi: Scene, incarnation: Incarnation, *records: LedgerChange) -> datetime:
    """As a task that saw the version writes them. Returns the time."""
    cause = taxi.cause()
    cause = Cause(cause.event_id, cause.actor, cause.actor_name, cause.at, {("taxi", incarnation.version): incarnation})
    with taxi.ledger.write() as connection:
        for record in records:
            record.apply(connection, cause)
    return cause.at


def test_since_when_a_version_holds_is_that_versions_own(taxi):
    since = seen(taxi, FIRST, staged(1))
    taxi.write(staged(2), champion(1))
    assert read(taxi, holding_since, "stage", "Staging", of=FIRST) == since
    assert read(taxi, holding_since, "stage", "Production", of=FIRST) is None
    assert read(taxi, holding_since, "stage", "Staging", of=replace(FIRST, version=3)) is None
    for created_at in (NOON + timedelta(days=9), FIRST.created_at - timedelta(hours=1)):
        other = replace(FIRST, created_at=created_at, run_id="r2")
        assert read(taxi, holding_since, "stage", "Staging", of=other) is None
    taxi.write(HoldingEnded("taxi", "stage", 1))
    assert read(taxi, holding_since, "stage", "Staging", of=FIRST) is None


def test_what_was_not_noted_is_told_by_the_run_that_was_approved(taxi):
    taxi.write(PromotionRequested("taxi", 1, "Production", EVIDENCE, id="prm_1", state="approved"))
    taxi.write(staged(1, "Production", promotion="prm_1"))
    assert read(taxi, holding_since, "stage", "Production", of=FIRST) is not None
    assert read(taxi, holding_since, "stage", "Production", of=replace(FIRST, run_id="r9")) is None


def test_versions_that_ever_held_a_place_come_latest_first_and_once(taxi):
    taxi.write(staged(1), champion(5), HoldingStarted("bus", "stage", "Staging", 7))
    taxi.write(HoldingStarted("taxi", "alias", "Staging", 8))
    taxi.write(staged(2, alone=True), staged(4, "Production"))
    taxi.write(staged(1, alone=True))
    assert read(taxi, ever_held, "taxi", [("stage", "Staging")]) == [1, 2]
    assert read(taxi, ever_held, "taxi", [("stage", "Staging"), ("alias", "champion")]) == [1, 2, 5]
    assert read(taxi, ever_held, "taxi", [("stage", "Archived")]) == []


def test_of_a_model_that_was_made_again_the_versions_of_before_are_left_out(taxi):
    seen(taxi, FIRST, staged(1))
    at = taxi.cause().at
    taxi.write(staged(2))
    assert read(taxi, ever_held, "taxi", [("stage", "Staging")], made=FIRST.created_at) == [2, 1]
    after_its_creation = FIRST.created_at + timedelta(minutes=1)  # and before its holding began
    assert read(taxi, ever_held, "taxi", [("stage", "Staging")], made=after_its_creation) == [2]
    assert read(taxi, ever_held, "taxi", [("stage", "Staging")], made=at) == [2]
    assert read(taxi, ever_held, "taxi", [("stage", "Staging")], made=at + timedelta(days=1)) == []


def champions(taxi: Scene) -> list[PastHolding]:
    return read(taxi, held_before, "taxi", "alias", "champion")


def test_holdings_of_before_come_newest_first_with_what_was_approved(taxi):
    taxi.write(PromotionRequested("taxi", 1, "Production", APPROVED, id="prm_1", state="approved"))
    taxi.write(champion(1, promotion="prm_1"))
    taxi.write(champion(2, alone=True), staged(9), HoldingStarted("bus", "alias", "champion", 8))
    taxi.write(staged(9, "champion"), HoldingStarted("taxi", "alias", "challenger", 9))
    taxi.write(champion(1, alone=True))
    back, second, first = champions(taxi)
    assert [(time.version, time.still, time.given) for time in (back, second, first)] == [
        (1, True, True),
        (2, False, True),
        (1, False, True),
    ]
    assert (first.run_id, first.digest, first.compared) == ("r1", "m" * 64, "names and sizes")
    assert (back.run_id, back.digest, back.compared) == (None, "m" * 64, "names and sizes"), "by a rollback"
    assert (second.run_id, second.digest, second.compared) == (None, None, None)
    assert first.since < second.since < back.since


def test_a_holding_of_before_has_the_version_that_was_seen(taxi):
    seen(taxi, FIRST, champion(1))
    taxi.write(champion(2, alone=True))
    assert [time.noted for time in champions(taxi)] == [None, FIRST]


def found_by_hand(taxi: Scene, version: int, *, adoption: str = "succeeded", **adopted) -> None:
    """As MLflow's own webhook tells of it; adopted: details of the fact that an adoption ends with."""
    data = parse("registry.changed", {"model": "taxi", "change": "model_version_alias.created", "version": version})
    at = taxi.cause().at
    with taxi.ledger.write() as connection:
        delivery = Delivery("mlflow", f"hand_{version}", "c" * 64)
        connection.execute(update(tables.tasks).values(state="succeeded"))  # all that waits in the model's lane
        receipt = accept(connection, delivery, [Event(data, Actor("mlflow", "MLflow"), at)], at=at)
        task = tasks.claim(connection, receipt.task_messages[0].task_id, at=at)
        records = (champion(version, alone=True, adopted=bool(adopted)),)
        follow_ups = (FollowUp("worker.adopt"),) if adopted else ()
        after = tasks.finish(connection, task, "succeeded", Outcome("", (), follow_ups, records), at=at)
        if adopted:
            task = tasks.claim(connection, after[0].task_id, at=at)
            fact = Fact("model_version.transitioned", "adopted", "taxi", version, adopted)
            tasks.finish(connection, task, adoption, Outcome("", (fact,)), at=at)


def test_what_was_moved_by_hand_was_given_by_nobody_until_it_is_adopted(taxi):
    found_by_hand(taxi, 1)
    found_by_hand(taxi, 2, alias="champion", adopted=True)
    found_by_hand(taxi, 3, alias="challenger", adopted=True)
    found_by_hand(taxi, 4, alias="champion", adopted=False)
    assert [(time.version, time.given) for time in champions(taxi)] == [(4, False), (3, False), (2, True), (1, False)]


def test_only_an_adoption_that_succeeded_gives_what_was_moved_by_hand(taxi):
    found_by_hand(taxi, 1, adoption="refused", alias="champion", adopted=True)
    assert [time.given for time in champions(taxi)] == [False]
    with taxi.ledger.write() as connection:  # as one that waits: it has no outcome
        connection.execute(update(tables.tasks).values(state="queued", outcome=None))
    assert [time.given for time in champions(taxi)] == [False]
    other = Outcome("", (Fact("model_version.transitioned", "", "taxi", 1, {"alias": "champion", "adopted": True}),))
    values = {"name": "worker.notify", "state": "succeeded", "outcome": other.to_json()}
    with taxi.ledger.write() as connection:
        connection.execute(update(tables.tasks).values(values))
    assert [time.given for time in champions(taxi)] == [False]


def test_what_was_moved_by_hand_has_no_approval_of_before(taxi):
    taxi.write(PromotionRequested("taxi", 1, "Production", APPROVED, id="prm_1", state="approved"))
    taxi.write(champion(1, promotion="prm_1"))
    taxi.write(champion(2, alone=True))
    found_by_hand(taxi, 1)
    assert [time.digest for time in champions(taxi)] == [None, None, "m" * 64]


def test_the_journal_says_what_was_adopted(taxi):
    taxi.write(champion(1), champion(2, adopted=True))
    assert [said.get("adopted") for _, said in taxi.said()] == [None, True]
