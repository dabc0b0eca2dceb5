"""`registrar queue`: what waits and for what, over HTTP and through the ledger; and what is dropped of it."""

import json
from collections.abc import Iterator

import pytest

from tests.cli.setting import House, living
from worker.registry.protocol import RetryableError

DOWN = RetryableError("reading run r1: the registry does not answer (ConnectionError)", after=60)


@pytest.fixture
def house(tmp_path, ledger, ledger_url) -> Iterator[House]:
    with living(tmp_path, ledger, ledger_url) as house:
        yield house


def sent(house: House, *words: str, type_: str = "training_run.finished") -> str:
    answer = house.run("send", type_, *words, "--json")
    assert answer.exit_code == 0, answer.output
    return str(json.loads(answer.output)["id"])


def listed(house: House, *options: str) -> list[dict]:
    return json.loads(house.run("queue", "list", "--json", *options).output)


def stuck(house: House) -> list[dict]:
    """Two tasks of a model, the first of which waits for its next attempt; and one of another model."""
    house.harness.registry.fail["run"] = DOWN
    sent(house, "model=taxi", "run_id=r1")
    house.harness.work()
    sent(house, "model=taxi", type_="training_run.failed")
    sent(house, "model=bus", type_="training_run.failed")
    return listed(house)


@pytest.mark.both_ledgers
def test_what_waits_is_listed_lane_by_lane_with_what_for(house: House):
    bus, first, second = stuck(house)
    assert [one["lane"] for one in (bus, first, second)] == ["model:bus", "model:taxi", "model:taxi"]
    assert bus["why"] == "for a worker"
    assert first["why"].startswith("until ")
    assert first["why"].endswith(f"UTC, after attempt 1 failed: {DOWN}")
    assert second["why"] == f"behind {first['id']} (register), which waits itself"
    assert listed(house, "--model", "taxi") == [first, second]
    assert [one["id"] for one in house.get("/v1/queue")["queue"]] == [bus["id"], first["id"], second["id"]]
    one = house.get("/v1/queue?limit=1&model=taxi")
    rest = house.get(f"/v1/queue?limit=1&model=taxi&cursor={one['next']}")
    assert ([each["id"] for each in (*one["queue"], *rest["queue"])], rest["next"]) == (
        [first["id"], second["id"]],
        None,
    )
    assert f"behind {first['id']}" in " ".join(house.run("queue", "list").output.split())


def test_what_goes_first_is_listed_first_though_it_came_later(house: House):
    stuck(house)
    sent(house, "--source", "operator", "model=taxi", "reason=wrong fares", type_="model.rollback")
    found = [one["event_type"] for one in listed(house, "--model", "taxi")]
    assert found == ["model.rollback", "training_run.finished", "training_run.failed"]


def test_it_is_dropped_and_who_waits_for_it_is_told(house: House):
    _, first, second = stuck(house)
    dropped = house.done("queue", "drop", first["id"], "--reason", "a typo")
    assert dropped.exit_code == 0, dropped.output
    assert listed(house, "--model", "taxi") == []
    event = house.get(f"/v1/events/{first['event_id']}")
    assert (event["state"], event["tasks"][0]["settled"][0]["reason"]) == ("dropped", "a typo")
    assert house.get(f"/v1/events/{second['event_id']}")["state"] == "succeeded"
    again = house.run("queue", "drop", first["id"], "--reason", "a typo")
    assert again.exit_code == 2
    assert "was dropped; to do it nevertheless: registrar replay" in again.output


def test_it_needs_a_reason(house: House):
    assert house.run("queue", "drop", f"tsk_{'0' * 32}").exit_code == 2
