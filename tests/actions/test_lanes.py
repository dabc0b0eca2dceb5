"""Nobody blocks the others: what is pressing overtakes what waits, and what can't be done waits for minutes."""

import re
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from registrar.ledger.lane_priority import Rank
from registrar.ledger.promotions import latest
from registrar.ledger.tables import tasks
from tests.worker.harness import ADA, BOB, POLICY, WorkerHarness
from worker import retry
from worker.registry.protocol import RetryableError

DOWN = RetryableError("reading run r9: the registry does not answer (ConnectionError)")
BROKEN = RetryableError("searching the runs of 'e': the registry answered 503")
TOO_MUCH = {"experiment": "e", "filter_string": "metrics.rmse < 7"}
pytestmark = pytest.mark.both_ledgers


def train(harness: WorkerHarness, *runs: str, rmse: float = 5.0) -> None:
    for run in runs:
        harness.registry.trained(run, rmse=rmse)
        harness.registry.files[f"models/taxi/{len(harness.stages()) + 1}"] = {"MLmodel": b"name: taxi\n"}
        harness.post("training_run.finished", model="taxi", run_id=run)


def promoted(harness: WorkerHarness, *runs: str) -> None:
    for run in runs:
        train(harness, run)
        harness.post("promotion.approve", by=ADA, model="taxi", version=len(harness.stages()))


def stuck(harness: WorkerHarness) -> str:
    """Work of the model that waits for its next attempt."""
    harness.registry.fail["run"] = DOWN
    event = harness.post("training_run.finished", model="taxi", run_id="r9")
    later = harness.now() + timedelta(seconds=100)  # not due while the test looks, however slow the machine is
    with harness.ledger.write() as connection:
        waits = update(tasks).where(tasks.c.event_id == event, tasks.c.state == "queued", tasks.c.attempts == 1)
        assert connection.execute(waits.values(not_before=later)).rowcount == 1
    return event


def state(harness: WorkerHarness, version: int) -> str:
    with harness.ledger.read() as connection:
        found = latest(connection, "taxi", version, "Production")
    assert found
    return found.state


def ranks(harness: WorkerHarness) -> list[int]:
    """Of what is not done yet, in the order of acceptance."""
    query = select(tasks.c.rank).where(tasks.c.state.in_(("queued", "running")), tasks.c.lane == "model:taxi")
    with harness.ledger.read() as connection:
        return list(connection.execute(query.order_by(tasks.c.event_seq)).scalars())


@pytest.mark.parametrize("verdict", ["reject", "cancel"])
def test_a_promotion_is_stopped_while_other_work_waits_for_its_next_attempt(harness, verdict):
    train(harness, "r1")
    waits = stuck(harness)
    harness.post(f"promotion.{verdict}", by=BOB, model="taxi", version=1, reason="no")
    assert state(harness, 1) == ("rejected" if verdict == "reject" else "cancelled")
    assert harness.tasks_of(waits) == [("register", "queued")]


def test_a_bad_version_is_taken_out_meanwhile_with_all_that_belongs_to_it(harness):
    promoted(harness, "r1", "r2")
    waits = stuck(harness)
    harness.post("model.rollback", by=ADA, model="taxi", reason="wrong fares")
    assert harness.stages() == {1: "Production", 2: "Archived"}
    assert harness.tasks_of(waits) == [("register", "queued")]


def test_it_goes_before_what_was_accepted_earlier_and_all_else_keeps_its_order(harness):
    promoted(harness, "r1", "r2")
    for run in ("r3", "r4"):
        harness.registry.trained(run, rmse=5.0)
        harness.accept("training_run.finished", model="taxi", run_id=run)
    harness.accept("model.rollback", by=ADA, model="taxi", reason="wrong fares")
    harness.registry.writes.clear()
    harness.work()
    made = [write[0] for write in harness.registry.writes]
    assert made.index("set_stage") < made.index("create_version")
    assert [version.run_id for version in harness.registry.versions("taxi")] == ["r4", "r3", "r2", "r1"]


@pytest.mark.parametrize("verdict", ["reject", "cancel"])
def test_no_word_on_a_promotion_passes_an_earlier_one(harness, verdict):
    train(harness, "r1")
    stuck(harness)
    harness.accept("promotion.approve", by=ADA, model="taxi", version=1)
    harness.accept(f"promotion.{verdict}", by=BOB, model="taxi", version=1, reason="no")
    assert ranks(harness) == [Rank.ORDINARY] * 3
    harness.until_nothing_waits()
    assert (state(harness, 1), harness.stages()[1]) == ("promoted", "Production")


def test_but_one_on_another_promotion(harness):
    harness.policy(POLICY.replace("{rules: [{group: leads}]}", "{rules: [{group: leads}], on_newer_candidate: keep}"))
    train(harness, "r1", "r2")
    stuck(harness)
    harness.post("promotion.approve", by=ADA, model="taxi", version=1)
    harness.post("promotion.reject", by=BOB, model="taxi", version=2, reason="no")
    assert (state(harness, 1), state(harness, 2)) == ("awaiting_approval", "rejected")


def test_no_rollback_passes_an_earlier_approval(harness):
    promoted(harness, "r1", "r2")
    train(harness, "r3")
    stuck(harness)
    harness.accept("promotion.approve", by=BOB, model="taxi", version=3)
    harness.accept("model.rollback", by=ADA, model="taxi", reason="wrong fares")
    harness.until_nothing_waits()
    assert harness.holding()["Production"] == [3]
    assert "came to Production after Ada asked to go back" in harness.fact("task.refused")


def test_two_rollbacks_keep_their_order(harness):
    promoted(harness, "r1", "r2", "r3")
    stuck(harness)
    for by in (ADA, BOB):
        harness.accept("model.rollback", by=by, model="taxi", reason="wrong fares")
    harness.work()
    assert harness.holding()["Production"] == [2]
    assert "came to Production after Bob asked to go back" in harness.fact("task.refused")


