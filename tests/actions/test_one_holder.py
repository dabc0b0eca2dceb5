"""An exclusive place has one holder: in the record whatever hands did in MLflow, and in MLflow whatever is put back."""

from datetime import timedelta

import pytest
from sqlalchemy import insert, select

from registrar.ledger.queries.holdings import history
from registrar.ledger.tables import holders
from tests.actions.versions import live, trained
from tests.policies import GATES, gate_on_production, model
from tests.worker.harness import ADA, POLICY, WorkerHarness
from worker.registry.protocol import RetryableError

pytestmark = pytest.mark.both_ledgers
REVERT = model("drift: revert")
CHANGED = "registry.changed_by_hand"


def by_hand(harness, number: int, stage: str) -> None:
    harness.registry.set_stage("taxi", number, stage)


def reconcile(harness) -> list[str]:
    before = len(harness.facts())
    harness.post("registry.reconcile", model="taxi")
    return [text for type_, text in harness.facts()[before:] if type_ == CHANGED]


def in_production(harness) -> list[tuple[int, bool]]:
    """(version, whether it still holds it), in the order of writing."""
    with harness.ledger.read() as connection:
        rows = history(connection, "taxi")
    return [(row.version, row.until is None) for row in rows if row.key == "Production"]


@pytest.fixture
def left_by_hand(harness) -> WorkerHarness:
    """Version 1 was in Production, was taken away by hand, of which MLflow tells nobody; then came version 2."""
    live(harness, "r1")
    by_hand(harness, 1, "Archived")
    live(harness, "r2")
    return harness


# The record.
def test_a_promotion_ends_the_holding_of_who_had_left_by_hand(left_by_hand):
    assert in_production(left_by_hand) == [(1, False), (2, True)]
    assert left_by_hand.holding()["Production"] == left_by_hand.holding()["@champion"] == [2]


def test_it_ends_in_the_moment_in_which_the_other_begins(harness):
    live(harness, "r1", "r2")
    with harness.ledger.read() as connection:
        first, second = (row for row in history(connection, "taxi") if row.key == "Production")
    assert first.until == second.since


def test_one_can_go_back_to_who_had_left_by_hand(left_by_hand):
    left_by_hand.post("model.rollback", by=ADA, model="taxi", reason="wrong fares")
    assert left_by_hand.stages() == {1: "Production", 2: "Archived"}
    assert in_production(left_by_hand) == [(1, False), (2, False), (1, True)]


@pytest.mark.parametrize("where", ["None", "Staging", "Archived"])
def test_a_move_by_event_ends_it_too(harness, where):
    harness.policy(POLICY.replace("approval: {rules: [{group: leads}]}", "request: on_request, approval: automatic"))
    first = trained(harness, "r1")
    harness.post("model_version.transition", model="taxi", version=first, stage="Production")
    by_hand(harness, first, where)
    second = trained(harness, "r2")
    harness.post("model_version.transition", model="taxi", version=second, stage="Production")
    assert in_production(harness) == [(1, False), (2, True)]


def test_where_several_may_be_there_nobody_is_closed(harness):
    harness.policy(POLICY.replace("{stage: Staging,", "{stage: Staging, exclusive: false, on_replace: keep,"))
    assert [trained(harness, "r1"), trained(harness, "r2")] == harness.holding()["Staging"]


def test_a_holding_that_was_broken_by_hand_begins_anew(harness):
    """The days in Production that it was not there are none."""
    live(harness, "r1")
    by_hand(harness, 1, "Staging")
    harness.later(days=3)
    harness.post("promotion.request", by=ADA, model="taxi", version=1, target="Production")
    harness.post("promotion.approve", by=ADA, model="taxi", version=1)
    with harness.ledger.read() as connection:
        old, new = (row for row in history(connection, "taxi") if row.key == "Production")
    assert new.until is None
    assert old.until == new.since > old.since + timedelta(days=2)
    assert new.promotion_id != old.promotion_id


