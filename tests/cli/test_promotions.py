"""`registrar promotions`, `overview`, `events tail`: here, and at a receiver elsewhere by a token."""

import json
import threading
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from click.testing import CliRunner

from registrar.cli import main
from tests.cli.setting import House, elsewhere, living, token_of_ada
from webhooks.auth.loopback import Loopback

POLICY = """
version: 1
sources:
  ci:
    kind: standard
    secrets: ["file:whsec"]
    may: [{events: ["training_run.*", "promotion.request"], models: ["*"]}]
  operator:
    kind: standard
    secrets: ["file:whsec"]
    may: [{events: ["*"], models: ["*"]}]
people:
  ada: {name: Ada}
groups:
  leads: [ada, "source:operator"]
access:
  operators: [ada]
models:
  taxi:
    targets:
      - {stage: Staging, alias: challenger, approval: automatic}
      - stage: Production
        alias: champion
        gates: [{metric: rmse, op: "<", threshold: 7}]
        approval: {rules: [{group: leads}]}
channels:
  log: {kind: log}
notify:
  - {outcomes: ["*"], to: [log]}
"""


@pytest.fixture
def house(tmp_path, ledger, ledger_url) -> Iterator[House]:
    with living(tmp_path, ledger, ledger_url, policy=POLICY) as house:
        house.harness.registry.trained("r1", rmse=5.0)
        house.run("send", "training_run.finished", "model=taxi", "run_id=r1", "--json")
        house.harness.work()
        yield house


def waiting(house: House) -> str:
    return str(json.loads(house.run("promotions", "list", "--json").output)[0]["id"])


def test_what_waits_for_whom_is_said_and_an_approval_is_waited_for(house: House):
    id_ = waiting(house)
    listed = house.run("promotions", "list").output
    assert id_ in listed
    assert "1 more of leads" in listed
    told = house.run("overview").output
    assert "Ada, operator" in told
    assert "0 tasks are not done yet" in told
    shown = house.run("promotions", "show", id_).output
    for said in (
        "rule         1 of leads: lacks 1; may still approve: Ada, operator",
        "rmse < 7",
        "passed",
        "nobody has voted yet",
    ):
        assert said in shown
    with house.working():
        approved = house.run("promotions", "approve", "taxi", "1", "--reason", "good")
    assert (approved.exit_code, "taxi version 1 is in Production" in approved.output) == (0, True), approved.output
    assert house.run("promotions", "list").stderr == "nothing waits for approval\n"
    assert json.loads(house.run("promotions", "list", "--all", "--json").output)[0]["state"] == "promoted"
    assert "Production 1" in house.run("models").output
    again = house.run("promotions", "approve", "taxi", "1")
    said = f"nothing is open for taxi version 1: its promotion to Production ({id_}) ended as promoted"
    assert (again.exit_code, said in again.output, "to ask:" in again.output) == (1, True, False)
    nowhere = house.run("promotions", "approve", "taxi", "7")
    assert "the record knows no version 7 of taxi: it has version 1" in nowhere.stderr
    unknown = house.run("promotions", "approve", "taxa", "1")
    assert (unknown.exit_code, "knows no model" in unknown.output, "to ask:" in unknown.output) == (1, True, False)
    with house.working():
        late = house.run("promotions", "approve", id_)
    assert (late.exit_code, "Your vote does not count" in late.output) == (1, True), late.output


def test_elsewhere_a_token_is_all_it_takes(house: House):
    id_ = waiting(house)
    for asked in (
        ["overview"],
        ["promotions", "list"],
        ["promotions", "show", id_],
        ["events"],
        ["events", "list", "--model", "taxi"],
        ["models"],
        ["history", "taxi"],
        ["rejections"],
        ["dead", "list"],
        ["policy", "--model", "taxi"],
        ["audit", "export", "--format", "jsonl"],
    ):
        here, there = house.run(*asked), elsewhere(house, *asked)
        assert (there.exit_code, there.stdout) == (0, here.stdout), there.output
        if asked[-1] != "jsonl":
            there = elsewhere(house, *asked, "--json")
            assert there.stdout == house.run(*asked, "--json").stdout
    assert "of the chain alone" in elsewhere(house, "audit", "verify").stderr
    with house.working():
        approved = elsewhere(house, "promotions", "approve", "taxi", "1")
    assert (approved.exit_code, "taxi version 1 is in Production" in approved.output) == (0, True), approved.output
    [vote] = json.loads(elsewhere(house, "promotions", "show", id_, "--json").output)["votes"]
    assert (vote["actor"], vote["source"], vote["counted"]) == ("ada", "web", True)