def test_a_word_that_stops_nothing_yet_waits_in_its_place(harness):
    stuck(harness)
    harness.accept("promotion.reject", by=BOB, model="taxi", version=1, reason="no")
    assert ranks(harness) == [Rank.ORDINARY] * 2


AUTOMATIC = POLICY.replace("approval: {rules: [{group: leads}]}", "approval: automatic")


def test_a_move_that_has_begun_is_finished_before_anything_else_is_moved(harness):
    """It left a version in Production that the record knows nothing of: a rollback would take it for a hand's."""
    harness.policy(AUTOMATIC)
    train(harness, "r1", "r2")
    harness.registry.refuse["set_alias"] = lambda model, alias, version: DOWN if alias == "champion" else None
    train(harness, "r3")
    assert harness.stages()[3] == "Production"
    assert harness.holding()["Production"] == [2]
    harness.post("model.rollback", by=ADA, model="taxi", reason="wrong fares")
    assert harness.stages()[2] == "Production"
    assert ranks(harness) == [Rank.HALF_DONE, Rank.PRESSING]
    harness.registry.refuse.clear()
    harness.until_nothing_waits()
    assert harness.holding()["Production"] == [3]
    assert "version 3 of taxi came to Production after Ada asked to go back" in harness.fact("task.refused")


def test_nor_does_it_come_between_a_move_and_the_one_that_is_replaced(harness):
    harness.policy(AUTOMATIC)
    train(harness, "r1", "r2")
    harness.registry.trained("r3", rmse=5.0)
    harness.accept("training_run.finished", model="taxi", run_id="r3")
    for _ in range(40):
        if harness.holding()["Production"] == [3]:
            break
        [task_message] = [one for one in harness.due() if one.name not in ("worker.notify", "worker.reply")][:1]
        harness.run(task_message)
    assert harness.stages()[2] == "Production"
    harness.post("model.rollback", by=ADA, model="taxi", reason="wrong fares")
    assert harness.stages() == {1: "Archived", 2: "Production", 3: "Archived"}


def test_what_the_registry_cannot_do_holds_its_model_up_for_minutes_though_it_says_that_it_is_down(harness):
    """503: as it says while it is down; but others are answered."""
    harness.registry.create_experiment("e", tags={})
    harness.registry.search_runs = lambda *_, **__: (_ for _ in ()).throw(BROKEN)
    began = harness.now()
    event = harness.post("training_run.finished", model="taxi", search=TOO_MUCH)
    behind = harness.accept("training_run.failed", model="taxi")
    harness.until_nothing_waits()
    assert harness.tasks_of(event) == [("register", "dead")]
    assert harness.tasks_of(behind) == [("report", "succeeded")]
    assert (harness.now() - began).total_seconds() < 15 * 60
    assert re.search(r"given up after \d+ attempts; the registry answered others meanwhile", harness.fact("task.dead"))


def test_a_registry_that_comes_and_goes_for_minutes_takes_no_task_with_it(harness):
    """Ten attempts fail by chance, and each time the registry answers right after."""
    harness.registry.trained("r1", rmse=5.0)
    harness.registry.run = lambda *_: (_ for _ in ()).throw(DOWN)
    began = harness.now()
    event = harness.post("training_run.finished", model="taxi", run_id="r1")
    while (harness.now() - began).total_seconds() < 9 * 60:
        harness.later(minutes=1)
    assert doubts(harness, event) >= retry.AMBIGUOUS_ATTEMPTS
    del harness.registry.run
    harness.until_nothing_waits()
    assert harness.stages() == {1: "Staging"}


def doubts(harness, event: str) -> int:
    with harness.ledger.read() as connection:
        return connection.execute(select(tasks.c.doubts).where(tasks.c.event_id == event)).scalar_one()


def test_a_registry_that_answers_nobody_is_waited_for_in_order(harness):
    harness.registry.trained("r1", rmse=5.0)
    harness.registry.run = lambda *_: (_ for _ in ()).throw(DOWN)
    harness.registry.models = lambda **_: (_ for _ in ()).throw(DOWN)
    event = harness.post("training_run.finished", model="taxi", run_id="r1")
    for _ in range(30):
        harness.later(minutes=2)
    assert harness.tasks_of(event) == [("register", "queued")]
    del harness.registry.run, harness.registry.models
    harness.until_nothing_waits()
    assert harness.stages() == {1: "Staging"}


def test_nor_do_answers_count_that_came_after_it_was_up_again(harness):
    """It comes back between an attempt and the question: that is no fault of the task's."""
    event = stuck(harness)
    with harness.ledger.write() as connection:
        connection.execute(update(tasks).where(tasks.c.event_id == event).values(attempts=300))
    harness.registry.fail["run"] = DOWN
    harness.later(minutes=2)
    assert harness.tasks_of(event) == [("register", "queued")]
    with harness.ledger.read() as connection:
        row = connection.execute(select(tasks).where(tasks.c.event_id == event)).one()
    assert (row.attempts, row.doubts) == (301, 2) < (302, retry.AMBIGUOUS_ATTEMPTS)


def test_no_rollback_passes_what_says_where_it_may_go(harness):
    promoted(harness, "r1", "r2")
    harness.post("model.rollback", by=ADA, model="taxi", reason="wrong fares")
    promoted(harness, "r3")
    harness.accept("quarantine.lift", by=ADA, model="taxi", version=2, reason="it was the fares")
    harness.accept("model.rollback", by=ADA, model="taxi", reason="wrong trips", to=2)
    harness.work()
    assert harness.holding()["Production"] == [2]