def test_soak_counts_from_the_last_time(harness):
    harness.policy(gate_on_production("{soak: 24h}"))
    trained(harness, "r1")
    by_hand(harness, 1, "None")
    harness.later(hours=23)
    harness.post("promotion.request", by=ADA, model="taxi", version=1, target="Staging")
    harness.later(hours=2)
    harness.post("promotion.approve", by=ADA, model="taxi", version=1)
    assert harness.stages() == {1: "Staging"}


def test_what_is_there_and_stays_there_keeps_its_time(harness):
    harness.policy(POLICY.replace('gates: [{metric: rmse, op: "<", threshold: 7}], approval', "approval"))
    trained(harness, "r1")
    before = harness.holding(), in_staging(harness)
    harness.post("model_version.transition", model="taxi", version=1, stage="Staging")
    assert (harness.holding(), in_staging(harness)) == before


def in_staging(harness) -> list[object]:
    with harness.ledger.read() as connection:
        return [(row.version, row.since) for row in history(connection, "taxi") if row.key == "Staging"]


# Putting back.
def test_who_left_by_hand_is_not_put_beside_who_came_after(left_by_hand):
    left_by_hand.policy(REVERT)
    reconcile(left_by_hand)
    assert left_by_hand.stages() == {1: "Archived", 2: "Production"}
    assert reconcile(left_by_hand) == []


def stale(harness, number: int) -> None:
    """A holding that an older version of this program left open."""
    with harness.ledger.write() as connection:
        first = select(holders).where(holders.c.key == "Production").order_by(holders.c.seq).limit(1)
        row = dict(connection.execute(first).one()._mapping) | {"version": number, "until": None}
        connection.execute(insert(holders).values({k: v for k, v in row.items() if k not in ("seq", "until_event_id")}))


@pytest.mark.edits_the_record
def test_an_open_holding_of_long_ago_is_closed_and_not_put_back(harness):
    live(harness, "r1", "r2")
    stale(harness, 1)
    harness.policy(REVERT)
    assert reconcile(harness) == ["Production of taxi was changed by hand in MLflow: version 1 left"]
    assert harness.stages() == {1: "Archived", 2: "Production"}
    assert harness.holding()["Production"] == [2]


@pytest.mark.edits_the_record
def test_of_several_the_one_that_a_promotion_brought_is_put_back(harness):
    live(harness, "r1", "r2")
    third = trained(harness, "r3")
    by_hand(harness, third, "Production")
    reconcile(harness)  # alert: told, and recorded beside it
    for number in (2, third):
        by_hand(harness, number, "None")
    harness.policy(REVERT)
    reconcile(harness)
    assert harness.stages()[2] == "Production"
    assert [number for number, stage in harness.stages().items() if stage == "Production"] == [2]
    assert harness.holding()["Production"] == [2]


def test_where_hands_brought_all_of_them_the_newest_is_put_back(harness):
    for run in ("r1", "r2"):
        by_hand(harness, trained(harness, run), "Production")
        reconcile(harness)  # alert: told, and recorded
    for number in (1, 2):
        by_hand(harness, number, "None")
    harness.policy(REVERT)
    reconcile(harness)
    assert harness.stages() == {1: "None", 2: "Production"}


def test_who_comes_beside_the_holder_is_sent_away_and_nobody_added(harness):
    harness.policy(REVERT)
    live(harness, "r1", "r2")
    by_hand(harness, 1, "Production")
    [told] = [text for text in reconcile(harness) if "Production" in text]
    assert told.endswith("version 1 came; it is put back")
    assert harness.stages() == {1: "Archived", 2: "Production"}


