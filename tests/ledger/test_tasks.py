"""The life of a task, on a real database."""

from datetime import UTC, datetime, timedelta

import pytest

from registrar.broker.celery_app import TaskMessage
from registrar.events.event import Actor, Event
from registrar.events.outcome import FollowUp, Outcome
from registrar.events.types import parse
from registrar.ledger import Ledger, task_dispatch, tasks
from registrar.ledger.deliveries import DeliveryConflict, accept
from registrar.ledger.event_rows import Delivery
from registrar.ledger.queries.queue import first_in_line
from worker.retry import LONGEST_PAUSE

pytestmark = pytest.mark.both_ledgers

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
DONE = Outcome("done")


def seconds(n: float) -> datetime:
    return NOON + timedelta(seconds=n)


def finished(model: str = "taxi", run: str = "r1") -> Event:
    return Event(parse("training_run.finished", {"model": model, "run_id": run}), Actor("source:ci", "ci"), NOON)


def post(ledger: Ledger, *events: Event, id: str = "msg_1", body: str = "a" * 64):
    with ledger.write() as connection:
        return accept(connection, Delivery("ci", id, body), events or [finished()], at=NOON)


def claim(ledger: Ledger, task_message: TaskMessage, at: datetime = NOON):
    with ledger.write() as connection:
        return tasks.claim(connection, task_message.task_id, at=at)


def finish(ledger: Ledger, task, outcome: Outcome = DONE, at: datetime = NOON) -> list[TaskMessage]:
    with ledger.write() as connection:
        return tasks.finish(connection, task, "succeeded", outcome, at=at)


def sweep(ledger: Ledger, at: datetime, waiting: int = 0) -> list[TaskMessage]:
    with ledger.write() as connection:
        return task_dispatch.sweep(connection, at=at, waiting=waiting)


def test_a_repeated_delivery_gets_the_first_answer_and_no_second_task(ledger):
    first = post(ledger)
    again = post(ledger)
    assert (again.events, again.task_messages, again.repeated) == (first.events, [], True)


def test_a_delivery_id_with_another_body_is_a_conflict(ledger):
    post(ledger)
    with pytest.raises(DeliveryConflict, match="use a new id"):
        post(ledger, body="b" * 64)


def test_a_task_is_claimed_once(ledger):
    [task_message] = post(ledger).task_messages
    task = claim(ledger, task_message)
    assert task.name == "worker.register"
    assert task.data["run_id"] == "r1"
    assert claim(ledger, task_message) is None


def test_a_lane_runs_in_the_order_of_acceptance(ledger):
    [first] = post(ledger, id="1").task_messages
    [second] = post(ledger, id="2").task_messages
    [other] = post(ledger, finished("other"), id="3").task_messages
    assert claim(ledger, second) is None
    assert claim(ledger, other) is not None
    task = claim(ledger, first)
    assert claim(ledger, second) is None
    assert finish(ledger, task) == [second]
    assert claim(ledger, second) is not None


def test_a_follow_up_comes_before_the_next_event_of_its_lane(ledger):
    [first] = post(ledger, id="1").task_messages
    [second] = post(ledger, id="2").task_messages
    [follow_up] = finish(ledger, claim(ledger, first), Outcome("", follow_ups=(FollowUp("worker.request"),)))
    assert follow_up.name == "worker.request"
    assert claim(ledger, second) is None
    assert finish(ledger, claim(ledger, follow_up)) == [second]


def test_a_follow_up_in_a_lane_of_its_own_holds_nothing_up(ledger):
    [first] = post(ledger, id="1").task_messages
    [second] = post(ledger, id="2").task_messages
    task_messages = finish(
        ledger, claim(ledger, first), Outcome("", follow_ups=(FollowUp("worker.notify", lane="notify:x"),))
    )
    assert {task_message.name for task_message in task_messages} == {"worker.notify", "worker.register"}
    assert claim(ledger, second) is not None


def test_a_lost_bell_is_rung_again(ledger):
    [task_message] = post(ledger).task_messages
    assert sweep(ledger, seconds(5)) == []
    assert sweep(ledger, seconds(11)) == [task_message]
    assert sweep(ledger, seconds(12)) == []


def test_what_waits_to_be_heard_is_not_rung_for_again(ledger):
    task_messages = [post(ledger, finished(model), id=model).task_messages[0] for model in ("a", "b", "c")]
    assert sweep(ledger, seconds(11), waiting=3) == []
    assert sweep(ledger, seconds(11), waiting=1) == task_messages[:2]
    assert sweep(ledger, seconds(22), waiting=2) == task_messages[2:]  # longest unheard of
    assert sweep(ledger, seconds(33)) == task_messages


def test_what_was_put_back_is_rung_for_however_many_bells_wait(ledger):
    task_messages = [post(ledger, finished(model), id=model).task_messages[0] for model in ("waits", "retried", "held")]
    task = claim(ledger, task_messages[1])
    claim(ledger, task_messages[2])
    with ledger.write() as connection:
        tasks.retry(connection, task, delay=1, error="registry down", at=NOON)
    assert sweep(ledger, seconds(2), waiting=1000) == [task_messages[1]]
    assert sweep(ledger, seconds(tasks.LEASE_SECONDS + 1), waiting=1000) == [task_messages[2]]
    assert sweep(ledger, seconds(30), waiting=1000) == []


