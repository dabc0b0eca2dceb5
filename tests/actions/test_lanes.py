"""Nobody blocks the others: what is pressing overtakes what waits, and what can't be done waits for minutes."""

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from registrar.ledger.lane_priority import Rank
from registrar.ledger.promotions import latest
from registrar.ledger.tables import tasks
from tests.worker.harness import ADA, BOB, POLICY, Office
from worker import retry
from worker.registry.protocol import RetryableError

DOWN = RetryableError("reading run r9: the registry does not answer (ConnectionError)")
BROKEN = RetryableError("searching the runs of 'e': the registry answered 503")
TOO_MUCH = {"experiment": "e", "filter_string": "metrics.rmse < 7"}
pytestmark = pytest.mark.both_ledgers


def train(office: Office, *runs: str, rmse: float = 5.0) -> None:
    for run in runs:
        office.registry.trained(run, rmse=rmse)
        office.registry.files[f"models/taxi/{len(office.stages()) + 1}"] = {"MLmodel": b"name: taxi\n"}
        office.post("training_run.finished", model="taxi", run_id=run)


def promoted(office: Office, *runs: str) -> None:
    for run in runs:
        train(office, run)
        office.post("promotion.approve", by=ADA, model="taxi", version=len(office.stages()))


def stuck(office: Office) -> str:
    """Work of the model that waits for its next attempt."""
    office.registry.fail["run"] = DOWN
    event = office.post("training_run.finished", model="taxi", run_id="r9")
    later = office.now() + timedelta(seconds=100)  # not due while the test looks, however slow the machine is
    with office.ledger.write() as connection:
        waits = update(tasks).where(tasks.c.event_id == event, tasks.c.state == "queued", tasks.c.attempts == 1)
        assert connection.execute(waits.values(not_before=later)).rowcount == 1
    return event


def state(office: Office, version: int) -> str:
    with office.ledger.read() as connection:
        found = latest(connection, "taxi", version, "Production")
    assert found
    return found.state


def ranks(office: Office) -> list[int]:
    """Of what is not done yet, in the order of acceptance."""
    query = select(tasks.c.rank).where(tasks.c.state.in_(("queued", "running")), tasks.c.lane == "model:taxi")
    with office.ledger.read() as connection:
        return list(connection.execute(query.order_by(tasks.c.event_seq)).scalars())


@pytest.mark.parametrize("verdict", ["reject", "cancel"])
def test_a_promotion_is_stopped_while_other_work_waits_for_its_next_attempt(office, verdict):
    train(office, "r1")
    waits = stuck(office)
    office.post(f"promotion.{verdict}", by=BOB, model="taxi", version=1, reason="no")
    assert state(office, 1) == ("rejected" if verdict == "reject" else "cancelled")
    assert office.tasks_of(waits) == [("register", "queued")]


def test_a_bad_version_is_taken_out_meanwhile_with_all_that_belongs_to_it(office):
    promoted(office, "r1", "r2")
    waits = stuck(office)
    office.post("model.rollback", by=ADA, model="taxi", reason="wrong fares")
    assert office.stages() == {1: "Production", 2: "Archived"}
    assert office.tasks_of(waits) == [("register", "queued")]


def test_it_goes_before_what_was_accepted_earlier_and_all_else_keeps_its_order(office):
    promoted(office, "r1", "r2")
    for run in ("r3", "r4"):
        office.registry.trained(run, rmse=5.0)
        office.accept("training_run.finished", model="taxi", run_id=run)
    office.accept("model.rollback", by=ADA, model="taxi", reason="wrong fares")
    office.registry.writes.clear()
    office.work()
    made = [write[0] for write in office.registry.writes]
    assert made.index("set_stage") < made.index("create_version")
    assert [version.run_id for version in office.registry.versions("taxi")] == ["r4", "r3", "r2", "r1"]


@pytest.mark.parametrize("verdict", ["reject", "cancel"])
def test_no_word_on_a_promotion_passes_an_earlier_one(office, verdict):
    train(office, "r1")
    stuck(office)
    office.accept("promotion.approve", by=ADA, model="taxi", version=1)
    office.accept(f"promotion.{verdict}", by=BOB, model="taxi", version=1, reason="no")
    assert ranks(office) == [Rank.ORDINARY] * 3
    office.until_nothing_waits()
    assert (state(office, 1), office.stages()[1]) == ("promoted", "Production")


def test_but_one_on_another_promotion(office):
    office.policy(POLICY.replace("{rules: [{group: leads}]}", "{rules: [{group: leads}], on_newer_candidate: keep}"))
    train(office, "r1", "r2")
    stuck(office)
    office.post("promotion.approve", by=ADA, model="taxi", version=1)
    office.post("promotion.reject", by=BOB, model="taxi", version=2, reason="no")
    assert (state(office, 1), state(office, 2)) == ("awaiting_approval", "rejected")


def test_no_rollback_passes_an_earlier_approval(office):
    promoted(office, "r1", "r2")
    train(office, "r3")
    stuck(office)
    office.accept("promotion.approve", by=BOB, model="taxi", version=3)
    office.accept("model.rollback", by=ADA, model="taxi", reason="wrong fares")
    office.until_nothing_waits()
    assert office.holding()["Production"] == [3]
    assert "came to Production after Ada asked to go back" in office.fact("task.refused")


