"""`registrar dead` and `registrar replay`, over HTTP, through the ledger, and back."""

import json
import uuid
from collections.abc import Iterator

import pytest
from mlflow import MlflowClient

from tests.cli.setting import House, living
from tests.mlflow_server import train
from worker.registry.mlflow import MlflowRegistry
from worker.registry.protocol import PermanentError

DOWN = "http://127.0.0.1:9"  # nobody listens there


@pytest.fixture
def house(tmp_path, ledger, ledger_url) -> Iterator[House]:
    with living(tmp_path, ledger, ledger_url) as house:
        yield house


def posted(house: House, *words: str, type_: str = "training_run.finished") -> str:
    """An event, with all that comes of it; its id."""
    sent = house.run("send", type_, *words, "--json")
    assert sent.exit_code == 0, sent.output
    house.harness.work()
    return str(json.loads(sent.output)["id"])


def failed(house: House, model: str = "taxi") -> str:
    """The task of a registration that can't be: nobody trained its run."""
    posted(house, f"model={model}", "run_id=r1")
    return str(listed(house)[0]["id"])


def listed(house: House, *options: str) -> list[dict]:
    return json.loads(house.run("dead", "list", "--json", *options).output)


@pytest.mark.both_ledgers
def test_what_died_with_mlflow_is_listed_with_its_story_tried_again_and_done_once(
    tmp_path, ledger, ledger_url, mlflow_address
):
    client, model = MlflowClient(mlflow_address), f"taxi-{uuid.uuid4().hex[:8]}"
    run_id = train(client)
    with living(tmp_path, ledger, ledger_url, MlflowRegistry(DOWN)) as house:
        event = posted(house, f"model={model}", f"run_id={run_id}")
        assert listed(house) == []
        house.harness.later(hours=7)
        [letter] = listed(house)
        assert (letter["state"], letter["event_id"], letter["model"]) == ("dead", event, model)
        assert house.get("/v1/dead")["dead"][0]["id"] == letter["id"]
        story = house.run("dead", "show", letter["id"]).output
        for said in (
            f"event        training_run.finished {event}",
            "by           ci, through the source ci",
            "attempts     2; its worker died in 0 of them",
            f'"run_id": "{run_id}"',
            "error        given up after 6:00:00",
            f"try again    registrar dead retry {letter['id']}",
        ):
            assert said in story
        house.harness.let_in(MlflowRegistry(mlflow_address))
        tried = house.done("dead", "retry", letter["id"], "--reason", "MLflow is back")
        assert (tried.exit_code, f"{model} version 1 was registered" in tried.output) == (0, True), tried.output
        assert listed(house) == []
        again = house.run("dead", "retry", letter["id"])
        assert (again.exit_code, again.output) == (2, f"registrar: {letter['id']} is done\n")
        assert "by operator (evt_" in house.run("events", "show", event).output
        [settled] = house.get(f"/v1/events/{event}")["tasks"][0]["settled"]
        assert (settled["actor"], settled["reason"], settled["was"]["state"]) == (
            "source:operator",
            "MLflow is back",
            "dead",
        )
        story = house.get(f"/v1/dead/{letter['id']}")
        assert (story["state"], story["no_retry"]) == ("succeeded", f"{letter['id']} is done")
    assert [v.run_id for v in client.search_model_versions(f"name = '{model}'")] == [run_id]


@pytest.mark.both_ledgers
def test_a_replayed_registration_makes_no_second_version(house):
    house.harness.registry.trained("r1", rmse=5.0)
    first = posted(house, "model=taxi", "run_id=r1")
    replayed = house.done("replay", first, "--reason", "to be sure")
    assert (replayed.exit_code, "run r1 is taxi version 1 already" in replayed.output) == (0, True), replayed.output
    assert list(house.harness.stages()) == [1]
    [deed] = house.get(f"/v1/events/{first}")["replays"]
    assert (deed["actor"], deed["reason"]) == ("source:operator", "to be sure")
    assert house.get(f"/v1/events/{deed['became']}")["replay_of"] == first
    assert f"replayed as  {deed['became']}" in house.run("events", "show", first).output
    assert f"replay of    {first}" in house.run("events", "show", deed["became"]).output


def test_a_replay_without_the_grant_is_refused_at_the_door_and_recorded(house):
    first = posted(house, "model=taxi", "run_id=r1")
    refused = house.run("send", "event.replay", f"event_id={first}", "model=taxi")
    assert (refused.exit_code, "source ci may not send event.replay about taxi" in refused.output) == (1, True)
    house.rejections.drain()
    [rejection] = json.loads(house.run("rejections", "--json").output)
    assert (rejection["source"], rejection["status"], rejection["code"]) == ("ci", 403, "not_permitted")
    assert "event.replay about taxi" in rejection["detail"]


def test_a_replay_of_what_the_source_may_not_send_itself_is_refused_and_recorded(house):
    house.harness.registry.trained("r1", rmse=5.0)
    first = posted(house, "model=taxi", "run_id=r1")
    refused = house.done("send", "event.replay", f"event_id={first}", "model=taxi", "--source", "night")
    assert (refused.exit_code, "source night may not send training_run.finished" in refused.output) == (1, True)
    asked = json.loads(house.run("events", "--json", "--limit", "1").output)[0]
    assert (asked["type"], asked["source"]) == ("event.replay", "night")
    assert house.get(f"/v1/events/{first}")["replays"] == []


