"""An exclusive place has one holder: in the record whatever hands did in MLflow, and in MLflow whatever is put back."""

from datetime import timedelta

import pytest
from sqlalchemy import insert, select

from registrar.ledger.holders import history
from registrar.ledger.tables import holders
from tests.actions.versions import live, trained
from tests.policies import gate_on_production, model
from tests.worker.harness import ADA, POLICY, Office
from worker.registry.protocol import RetryableError

pytestmark = pytest.mark.both_ledgers
REVERT = model("drift: revert")
CHANGED = "registry.changed_by_hand"


def by_hand(office, number: int, stage: str) -> None:
    office.registry.set_stage("taxi", number, stage)


def reconcile(office) -> list[str]:
    before = len(office.facts())
    office.post("registry.reconcile", model="taxi")
    return [text for type_, text in office.facts()[before:] if type_ == CHANGED]


def in_production(office) -> list[tuple[int, bool]]:
    """(version, whether it still holds it), in the order of writing."""
    with office.ledger.read() as connection:
        rows = history(connection, "taxi")
    return [(row.version, row.until is None) for row in rows if row.key == "Production"]


@pytest.fixture
def left_by_hand(office) -> Office:
    """Version 1 was in Production, was taken away by hand, of which MLflow tells nobody; then came version 2."""
    live(office, "r1")
    by_hand(office, 1, "Archived")
    live(office, "r2")
    return office


# The record.
def test_a_promotion_ends_the_holding_of_who_had_left_by_hand(left_by_hand):
    assert in_production(left_by_hand) == [(1, False), (2, True)]
    assert left_by_hand.holding()["Production"] == left_by_hand.holding()["@champion"] == [2]


def test_it_ends_in_the_moment_in_which_the_other_begins(office):
    live(office, "r1", "r2")
    with office.ledger.read() as connection:
        first, second = (row for row in history(connection, "taxi") if row.key == "Production")
    assert first.until == second.since


def test_one_can_go_back_to_who_had_left_by_hand(left_by_hand):
    left_by_hand.post("model.rollback", by=ADA, model="taxi", reason="wrong fares")
    assert left_by_hand.stages() == {1: "Production", 2: "Archived"}
    assert in_production(left_by_hand) == [(1, False), (2, False), (1, True)]


@pytest.mark.parametrize("where", ["None", "Staging", "Archived"])
def test_a_move_by_event_ends_it_too(office, where):
    office.policy(POLICY.replace("approval: {rules: [{group: leads}]}", "request: on_request, approval: automatic"))
    first = trained(office, "r1")
    office.post("model_version.transition", model="taxi", version=first, stage="Production")
    by_hand(office, first, where)
    second = trained(office, "r2")
    office.post("model_version.transition", model="taxi", version=second, stage="Production")
    assert in_production(office) == [(1, False), (2, True)]


def test_where_several_may_be_there_nobody_is_closed(office):
    office.policy(POLICY.replace("{stage: Staging,", "{stage: Staging, exclusive: false, on_replace: keep,"))
    assert [trained(office, "r1"), trained(office, "r2")] == office.holding()["Staging"]


def test_a_holding_that_was_broken_by_hand_begins_anew(office):
    """The days in Production that it was not there are none."""
    live(office, "r1")
    by_hand(office, 1, "Staging")
    office.later(days=3)
    office.post("promotion.request", by=ADA, model="taxi", version=1, target="Production")
    office.post("promotion.approve", by=ADA, model="taxi", version=1)
    with office.ledger.read() as connection:
        old, new = (row for row in history(connection, "taxi") if row.key == "Production")
    assert new.until is None
    assert old.until == new.since > old.since + timedelta(days=2)
    assert new.promotion_id != old.promotion_id


def test_soak_counts_from_the_last_time(office):
    office.policy(gate_on_production("{soak: 24h}"))
    trained(office, "r1")
    by_hand(office, 1, "None")
    office.later(hours=23)
    office.post("promotion.request", by=ADA, model="taxi", version=1, target="Staging")
    office.later(hours=2)
    office.post("promotion.approve", by=ADA, model="taxi", version=1)
    assert office.stages() == {1: "Staging"}


def test_what_is_there_and_stays_there_keeps_its_time(office):
    office.policy(POLICY.replace('gates: [{metric: rmse, op: "<", threshold: 7}], approval', "approval"))
    trained(office, "r1")
    before = office.holding(), in_staging(office)
    office.post("model_version.transition", model="taxi", version=1, stage="Staging")
    assert (office.holding(), in_staging(office)) == before


def in_staging(office) -> list[object]:
    with office.ledger.read() as connection:
        return [(row.version, row.since) for row in history(connection, "taxi") if row.key == "Staging"]


# Putting back.
def test_who_left_by_hand_is_not_put_beside_who_came_after(left_by_hand):
    left_by_hand.policy(REVERT)
    reconcile(left_by_hand)
    assert left_by_hand.stages() == {1: "Archived", 2: "Production"}
    assert reconcile(left_by_hand) == []


