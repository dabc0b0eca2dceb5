"""The read API and the health of the receiver."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from registrar.compaction.places import place
from registrar.compaction.run import archive
from registrar.events.outcome import Cause, Outcome
from registrar.ledger import tasks
from registrar.ledger.engine import now
from registrar.ledger.holders import HoldingStarted
from tests.webhooks.conftest import Receiver, finished

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
LISTS = ["/v1/events", "/v1/dead", "/v1/rejections", "/v1/models/nyc-taxi-regressor/history"]


def test_the_status_url_of_an_event_says_what_became_of_it(receiver: Receiver):
    [accepted] = receiver.send(finished()).json["events"]
    found = receiver.client.get(accepted["status_url"]).json
    assert (found["id"], found["type"], found["state"]) == (accepted["id"], "training_run.finished", "unfinished")
    assert found["occurred_at"] == "2026-11-22T12:00:00+00:00"
    assert [(task["name"], task["state"]) for task in found["tasks"]] == [("worker.register", "queued")]


@pytest.mark.parametrize("id", ["evt_0", "%00", "%E2%80%AE", "a" * 500, "%ff"])
def test_an_unknown_event_is_a_404_problem(receiver: Receiver, id: str):
    answer = receiver.client.get(f"/v1/events/{id}")
    assert (answer.status_code, answer.json["code"], answer.mimetype) == (404, "not_found", "application/problem+json")


def test_a_delivery_that_was_archived_is_known_and_its_status_url_says_so(receiver: Receiver):
    sent = receiver.send(finished(), id="msg_old").json["events"]
    [waiting] = receiver.tasks()
    with receiver.ledger.write() as connection:
        task = tasks.claim(connection, waiting.id, at=now())
        assert task
        tasks.finish(connection, task, "succeeded", Outcome("done"), at=now())
    files = place(str(Path(str(receiver.ledger.engine.url.database)).parent / "archive"))
    assert len(list(archive(receiver.ledger, cutoff=now() + timedelta(days=1), where=files))) == 1
    again = receiver.send(finished(), id="msg_old")
    assert (again.status_code, again.json["events"]) == (200, sent)
    answer = receiver.client.get(sent[0]["status_url"])
    assert (answer.status_code, answer.json["code"]) == (404, "not_found")
    assert f"registrar compact show {sent[0]['id']}" in answer.json["detail"]


@pytest.mark.parametrize("id", ["tsk_0", "%00", "%ff"])
def test_an_unknown_task_is_a_404_problem_too(receiver: Receiver, id: str):
    answer = receiver.client.get(f"/v1/dead/{id}")
    assert (answer.status_code, answer.json["code"]) == (404, "not_found")


def test_the_story_of_a_task_is_for_this_machine_only(receiver: Receiver):
    receiver.send(finished())
    [task] = receiver.tasks()
    assert receiver.client.get(f"/v1/dead/{task.id}").json["no_retry"] == f"{task.id} is queued: it is being done"
    assert receiver.client.get(f"/v1/dead/{task.id}", headers={"Host": "rebound.example"}).status_code == 401


def test_a_model_that_can_be_none_is_422(receiver: Receiver):
    assert receiver.client.get("/v1/dead?model=%00").status_code == 422
    assert receiver.client.get("/v1/dead?model=taxi").json == {"dead": [], "next": None}


def test_lists_are_newest_first_and_limited(receiver: Receiver):
    for run in ("a", "b", "c"):
        receiver.send(finished(run_id=run))
    listed = receiver.client.get("/v1/events?limit=2").json["events"]
    assert [event["data"]["run_id"] for event in listed] == ["c", "b"]


def test_refusals_are_listed_without_the_body(receiver: Receiver):
    receiver.send(finished(secret="hush"))
    assert len(receiver.rejections()) == 1
    [refusal] = receiver.client.get("/v1/rejections").json["rejections"]
    assert (refusal["source"], refusal["status"], refusal["code"]) == ("ci", 422, "invalid_event")
    assert refusal["size"] == len(json.dumps(finished(secret="hush")))
    assert "hush" not in str(refusal)


def test_a_models_history_is_told_whole_or_as_of_a_time(receiver: Receiver):
    [accepted] = receiver.send(finished()).json["events"]
    with receiver.ledger.write() as connection:
        for hours, version in enumerate((1, 2)):
            cause = Cause(accepted["id"], "ada", "Ada", NOON + timedelta(hours=hours))
            HoldingStarted("nyc-taxi-regressor", "stage", "Production", version, alone=True).apply(connection, cause)
    whole = receiver.client.get("/v1/models/nyc-taxi-regressor/history").json["history"]
    early = receiver.client.get("/v1/models/nyc-taxi-regressor/history?at=2026-11-22T13:30:00%2B01:00").json["history"]
    assert [(row["version"], row["until"]) for row in whole] == [(2, None), (1, "2026-11-22T13:00:00+00:00")]
    assert [row["version"] for row in early] == [1]
    path = "/v1/models/nyc-taxi-regressor/history?target=production&limit=1"
    first = receiver.client.get(path).json
    second = receiver.client.get(f"{path}&cursor={first['next']}").json
    assert [[row["version"] for row in page["history"]] for page in (first, second)] == [[2], [1]]
    assert second["next"] is None


@pytest.mark.parametrize("query", ["limit=0", "limit=501", "limit=x", "limit=-1", "limit=%D9%A1", "limit="])
def test_a_wrong_limit_is_422(receiver: Receiver, query: str):
    assert receiver.client.get(f"/v1/events?{query}").status_code == 422


@pytest.mark.parametrize("at", ["now", "2026-11-22", "0001-01-01T00:00:00%2B14:00", "9999-12-31T23:59:59-14:00"])
def test_a_wrong_time_is_422(receiver: Receiver, at: str):
    assert receiver.client.get(f"/v1/models/m/history?at={at}").status_code == 422


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize(
    "asked",
    [
        {"environ_base": {"REMOTE_ADDR": "203.0.113.9"}},
        {"environ_base": {"REMOTE_ADDR": ""}},
        {"headers": {"X-Forwarded-For": "127.0.0.1"}},
        {"headers": {"Forwarded": "for=127.0.0.1"}},
        {"headers": {"Host": "rebound.example"}},
        {"headers": {"Host": "127.0.0.1.evil.example"}},
    ],
)
def test_lists_are_for_this_machine_only(receiver: Receiver, path: str, asked: dict):
    answer = receiver.client.get(path, **asked)
    assert (answer.status_code, answer.json["code"]) == (401, "not_signed_in")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8000", "[::1]:8000"])
def test_lists_are_open_to_this_machine(receiver: Receiver, path: str, host: str):
    expected = 404 if "nyc-taxi-regressor" in path else 200  # a model that no event was about
    assert receiver.client.get(path, headers={"Host": host}).status_code == expected


def test_a_ledger_that_fails_is_503_and_nothing_of_its_inside_is_told(receiver: Receiver):
    with receiver.ledger.write() as connection:
        connection.execute(text("ALTER TABLE events RENAME TO gone"))
    answer = receiver.client.get("/v1/events")
    assert (answer.status_code, answer.json["code"]) == (503, "unavailable")
    assert "no such table" not in answer.text