def test_elsewhere_what_failed_is_tried_again_and_events_are_replayed(house: House):
    house.run("send", "training_run.finished", "model=taxi", "run_id=nobody", "--json")
    house.harness.work()
    [letter] = json.loads(elsewhere(house, "dead", "list", "--json").output)
    house.harness.registry.trained("nobody", rmse=9.0)
    with house.working():
        tried = elsewhere(house, "dead", "retry", letter["id"], "--wait")
        replayed = elsewhere(house, "replay", letter["event_id"], "--wait")
        sent = elsewhere(house, "send", "promotion.reject", "model=taxi", "version=1", "--wait", "reason=no")
    assert [result.exit_code for result in (tried, replayed, sent)] == [0, 0, 0], tried.output + replayed.output
    assert elsewhere(house, "dead", "drop", letter["id"], "--reason", "x").exit_code == 2
    assert elsewhere(house, "replay", letter["event_id"], "--plan").exit_code == 2


def test_elsewhere_a_fact_is_signed_or_it_is_none(house: House):
    secret = f"file:{house.data / 'whsec'}"
    run = ("send", "training_run.finished", "model=taxi", f"run_id={uuid.uuid4().hex}")
    unsigned = elsewhere(house, *run)
    assert (unsigned.exit_code, "is no command, but a source's event" in unsigned.stderr) == (1, True)
    assert elsewhere(house, *run, "--secret", secret, token=None).exit_code == 0


@pytest.mark.parametrize("token", [None, "wrong"])
def test_who_is_not_known_elsewhere_is_told_so(house: House, token: str | None, monkeypatch):
    monkeypatch.setattr(Loopback, "made_here", lambda loopback, request: False)
    for asked in (["events"], ["promotions", "approve", "taxi", "1"]):
        result = elsewhere(house, *asked, token=token)
        said = "knows no such token" if token else "asks who you are: REGISTRAR_TOKEN, or --token-file FILE"
        assert (result.exit_code, said in result.stderr, result.stderr.count("\n")) == (1, True, 1)


def test_the_address_of_the_receiver_here_means_the_parts_here(house: House):
    given = {"REGISTRAR_URL": house.url, "REGISTRAR_TOKEN": None}
    runner = CliRunner()
    assert runner.invoke(main, ["--data", str(house.data), "events"], env=given).exit_code == 0
    given["REGISTRAR_URL"] = "http://localhost:1"  # its public name
    assert runner.invoke(main, ["--data", str(house.data), "events"], env=given).exit_code == 0
    named = ["--data", str(house.data), "--url", house.url, "address", "mlflow"]
    assert "and not on http://127.0.0.1" in runner.invoke(main, named, env=given).stderr


def test_a_token_is_read_from_its_file_and_goes_nowhere_in_the_clear(house: House, tmp_path):
    file = tmp_path / "token"
    file.write_text(f"{token_of_ada(house)}\n")
    options = ["--url", house.url, "--token-file", str(file)]
    assert CliRunner().invoke(main, [*options, "events"]).exit_code == 0
    options[1] = "http://registrar.example.com"
    refused = CliRunner().invoke(main, [*options, "events"])
    assert (refused.exit_code, "whoever is on the way could read it" in refused.stderr) == (2, True)
    options[3] = str(tmp_path / "none")
    assert "can't be read: No such file" in CliRunner().invoke(main, [*options, "events"]).stderr
    (tmp_path / "none").touch()  # as `token create > FILE` leaves it where it was refused
    empty = CliRunner().invoke(main, ["--data", str(house.data), "--token-file", options[3], "promotions", "list"])
    assert empty.exit_code == 0  # nothing is asked of a receiver
    voted = CliRunner().invoke(
        main, ["--data", str(house.data), "--token-file", options[3], "rollback", "taxi", "--reason", "x"]
    )
    assert (voted.exit_code, "is empty; `registrar token create` prints one" in voted.stderr) == (2, True)