def test_a_dead_workers_task_runs_again_and_its_late_writes_are_refused(ledger):
    [task_message] = post(ledger).task_messages
    late = claim(ledger, task_message)
    assert sweep(ledger, seconds(tasks.LEASE_SECONDS - 1)) == []
    assert sweep(ledger, seconds(tasks.LEASE_SECONDS + 1)) == [task_message]
    second = claim(ledger, task_message, at=seconds(tasks.LEASE_SECONDS + 1))
    assert second.attempts == 2
    for write in (tasks.renew, lambda c, t, at: tasks.finish(c, t, "succeeded", DONE, at=at)):
        with pytest.raises(tasks.LeaseLost), ledger.write() as connection:
            write(connection, late, at=seconds(tasks.LEASE_SECONDS + 2))
    finish(ledger, second, at=seconds(tasks.LEASE_SECONDS + 3))


def test_a_released_task_is_another_workers_at_once(ledger):
    [task_message, other] = post(ledger, finished(), finished("bus")).task_messages
    task = claim(ledger, task_message)
    with ledger.write() as connection:
        assert tasks.release(connection, task, at=seconds(1)) == [task_message]
    with pytest.raises(tasks.LeaseLost):
        finish(ledger, task, at=seconds(2))
    again = claim(ledger, task_message, at=seconds(2))
    assert (again.attempts, again.crashes) == (2, 0)
    with ledger.write() as connection:
        assert tasks.release(connection, task, at=seconds(3)) == []
    finish(ledger, again, at=seconds(4))
    assert claim(ledger, other, at=seconds(4)) is not None


def test_a_renewed_lease_holds(ledger):
    [task_message] = post(ledger).task_messages
    task = claim(ledger, task_message)
    with ledger.write() as connection:
        tasks.renew(connection, task, at=seconds(10))
    assert sweep(ledger, seconds(tasks.LEASE_SECONDS + 9)) == []


def test_how_often_a_task_took_its_worker_down_is_counted(ledger):
    [task_message] = post(ledger).task_messages
    at = NOON
    for crashes in range(3):
        assert claim(ledger, task_message, at=at).crashes == crashes
        at += timedelta(seconds=tasks.LEASE_SECONDS + 1)
        assert sweep(ledger, at) == [task_message]


def test_a_retry_is_claimed_when_it_is_due(ledger):
    [task_message] = post(ledger).task_messages
    task = claim(ledger, task_message)
    with ledger.write() as connection:
        tasks.retry(connection, task, delay=60, error="registry down", at=NOON)
    assert claim(ledger, task_message, at=seconds(59)) is None
    assert sweep(ledger, seconds(59)) == []
    assert sweep(ledger, seconds(60)) == [task_message]
    assert claim(ledger, task_message, at=seconds(60)).attempts == 2


def test_a_clock_that_was_ahead_holds_nothing_up_once_it_is_put_back(ledger):
    """It ran an hour ahead while one task was begun, one put back, and one accepted."""
    task_messages = [
        post(ledger, finished(model), id=model).task_messages[0] for model in ("held", "retried", "ringing")
    ]
    ahead = seconds(3600)
    claim(ledger, task_messages[0], at=ahead)
    retried = claim(ledger, task_messages[1], at=ahead)
    with ledger.write() as connection:
        tasks.retry(connection, retried, delay=60, error="registry down", at=ahead)
    sweep(ledger, ahead)
    assert set(sweep(ledger, seconds(1))) == set(task_messages)
    assert all(claim(ledger, task_message, at=seconds(2)) for task_message in task_messages)


def test_a_task_that_is_put_back_for_as_long_as_there_is_waits(ledger):
    [task_message] = post(ledger).task_messages
    task = claim(ledger, task_message)
    with ledger.write() as connection:
        tasks.retry(connection, task, delay=LONGEST_PAUSE, error="registry down", at=NOON)
    assert (sweep(ledger, seconds(1)), claim(ledger, task_message, at=seconds(1))) == ([], None)


def test_first_in_line_is_who_stands_behind_nobody_queued(ledger):
    [first, second] = [post(ledger, id=id).task_messages[0] for id in "12"]
    [alone] = post(ledger, finished("bus"), id="3").task_messages
    with ledger.read() as connection:
        found = first_in_line(connection, [first.task_id, second.task_id, alone.task_id])
        assert found == {first.task_id, alone.task_id}
        assert first_in_line(connection, [second.task_id]) == set()


def test_who_stands_behind_a_running_one_is_rung_as_that_may_have_looked_already(ledger):
    [first, second] = [post(ledger, id=id).task_messages[0] for id in "12"]
    claim(ledger, first)
    with ledger.read() as connection:
        assert first_in_line(connection, [second.task_id]) == {second.task_id}
