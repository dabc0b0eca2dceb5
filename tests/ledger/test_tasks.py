"""The life of a task, on a real database."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection, select
from sqlalchemy.event import listen, remove

from registrar.broker.task_message import TaskMessage
from registrar.events.event import Actor, Event
from registrar.events.incarnation import Incarnation
from registrar.events.outcome import Cause, Fact, FollowUp, Outcome
from registrar.events.types import parse
from registrar.ledger import Ledger, row_ids, task_dispatch, tasks
from registrar.ledger.deliveries import DeliveryConflict, accept
from registrar.ledger.event_rows import Delivery
from registrar.ledger.lane_priority import Rank
from registrar.ledger.queries.queue import first_in_line
from registrar.ledger.tables import tasks as table
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
        with pytest.raises(tasks.LeaseLost, match=late.id), ledger.write() as connection:
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
    [task_message] = post(ledger, moved()).task_messages
    task = claim(ledger, task_message)
    with ledger.write() as connection:
        tasks.renew(connection, task, at=seconds(10))
    assert sweep(ledger, seconds(tasks.LEASE_SECONDS + 9)) == []
    assert row(ledger, task.id).rank == Rank.ORDINARY, "no write was announced"


def test_a_fresh_lease_is_checked_and_not_written_again(ledger):
    [task_message] = post(ledger, moved()).task_messages
    task = claim(ledger, task_message)
    with ledger.write() as connection:
        tasks.renew(connection, task, at=seconds(1))
        assert _writes(connection, lambda: tasks.renew(connection, task, at=seconds(2))) == 0
        tasks.renew(connection, task, at=seconds(2), writes=True)
        assert _writes(connection, lambda: tasks.renew(connection, task, at=seconds(4), writes=True)) == 0
    held = row(ledger, task.id)
    assert (held.rank, held.lease_until) == (Rank.HALF_DONE, seconds(2 + tasks.LEASE_SECONDS))


def test_a_lease_that_ends_after_any_new_one_would_is_written_again(ledger):
    """The worker's clock was put back."""
    [task_message] = post(ledger).task_messages
    task = claim(ledger, task_message, at=seconds(60))
    with ledger.write() as connection:
        tasks.renew(connection, task, at=seconds(1))
    assert row(ledger, task.id).lease_until == seconds(1 + tasks.LEASE_SECONDS)


def test_a_task_that_is_queued_and_published_in_one_commit_is_written_once(ledger):
    [task_message] = post(ledger).task_messages
    task = claim(ledger, task_message)
    outcome = Outcome("", follow_ups=(FollowUp("worker.request"),))
    with ledger.write() as connection:
        published: list[TaskMessage] = []
        writes = _writes(
            connection, lambda: published.extend(tasks.finish(connection, task, "succeeded", outcome, at=NOON))
        )
    assert (writes, [each.name for each in published]) == (2, ["worker.request"])


def _writes(connection: Connection, act: Callable[[], object]) -> int:
    """Return how many statements that `act` ran were no SELECT."""
    statements: list[str] = []

    def note(conn, cursor, statement, *rest):
        statements.append(statement)

    listen(connection, "before_cursor_execute", note)
    act()
    remove(connection, "before_cursor_execute", note)
    return sum(not statement.lstrip().startswith("SELECT") for statement in statements)


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
    again = claim(ledger, task_message, at=seconds(60))
    assert (again.attempts, again.doubts) == (2, 0)


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


def row(ledger: Ledger, task_id: str):
    with ledger.read() as connection:
        return connection.execute(select(table).where(table.c.id == task_id)).one()


def moved(version: int = 1) -> Event:
    data = parse("model_version.transition", {"model": "taxi", "version": version, "stage": "Archived"})
    return Event(data, Actor("ada", "Ada"), NOON, reply_to="sealed")


def test_a_claimed_task_comes_with_its_event(ledger):
    [task_message], [(event_id, _)] = (answer := post(ledger, moved())).task_messages, answer.events
    task = claim(ledger, task_message, at=seconds(1))
    assert (task.id, task.name, task.lane, task.args) == (task_message.task_id, "worker.transition", "model:taxi", {})
    assert (task.attempts, task.crashes, task.doubts, task.started_at) == (1, 0, 0, seconds(1))
    assert (task.event_id, task.event_type, task.accepted_at) == (event_id, "model_version.transition", NOON)
    assert (task.actor, task.actor_name, task.source, task.reply_to) == ("ada", "Ada", "ci", "sealed")
    assert (task.data["stage"], task.event_seq, task.original_seq) == ("Archived", 1, 1)
    assert (task.first, task.of_model, len(task.lease)) == (True, True, 32)
    seen = {("taxi", 1): Incarnation("taxi", 1, NOON, "r1", "models:/m-1", "http://mlflow")}
    assert task.cause(seconds(2), Outcome("", seen=seen)) == Cause(event_id, "ada", "Ada", seconds(2), seen)
    held = row(ledger, task.id)
    assert (held.state, held.lease, held.lease_until) == ("running", task.lease, seconds(1 + tasks.LEASE_SECONDS))


