"""What the one POST route accepts, and how it answers."""

import sqlite3
import time
from datetime import UTC, datetime

from sqlalchemy import Connection, Engine, event

from tests.webhooks.conftest import OLD, RUN, Receiver, finished, signed


def test_an_event_is_in_the_ledger_with_its_first_task_when_it_is_answered(receiver: Receiver):
    answer = receiver.send(finished(), id="msg_1")
    [event], [task] = receiver.events(), receiver.tasks()
    assert answer.status_code == 202
    assert answer.json == {
        "events": [
            {"id": event.id, "type": "training_run.finished", "status_url": f"http://localhost/v1/events/{event.id}"}
        ]
    }
    assert (event.source, event.delivery_id, event.model, event.actor) == ("ci", "msg_1", RUN["model"], "source:ci")
    assert event.occurred_at == datetime(2026, 11, 22, 12, tzinfo=UTC)
    assert (task.event_id, task.name, task.state) == (event.id, "worker.register", "queued")


def test_a_dead_broker_delays_nothing_and_loses_nothing(receiver: Receiver):
    begin = time.monotonic()
    answers = [receiver.send(finished()).status_code for _ in range(5)]
    assert answers == [202] * 5
    assert len(receiver.tasks()) == 5
    assert time.monotonic() - begin < 2


def test_a_repeated_delivery_is_200_with_the_first_ones_ids(receiver: Receiver):
    first, again = (receiver.send(finished(), id="msg_1") for _ in range(2))
    assert (again.status_code, again.json) == (200, first.json)
    assert len(receiver.events()) == len(receiver.tasks()) == 1


def test_a_repeated_delivery_signed_anew_by_the_older_secret_is_the_same_delivery(receiver: Receiver):
    receiver.send(finished(), id="msg_1")
    assert receiver.send(finished(), id="msg_1", secret=OLD).status_code == 200


def test_the_media_types_parameters_do_not_matter(receiver: Receiver):
    body = b'{"type": "training_run.failed", "data": {"model": "nyc-taxi-regressor"}}'
    headers = {**signed(body), "Content-Type": "Application/JSON; charset=utf-8"}
    assert receiver.post(body, headers).status_code == 202


def test_a_body_of_exactly_the_limit_is_taken(receiver: Receiver):
    body = b'{"type": "training_run.failed", "data": {"model": "nyc-taxi-regressor"}}'.ljust(4096)
    assert receiver.send(body).status_code == 202


def test_a_locked_ledger_is_an_honest_503_and_nothing_is_written(receiver: Receiver):
    blocker = sqlite3.connect(receiver.settings.ledger_url.removeprefix("sqlite:///"), isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    answer = receiver.send(finished())
    blocker.execute("ROLLBACK")
    blocker.close()
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert answer.json["code"] == "unavailable"
    assert receiver.events() == receiver.tasks() == receiver.rejections() == []


def test_a_read_only_ledger_is_an_honest_503(receiver: Receiver):
    event.listen(Engine, "begin", read_only)
    try:
        answer = receiver.send(finished())
    finally:
        event.remove(Engine, "begin", read_only)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert receiver.events() == receiver.tasks() == []


def read_only(connection: Connection) -> None:
    """Tests run as root, for whom no file is read-only: SQLite itself is told to refuse writes."""
    connection.exec_driver_sql("PRAGMA query_only=ON")