def test_no_source_reaches_another_models_work_by_naming_its_own(house):
    task = failed(house, "secret")
    honest = house.run("send", "task.retry", f"task_id={task}", "model=secret", "--source", "night")
    assert (honest.exit_code, "night may not send task.retry about secret" in honest.output) == (1, True)
    with house.working():
        lying = house.run(
            "send", "task.drop", "--source", "night", "--wait", f"task_id={task}", "model=bus", "reason=x"
        )
    assert (lying.exit_code, f"there is no task {task} about bus" in lying.output) == (1, True)
    assert [each["id"] for each in listed(house)] == [task]


def test_what_is_dropped_is_listed_no_more(house):
    task = failed(house)
    dropped = house.done("dead", "drop", task, "--reason", "a typo")
    assert (dropped.exit_code, "was dropped, by operator: a typo" in dropped.output) == (0, True), dropped.output
    assert house.run("dead", "list").stderr == "nothing failed for good\n"
    story = house.run("dead", "show", task).output
    assert "dropped      20" in story
    assert "try again    no: " in story
    assert house.run("dead", "drop", task, "--reason", "again").exit_code == 2


def test_a_drop_needs_a_reason(house):
    assert house.run("dead", "drop", f"tsk_{'0' * 32}").exit_code == 2


def test_all_that_can_be_is_tried_again_the_first_first(house):
    for model, run in (("taxi", "r1"), ("bus", "r2"), ("taxi", "r3")):
        posted(house, f"model={model}", f"run_id={run}")
    for run in ("r1", "r2", "r3"):
        house.harness.registry.trained(run, rmse=9.0)
    assert {each["state"] for each in listed(house)} == {"failed"}
    assert house.done("dead", "retry", "--all", "--model", "bus").exit_code == 0
    assert len(listed(house, "--state", "failed", "--model", "taxi")) == 2
    house.harness.registry.fail["source_of"] = ZeroDivisionError()
    tried = house.run("dead", "retry", "--all", "--json")
    house.harness.work()
    house.harness.later(minutes=2)
    assert len(json.loads(tried.output)) == 2
    assert [v.run_id for v in reversed(house.harness.registry.versions("taxi"))] == ["r1", "r3"]


def test_of_all_those_are_left_out_that_can_not_be_tried_again(house):
    house.harness.registry.trained("r1", rmse=5.0)
    house.harness.registry.fail["set_stage"] = PermanentError("no")
    posted(house, "model=taxi", "run_id=r1")
    posted(house, "model=taxi", "run_id=r2")
    house.harness.registry.trained("r2", rmse=9.0)
    tried = house.done("dead", "retry", "--all")
    assert tried.exit_code == 0, tried.output
    assert "left out: the promotion of taxi version 1 to Staging has ended (failed)" in tried.stderr
    assert [each["name"] for each in listed(house)] == ["worker.transition"]
    assert house.run("dead", "retry", listed(house)[0]["id"]).exit_code == 2


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (("show", "tsk_x"), "the ledger has no task tsk_x; `registrar dead list`"),
        (("retry", "tsk_x"), "the ledger has no task tsk_x; `registrar dead list`"),
        (("retry",), "name the tasks, or say --all"),
        (("retry", "tsk_x", "--all"), "name the tasks, or say --all"),
    ],
)
def test_what_can_not_be_meant_is_said(house, asked, says):
    result = house.run("dead", *asked)
    assert result.exit_code in (1, 2)
    assert says in result.output


def test_nothing_to_try_again_is_said(house):
    result = house.run("dead", "retry", "--all")
    assert (result.exit_code, result.stderr) == (0, "there is nothing to send\n")


def test_a_plan_of_a_replay_that_may_not_be_says_so_and_asks_nobody(house):
    first = posted(house, "model=taxi", "run_id=r1")
    assert house.run("replay", first, "--plan").exit_code == 4  # MLflow does not answer
    replayed = json.loads(house.run("replay", first, "--json").output)["id"]
    asked = house.run("replay", replayed, "--plan")
    assert asked.exit_code == 2
    assert asked.output.splitlines()[0] == f"event.replay {replayed}, replayed: blocked"
    assert "✗ event.replay is not replayed: send it again" in asked.output


def test_a_plan_of_a_replay_says_whether_the_run_is_a_version(house, monkeypatch, mlflow_address):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_address)
    house.harness.let_in(MlflowRegistry(mlflow_address))
    model = f"taxi-{uuid.uuid4().hex[:8]}"
    run_id = train(MlflowClient(mlflow_address))
    house.run("send", "training_run.finished", f"model={model}", f"run_id={run_id}")
    [event] = json.loads(house.run("events", "--json").output)
    before = house.run("replay", event["id"], "--plan", "--json")
    assert (before.exit_code, json.loads(before.output)["state"]) == (0, "ready")
    house.harness.work()
    after = house.run("replay", event["id"], "--plan")
    assert after.exit_code == 3
    assert after.output.splitlines()[2:] == [
        "worker.register would act on it",
        f"run {run_id} is {model} version 1 already",
    ]
    assert len(json.loads(house.run("events", "--json").output)) == 1
