"""Bounds on what is not done yet: who is refused, who still gets through, and where it can be seen."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import update

from registrar.events.event import Actor, Event
from registrar.events.types import parse as parse_event
from registrar.ledger import capacity
from registrar.ledger.capacity import LEAST_FREE
from registrar.ledger.deliveries import accept
from registrar.ledger.event_rows import Delivery
from registrar.ledger.queries.queue import unfinished
from registrar.ledger.tables import rejections, tasks
from registrar.policy.load import parse
from tests.webhooks.conftest import OLD, Receiver, finished
from tests.webhooks.test_metrics import LOCAL
from webhooks.app import create_app
from webhooks.ingress.rejection_log import MOST

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
BOUNDED = """
version: 1
max_unfinished: {most}
sources:
  ci: {{kind: standard, secrets: [env:CI_SECRET], max_unfinished: {own}, may: [{{events: ["*"], models: ["*"]}}]}}
  other: {{kind: standard, secrets: [env:OLD_SECRET], may: [{{events: ["*"], models: ["*"]}}]}}
"""


@pytest.fixture
def bounded(ledger, settings, monkeypatch):
    """A receiver with these bounds, that counts each time."""
    monkeypatch.setattr(capacity, "FRESH", 0.0)
    monkeypatch.setattr(capacity, "_SHARE", 0)
    monkeypatch.setattr(capacity, "STALE", 0.0)

    def start(*, own: int = 1000, most: int = 1000) -> Receiver:
        policy = parse(BOUNDED.format(own=own, most=most))
        return Receiver(create_app(settings, policy=policy).test_client(), ledger, settings)

    return start


def flood(receiver: Receiver, number: int, **more) -> list[int]:
    return [receiver.send(finished(run_id=f"r{n}"), **more).status_code for n in range(number)]


def done(receiver: Receiver) -> None:
    with receiver.ledger.write() as connection:
        connection.execute(update(tasks).values(state="succeeded"))


def test_a_source_over_its_bound_is_503_and_the_others_are_not(bounded):
    receiver = bounded(own=3)
    assert flood(receiver, 5) == [202, 202, 202, 503, 503]
    assert receiver.send(finished(), to="other", secret=OLD).status_code == 202
    assert flood(bounded(own=4), 2) == [202, 503]


def test_over_the_bound_in_all_everybody_waits(bounded):
    receiver = bounded(most=10)
    assert flood(receiver, 11) == [202] * 10 + [503]
    assert receiver.send(finished(), to="other", secret=OLD).status_code == 503
    assert bounded(most=20).send(finished(), to="other", secret=OLD).status_code == 202


def test_who_must_wait_is_told_how_much_waits_and_when_to_come_again(bounded):
    receiver = bounded(own=2)
    flood(receiver, 2)
    answer = receiver.send(finished())
    assert (answer.json["code"], answer.headers["Retry-After"]) == ("too_much_waiting", "30")
    assert answer.json["detail"] == (
        "2 tasks of ci are not done yet, and 2 may wait (sources.ci.max_unfinished); "
        "nothing was accepted, send it again in 30 s"
    )
    assert len(receiver.events()) == 2
    assert receiver.rejections() == [("ci", 503, "too_much_waiting")]


def test_when_the_work_is_done_there_is_room_again(bounded):
    receiver = bounded(own=1)
    flood(receiver, 2)
    done(receiver)
    assert receiver.send(finished(run_id="later")).status_code == 202


def test_a_full_house_takes_what_people_decide(bounded):
    receiver = bounded(most=10)
    flood(receiver, 10)
    about = {"model": "nyc-taxi-regressor", "version": 1}
    decided = {"type": "promotion.reject", "timestamp": "2026-11-22T12:00:00Z", "data": about}
    assert receiver.send(decided).status_code == 202
    answer = receiver.send(decided)
    assert (answer.status_code, "11 may wait" in answer.json["detail"]) == (503, True)


def test_what_was_accepted_before_is_answered_as_ever(bounded):
    receiver = bounded(own=1)
    first = receiver.send(finished(), id="msg_1")
    again = receiver.send(finished(), id="msg_1")
    assert (again.status_code, again.json["events"]) == (200, first.json["events"])
    assert receiver.send(finished(run_id="r2"), id="msg_1").status_code == 409


def test_between_two_counts_it_counts_what_it_accepts_itself(bounded, monkeypatch):
    receiver = bounded(own=3)
    receiver.send(finished(run_id="first"))
    monkeypatch.setattr(capacity, "FRESH", 3600.0)
    receiver.send(finished(run_id="second"))
    monkeypatch.setattr(capacity, "unfinished", None)  # not asked any more
    assert flood(receiver, 3) == [202, 503, 503]


def test_a_flood_of_what_is_refused_leaves_a_bounded_number_of_rows(bounded):
    receiver = bounded(own=1)
    assert set(flood(receiver, 150)[1:]) == {503}
    assert receiver.rejections()
    assert len(receiver.rows(rejections)) == MOST
    assert len(receiver.events()) == 1


def test_the_last_of_the_disk_is_for_finishing_what_was_accepted(bounded, monkeypatch):
    receiver = bounded()
    receiver.send(finished(), id="msg_1")
    monkeypatch.setattr(capacity, "free_bytes", lambda ledger: LEAST_FREE - 1)
    answer = receiver.send(finished(run_id="r2"))
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert "the ledger's disk has 32.0 MiB left" in answer.json["detail"]
    assert receiver.send(finished(), id="msg_1").status_code == 200
    monkeypatch.setattr(capacity, "free_bytes", lambda ledger: LEAST_FREE)
    assert receiver.send(finished(run_id="r2")).status_code == 202


def test_it_can_be_seen(bounded):
    receiver = bounded(own=100, most=10)
    flood(receiver, 10)
    text = receiver.client.get("/metrics", **LOCAL).text
    assert 'registrar_unfinished_tasks{source="ci"} 10.0' in text
    assert 'registrar_unfinished_tasks{source="other"} 0.0' in text
    work = receiver.client.get("/readyz?exclude=broker").json["checks"]["work"]
    assert work == {"status": "warn", "detail": "10 tasks are not done yet; at most 10 may wait"}
    done(receiver)
    assert 'registrar_unfinished_tasks{source="ci"} 0.0' in receiver.client.get("/metrics", **LOCAL).text


@pytest.mark.both_ledgers
def test_they_are_counted_by_source(ledger):
    said = Event(parse_event("training_run.failed", {"model": "taxi"}), Actor("ada", "Ada"), NOON)
    states = [("ci", "queued"), ("ci", "succeeded"), ("slack", "queued"), ("ci", "running"), ("idle", "dead")]
    with ledger.write() as connection:
        for number, (source, state) in enumerate(states):
            [task_message] = accept(connection, Delivery(source, f"{number}", "0" * 64), [said], at=NOON).task_messages
            connection.execute(update(tasks).where(tasks.c.id == task_message.task_id).values(state=state))
        assert unfinished(connection) == {"ci": 2, "slack": 1}