def test_nobody_is_sent_back_to_where_another_is_by_now(harness):
    """Version 2 came from Staging by hand, and version 3 has Staging since."""
    harness.policy(REVERT)
    live(harness, "r1")
    second = trained(harness, "r2")
    by_hand(harness, second, "Production")
    third = trained(harness, "r3")
    by_hand(harness, third, "Staging")
    reconcile(harness)
    for stage in ("Staging", "Production"):
        assert len([number for number, at in harness.stages().items() if at == stage]) == 1
    assert harness.stages()[1] == "Production"


def test_nor_where_the_other_is_left_since_nothing_is_asked_there(harness):
    harness.policy(REVERT.replace(f"{GATES}, approval", "approval"))
    live(harness, "r1")
    second = trained(harness, "r2")
    source = harness.registry.sources["r1", "model"]
    harness.registry.create_version("taxi", source, run_id="r1", description="", tags={})
    by_hand(harness, second, "Production")
    by_hand(harness, 3, "Staging")
    reconcile(harness)
    assert harness.stages() == {1: "Production", 2: "None", 3: "Staging"}


def test_what_is_quarantined_is_not_put_back(harness):
    harness.policy(REVERT)
    live(harness, "r1", "r2")
    harness.registry.set_tag("taxi", 2, "registrar.quarantined", "by hand")
    by_hand(harness, 2, "Archived")
    harness.registry.set_alias("taxi", "champion", 1)
    told = reconcile(harness)
    assert harness.stages()[2] == "Archived"
    assert harness.registry.model("taxi").aliases["champion"] == 1
    assert "taxi version 2 is not put back in Production: it is quarantined: by hand" in told
    assert "@champion of taxi is not put back: taxi version 2 is quarantined: by hand" in told
    assert harness.holding().get("Production") is None
    assert harness.holding()["@champion"] == [1]
    assert reconcile(harness) == []


def broken_off(harness) -> None:
    """What was to be put back waits for its next attempt."""
    harness.policy(REVERT)
    live(harness, "r1")
    by_hand(harness, 1, "Staging")
    harness.registry.fail["set_stage"] = RetryableError("the line is cut")
    harness.registry.fail["set_alias"] = RetryableError("the line is cut")
    reconcile(harness)


def test_what_is_put_back_late_finds_who_came_meanwhile(harness):
    broken_off(harness)
    harness.registry.fail.clear()
    source = harness.registry.sources["r1", "model"]
    harness.registry.create_version("taxi", source, run_id="r1", description="", tags={})
    by_hand(harness, 2, "Production")
    harness.later(minutes=5)
    assert harness.stages() == {1: "Staging", 2: "Production"}
    assert harness.fact(CHANGED) == "taxi version 1 is not put back in Production: version 2 is there"


@pytest.mark.edits_the_record
def test_an_alias_is_put_back_late_only_where_the_record_has_it_still(harness):
    live(harness, "r1", "r2")
    harness.policy(REVERT)
    harness.registry.set_alias("taxi", "champion", 1)
    harness.registry.fail["set_alias"] = RetryableError("the line is cut")
    reconcile(harness)
    harness.policy(POLICY)
    with harness.ledger.write() as connection:  # as a promotion of version 1 would leave it
        at_champion = (holders.c.key == "champion") & holders.c.until.is_(None)
        row = dict(connection.execute(select(holders).where(at_champion)).one()._mapping) | {"version": 1}
        connection.execute(
            holders.update().where(at_champion).values(until=row["since"], until_event_id=row["event_id"])
        )
        connection.execute(insert(holders).values({k: v for k, v in row.items() if k != "seq"}))
    harness.later(minutes=5)
    assert harness.registry.model("taxi").aliases["champion"] == 1


def test_who_is_put_back_is_no_news_where_a_hand_had_put_it(harness):
    harness.policy(REVERT)
    live(harness, "r1")
    by_hand(harness, 1, "Staging")
    assert [text for text in reconcile(harness) if "Staging" in text] == []
    assert (harness.stages(), harness.holding()["Production"]) == ({1: "Production"}, [1])
    assert "Staging" not in harness.holding()
    assert reconcile(harness) == []