def test_how_a_task_ended_stays_with_it(ledger):
    [task_message] = post(ledger).task_messages
    task = claim(ledger, task_message)
    outcome = Outcome("no such run", facts=(Fact("model_version.held_back", "held back", "taxi", 1),))
    with ledger.write() as connection:
        tasks.finish(connection, task, "failed", outcome, error="404", at=seconds(5))
    ended = row(ledger, task.id)
    assert (ended.state, ended.error, ended.finished_at) == ("failed", "404", seconds(5))
    assert (ended.lease, ended.lease_until) == (None, None)
    assert (ended.outcome["summary"], ended.outcome["facts"][0]["text"]) == ("no such run", "held back")


def test_what_a_retry_is_for_stays_with_the_task_until_it_is_claimed(ledger):
    [task_message] = post(ledger).task_messages
    for doubts, doubted in ((0, False), (1, True), (2, True)):
        task = claim(ledger, task_message, at=seconds(100 * doubts))
        with ledger.write() as connection:
            tasks.retry(connection, task, delay=60, error="busy", at=seconds(100 * doubts), doubted=doubted)
        back = row(ledger, task.id)
        assert (back.state, back.error, back.doubts, back.lease, back.lease_until) == (
            "queued",
            "busy",
            doubts,
            None,
            None,
        )
        assert back.not_before == back.dispatch_at == seconds(100 * doubts + 60)
    with pytest.raises(tasks.LeaseLost, match=task.id), ledger.write() as connection:
        tasks.retry(connection, task, delay=60, error="busy", at=seconds(500))


def test_a_task_that_waits_lets_the_next_of_its_lane_overtake_nothing(ledger):
    [first, _] = [post(ledger, id=id).task_messages[0] for id in "12"]
    task = claim(ledger, first)
    with ledger.write() as connection:
        assert tasks.retry(connection, task, delay=60, error="busy", at=NOON) == []


def test_what_a_task_is_bound_to_is_read_with_it_and_no_late_worker_changes_it(ledger):
    [task_message] = post(ledger).task_messages
    task = claim(ledger, task_message)
    with ledger.write() as connection:
        tasks.bind_version(connection, task, "2026-11-22T11:00:00+00:00")
    with ledger.read() as connection:
        bound = tasks.get(connection, task.id)
    assert bound.args == {tasks.BOUND_VERSION: "2026-11-22T11:00:00+00:00"}
    assert bound.first
    finish(ledger, task)
    with pytest.raises(tasks.LeaseLost, match=task.id), ledger.write() as connection:
        tasks.bind_version(connection, task, "2026-11-22T12:00:00+00:00")


@pytest.mark.parametrize(
    ("event", "writes", "rank"),
    [(moved(), True, Rank.HALF_DONE), (moved(), False, Rank.ORDINARY), (finished(), True, Rank.ORDINARY)],
)
def test_only_a_move_that_writes_to_the_registry_is_to_be_finished_before_others(ledger, event, writes, rank):
    [task_message] = post(ledger, event).task_messages
    task = claim(ledger, task_message)
    with ledger.write() as connection:
        tasks.renew(connection, task, at=seconds(3), writes=writes)
    held = row(ledger, task.id)
    assert (held.rank, held.lease_until) == (rank, seconds(3 + tasks.LEASE_SECONDS))


@pytest.mark.parametrize(("finishes", "rank"), [(True, Rank.HALF_DONE), (False, Rank.ORDINARY)])
def test_a_follow_up_is_its_events_and_is_published_at_once(ledger, finishes, rank):
    [task_message], [(event_id, _)] = (answer := post(ledger)).task_messages, answer.events
    follow_up = FollowUp("worker.request", {"version": 3}, finishes=finishes)
    [next_one] = finish(ledger, claim(ledger, task_message), Outcome("", follow_ups=(follow_up,)), at=seconds(7))
    queued = row(ledger, next_one.task_id)
    assert (queued.event_id, queued.event_seq, queued.lane) == (event_id, 1, "model:taxi")
    assert (queued.name, queued.args, queued.rank) == ("worker.request", {"version": 3}, rank)
    assert (queued.state, queued.not_before, queued.created_at) == ("queued", seconds(7), seconds(7))
    assert queued.dispatch_at == seconds(7 + task_dispatch.REDELIVER_AFTER)