def stale(office, number: int) -> None:
    """A holding that an older version of this program left open."""
    with office.ledger.write() as connection:
        first = select(holders).where(holders.c.key == "Production").order_by(holders.c.seq).limit(1)
        row = dict(connection.execute(first).one()._mapping) | {"version": number, "until": None}
        connection.execute(insert(holders).values({k: v for k, v in row.items() if k not in ("seq", "until_event_id")}))


@pytest.mark.edits_the_record
def test_an_open_holding_of_long_ago_is_closed_and_not_put_back(office):
    live(office, "r1", "r2")
    stale(office, 1)
    office.policy(REVERT)
    assert reconcile(office) == ["Production of taxi was changed by hand in MLflow: version 1 left"]
    assert office.stages() == {1: "Archived", 2: "Production"}
    assert office.holding()["Production"] == [2]


@pytest.mark.edits_the_record
def test_of_several_the_one_that_a_promotion_brought_is_put_back(office):
    live(office, "r1", "r2")
    third = trained(office, "r3")
    by_hand(office, third, "Production")
    reconcile(office)  # alert: told, and recorded beside it
    for number in (2, third):
        by_hand(office, number, "None")
    office.policy(REVERT)
    reconcile(office)
    assert office.stages()[2] == "Production"
    assert [number for number, stage in office.stages().items() if stage == "Production"] == [2]
    assert office.holding()["Production"] == [2]


def test_who_comes_beside_the_holder_is_sent_away_and_nobody_added(office):
    office.policy(REVERT)
    live(office, "r1", "r2")
    by_hand(office, 1, "Production")
    [told] = [text for text in reconcile(office) if "Production" in text]
    assert told.endswith("version 1 came; it is put back")
    assert office.stages() == {1: "Archived", 2: "Production"}


def test_nobody_is_sent_back_to_where_another_is_by_now(office):
    """Version 2 came from Staging by hand, and version 3 has Staging since."""
    office.policy(REVERT)
    live(office, "r1")
    second = trained(office, "r2")
    by_hand(office, second, "Production")
    third = trained(office, "r3")
    by_hand(office, third, "Staging")
    reconcile(office)
    for stage in ("Staging", "Production"):
        assert len([number for number, at in office.stages().items() if at == stage]) == 1
    assert office.stages()[1] == "Production"


def test_what_is_quarantined_is_not_put_back(office):
    office.policy(REVERT)
    live(office, "r1", "r2")
    office.registry.set_tag("taxi", 2, "registrar.quarantined", "by hand")
    by_hand(office, 2, "Archived")
    office.registry.set_alias("taxi", "champion", 1)
    told = reconcile(office)
    assert office.stages()[2] == "Archived"
    assert office.registry.model("taxi").aliases["champion"] == 1
    assert "taxi version 2 is not put back in Production: it is quarantined: by hand" in told
    assert "@champion of taxi is not put back: taxi version 2 is quarantined: by hand" in told
    assert office.holding().get("Production") is None
    assert office.holding()["@champion"] == [1]
    assert reconcile(office) == []


def broken_off(office) -> None:
    """What was to be put back waits for its next attempt."""
    office.policy(REVERT)
    live(office, "r1")
    by_hand(office, 1, "Staging")
    office.registry.fail["set_stage"] = RetryableError("the line is cut")
    office.registry.fail["set_alias"] = RetryableError("the line is cut")
    reconcile(office)


def test_what_is_put_back_late_finds_who_came_meanwhile(office):
    broken_off(office)
    office.registry.fail.clear()
    source = office.registry.sources["r1", "model"]
    office.registry.create_version("taxi", source, run_id="r1", description="", tags={})
    by_hand(office, 2, "Production")
    office.later(minutes=5)
    assert office.stages() == {1: "Staging", 2: "Production"}
    assert office.fact(CHANGED) == "taxi version 1 is not put back in Production: version 2 is there"


@pytest.mark.edits_the_record
def test_an_alias_is_put_back_late_only_where_the_record_has_it_still(office):
    live(office, "r1", "r2")
    office.policy(REVERT)
    office.registry.set_alias("taxi", "champion", 1)
    office.registry.fail["set_alias"] = RetryableError("the line is cut")
    reconcile(office)
    office.policy(POLICY)
    with office.ledger.write() as connection:  # as a promotion of version 1 would leave it
        at_champion = (holders.c.key == "champion") & holders.c.until.is_(None)
        row = dict(connection.execute(select(holders).where(at_champion)).one()._mapping) | {"version": 1}
        connection.execute(
            holders.update().where(at_champion).values(until=row["since"], until_event_id=row["event_id"])
        )
        connection.execute(insert(holders).values({k: v for k, v in row.items() if k != "seq"}))
    office.later(minutes=5)
    assert office.registry.model("taxi").aliases["champion"] == 1


def test_who_is_put_back_is_no_news_where_a_hand_had_put_it(office):
    office.policy(REVERT)
    live(office, "r1")
    by_hand(office, 1, "Staging")
    assert [text for text in reconcile(office) if "Staging" in text] == []
    assert (office.stages(), office.holding()["Production"]) == ({1: "Production"}, [1])
    assert "Staging" not in office.holding()
    assert reconcile(office) == []