def test_two_rollbacks_keep_their_order(office):
    promoted(office, "r1", "r2", "r3")
    stuck(office)
    for by in (ADA, BOB):
        office.accept("model.rollback", by=by, model="taxi", reason="wrong fares")
    office.work()
    assert office.holding()["Production"] == [2]
    assert "came to Production after Bob asked to go back" in office.fact("task.refused")


def test_a_word_that_stops_nothing_yet_waits_in_its_place(office):
    stuck(office)
    office.accept("promotion.reject", by=BOB, model="taxi", version=1, reason="no")
    assert ranks(office) == [Rank.ORDINARY] * 2


AUTOMATIC = POLICY.replace("approval: {rules: [{group: leads}]}", "approval: automatic")


def test_a_move_that_has_begun_is_finished_before_anything_else_is_moved(office):
    """It left a version in Production that the record knows nothing of: a rollback would take it for a hand's."""
    office.policy(AUTOMATIC)
    train(office, "r1", "r2")
    office.registry.refuse["set_alias"] = lambda model, alias, version: DOWN if alias == "champion" else None
    train(office, "r3")
    assert office.stages()[3] == "Production"
    assert office.holding()["Production"] == [2]
    office.post("model.rollback", by=ADA, model="taxi", reason="wrong fares")
    assert office.stages()[2] == "Production"
    assert ranks(office) == [Rank.HALF_DONE, Rank.PRESSING]
    office.registry.refuse.clear()
    office.until_nothing_waits()
    assert office.holding()["Production"] == [3]
    assert "version 3 of taxi came to Production after Ada asked to go back" in office.fact("task.refused")


def test_nor_does_it_come_between_a_move_and_the_one_that_is_replaced(office):
    office.policy(AUTOMATIC)
    train(office, "r1", "r2")
    office.registry.trained("r3", rmse=5.0)
    office.accept("training_run.finished", model="taxi", run_id="r3")
    for _ in range(40):
        if office.holding()["Production"] == [3]:
            break
        [task_message] = [one for one in office.due() if one.name not in ("worker.notify", "worker.reply")][:1]
        office.run(task_message)
    assert office.stages()[2] == "Production"
    office.post("model.rollback", by=ADA, model="taxi", reason="wrong fares")
    assert office.stages() == {1: "Archived", 2: "Production", 3: "Archived"}


def test_what_the_registry_cannot_do_holds_its_model_up_for_minutes_though_it_says_that_it_is_down(office):
    """503: as it says while it is down; but others are answered."""
    office.registry.create_experiment("e", tags={})
    office.registry.search_runs = lambda *_, **__: (_ for _ in ()).throw(BROKEN)
    began = office.now()
    event = office.post("training_run.finished", model="taxi", search=TOO_MUCH)
    behind = office.accept("training_run.failed", model="taxi")
    office.until_nothing_waits()
    assert office.tasks_of(event) == [("register", "dead")]
    assert office.tasks_of(behind) == [("report", "succeeded")]
    assert (office.now() - began).total_seconds() < 15 * 60
    assert "given up after 10 attempts; the registry answered others meanwhile" in office.fact("task.dead")


def test_a_registry_that_answers_nobody_is_waited_for_in_order(office):
    office.registry.trained("r1", rmse=5.0)
    office.registry.run = lambda *_: (_ for _ in ()).throw(DOWN)
    office.registry.models = lambda **_: (_ for _ in ()).throw(DOWN)
    event = office.post("training_run.finished", model="taxi", run_id="r1")
    for _ in range(30):
        office.later(minutes=2)
    assert office.tasks_of(event) == [("register", "queued")]
    del office.registry.run, office.registry.models
    office.until_nothing_waits()
    assert office.stages() == {1: "Staging"}


def test_nor_do_answers_count_that_came_after_it_was_up_again(office):
    """It comes back between an attempt and the question: that is no fault of the task's."""
    event = stuck(office)
    with office.ledger.write() as connection:
        connection.execute(update(tasks).where(tasks.c.event_id == event).values(attempts=300))
    office.registry.fail["run"] = DOWN
    office.later(minutes=2)
    assert office.tasks_of(event) == [("register", "queued")]
    with office.ledger.read() as connection:
        row = connection.execute(select(tasks).where(tasks.c.event_id == event)).one()
    assert (row.attempts, row.doubts) == (301, 2) < (302, retry.DOUBTFUL_ATTEMPTS)


def test_no_rollback_passes_what_says_where_it_may_go(office):
    promoted(office, "r1", "r2")
    office.post("model.rollback", by=ADA, model="taxi", reason="wrong fares")
    promoted(office, "r3")
    office.accept("quarantine.lift", by=ADA, model="taxi", version=2, reason="it was the fares")
    office.accept("model.rollback", by=ADA, model="taxi", reason="wrong trips", to=2)
    office.work()
    assert office.holding()["Production"] == [2]