def test_what_is_discovered_is_written_at_once_and_the_task_goes_on(ledger):
    [task_message] = post(ledger).task_messages
    task = claim(ledger, task_message)
    found = Outcome("", follow_ups=(FollowUp("worker.notify", lane="notify:x"), FollowUp("worker.request")))
    with ledger.write() as connection:
        published = tasks.record_discovery(connection, task, found, at=seconds(4))
    assert [each.name for each in published] == ["worker.notify"]
    held = row(ledger, task.id)
    assert (held.state, held.lease_until) == ("running", seconds(4 + tasks.LEASE_SECONDS))
    with ledger.read() as connection:
        waits = connection.execute(select(table).where(table.c.name == "worker.request")).one()
    assert waits.dispatch_at == seconds(4 + task_dispatch.REDELIVER_AFTER)
    assert [each.name for each in finish(ledger, task, at=seconds(5))] == ["worker.request"]
    with pytest.raises(tasks.LeaseLost), ledger.write() as connection:
        tasks.record_discovery(connection, task, found, at=seconds(6))


def test_a_task_that_is_put_back_at_once_is_due_at_once(ledger):
    [task_message] = post(ledger).task_messages
    task = claim(ledger, task_message)
    with ledger.write() as connection:
        tasks.release(connection, task, at=seconds(3))
    back = row(ledger, task.id)
    assert (back.state, back.not_before, back.lease, back.lease_until) == ("queued", seconds(3), None, None)
    assert back.dispatch_at == seconds(3 + task_dispatch.REDELIVER_AFTER)


def test_ids_sort_by_the_time_they_were_made_at(monkeypatch):
    made = []
    for milliseconds in (1, 1_700_000_000_000, 1_700_000_000_001):
        monkeypatch.setattr(row_ids.time, "time_ns", lambda now=milliseconds: now * 1_000_000 + 999_999)
        made.append(row_ids.new_id("tsk"))
    assert made == sorted(made)
    assert all(len(id) == len("tsk_") + 12 + 20 for id in made)
    assert [int(id[4:16], 16) for id in made] == [1, 1_700_000_000_000, 1_700_000_000_001]


def test_what_is_queued_or_running_is_unfinished(ledger):
    messages = [post(ledger, finished(model), id=model).task_messages[0] for model in "abc"]
    claim(ledger, messages[0])
    finish(ledger, claim(ledger, messages[1]))
    with ledger.read() as connection:
        assert tasks.unfinished(connection) == 2


def test_a_sweep_may_take_a_message_for_lost_sooner(ledger):
    [task_message] = post(ledger).task_messages
    for at, lost in ((3, []), (5, [task_message])):
        with ledger.write() as connection:
            assert task_dispatch.sweep(connection, at=seconds(at), lost_after=5) == lost


def test_a_sweep_that_takes_messages_for_lost_sooner_publishes_no_retry_before_it_is_due(ledger):
    [task_message] = post(ledger).task_messages
    task = claim(ledger, task_message)
    with ledger.write() as connection:
        tasks.retry(connection, task, delay=60, error="registry down", at=NOON)
    for at, due in ((57, []), (60, [task_message])):
        with ledger.write() as connection:
            assert task_dispatch.sweep(connection, at=seconds(at), lost_after=5) == due


def test_a_sweep_after_an_outage_takes_no_task_from_its_worker(ledger):
    [task_message] = post(ledger).task_messages
    task = claim(ledger, task_message)
    with ledger.write() as connection:
        assert task_dispatch.sweep(connection, at=seconds(60), reap=False) == []
    finish(ledger, task, at=seconds(61))


def test_a_sweep_publishes_so_many_and_the_next_one_the_rest(ledger, monkeypatch):
    monkeypatch.setattr(task_dispatch, "MOST_REDELIVERED", 2)
    messages = [post(ledger, finished(model), id=model).task_messages[0] for model in "abc"]
    assert sweep(ledger, seconds(11)) == messages[:2]
    assert sweep(ledger, seconds(12)) == messages[2:]


def test_of_the_waiting_messages_no_more_are_counted_than_there_may_be_rows(ledger, monkeypatch):
    monkeypatch.setattr(task_dispatch, "MOST_REDELIVERED", 1)
    monkeypatch.setattr(task_dispatch, "MOST_WAITING", 1)
    messages = [post(ledger, finished(model), id=model).task_messages[0] for model in "abcd"]
    assert sweep(ledger, seconds(11), waiting=1) == messages[:1]


def test_the_next_message_is_that_of_the_first_task_of_these_names(ledger):
    first, move, last = (
        post(ledger, event, id=str(id)).task_messages[0]
        for id, event in enumerate((finished("a"), moved(), finished("b")))
    )

    def next_of(*names: str) -> list[TaskMessage]:
        with ledger.write() as connection:
            return task_dispatch.next_message(connection, names, at=NOON)

    assert next_of("worker.transition") == [move]
    assert next_of("worker.register", "worker.transition") == [first]
    assert next_of("worker.rollback") == []
    claim(ledger, first)
    assert next_of("worker.register") == [last]