def test_events_are_followed_as_they_come(house: House):
    stop = threading.Event()

    def accept() -> None:
        while not stop.wait(0.05):
            house.harness.accept("training_run.failed", model="bus")

    accepting = threading.Thread(target=accept)
    accepting.start()
    followed = elsewhere(house, "events", "tail", "-n", "2", "--count", "9", "--every", "0.2", "--json")
    stop.set()
    accepting.join(60)
    seen = [json.loads(line)["id"] for line in followed.stdout.splitlines()]
    known = [event["id"] for event in reversed(json.loads(house.run("events", "--json").output))]
    begins = known.index(seen[0])
    assert len(seen) == 9
    assert seen == known[begins : begins + 9]


def test_a_model_goes_back_to_what_was_there_before_here_and_elsewhere(house: House):
    for version in (2, 3):
        house.harness.registry.trained(f"r{version}", rmse=5.0)
        house.harness.registry.files[f"models/taxi/{version}"] = {"MLmodel": b"flavors: {}\n"}
        with house.working():
            house.run("send", "training_run.finished", "model=taxi", f"run_id=r{version}", "--wait")
            assert house.run("promotions", "approve", "taxi", str(version)).exit_code == 0
    with house.working():
        back = house.run("rollback", "taxi", "--reason", "wrong fares")
        assert (back.exit_code, "from version 3 to version 2" in back.output) == (0, True), back.output
        again = elsewhere(house, "rollback", "taxi", "--reason", "once more")
        assert (again.exit_code, "worker.rollback" in again.output) == (1, True), again.output
    [now, *_] = json.loads(house.run("history", "taxi", "--target", "production", "--json").output)
    assert (now["version"], now["until"]) == (2, None)


def test_an_approval_that_is_void_is_not_done(house: House):
    """The files are others than those that were shown."""
    waiting(house)
    house.harness.registry.files["models/taxi/1"] = {"MLmodel": b"flavors: {}\n"}
    with house.working():
        approved = house.run("promotions", "approve", "taxi", "1")
    assert (approved.exit_code, "it is asked for again" in approved.output) == (1, True), approved.output


@pytest.mark.parametrize("command", [("send", "registry.reconcile", "model=taxi"), ("reconcile", "taxi")])
def test_who_waits_elsewhere_asks_with_the_token_what_came_of_it(house: House, monkeypatch, command: tuple[str, ...]):
    shown = []

    def follow(url: str, *, token: str | None, **_: Any) -> dict[str, Any]:
        shown.append(token)
        return {"id": "evt_1", "type": "registry.reconcile", "state": "succeeded", "tasks": []}

    monkeypatch.setattr("registrar.cli.waiting.follow", follow)
    assert elsewhere(house, *command, "--wait", token="reg_" + "x" * 40).exit_code != 0
    token = token_of_ada(house)
    assert elsewhere(house, *command, "--wait", token=token).exit_code == 0
    assert shown == [token]


def test_a_model_is_pruned_here_and_elsewhere(house: House):
    with house.working():
        for pruned in (house.run("prune", "taxi"), elsewhere(house, "prune", "taxi", "--reason", "tidy")):
            assert (pruned.exit_code, "worker.prune" in pruned.output) == (0, True), pruned.output
    assert "Missing option '--reason'" in house.run("rollback", "taxi").stderr


def test_a_promotion_is_shown_by_its_model_and_version(house: House):
    id_ = waiting(house)
    for asked in (("taxi",), ("taxi", "1"), ("taxi", "1", "--target", "production"), (id_,)):
        assert json.loads(house.run("promotions", "show", *asked, "--json").output)["id"] == id_
    staged = json.loads(elsewhere(house, "promotions", "show", "taxi", "--target", "staging", "--json").output)
    assert (staged["target"], staged["state"]) == ("Staging", "promoted")
    none = house.run("promotions", "show", "taxi", "7")
    assert (none.exit_code, "has no promotion of taxi version 7" in none.stderr) == (1, True)


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (("promotions", "approve", "prm_x"), "the ledger has no promotion prm_x"),
        (("promotions", "list", "--all", "--state", "failed"), "leave out one of the two"),
        (("events", "show", "evt_x"), "the ledger has no event evt_x"),
        (("events", "--state", "done"), "is not one of"),
    ],
)
def test_what_can_not_be_meant_is_a_sentence(house: House, asked: tuple[str, ...], says: str):
    for result in (house.run(*asked), elsewhere(house, *asked)):
        assert result.exit_code in (1, 2), result.output
        assert says in result.output
        assert "Traceback" not in result.output
