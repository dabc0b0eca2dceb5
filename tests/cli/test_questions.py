"""What MLflow has and what would happen, asked by a token: the same answers as on the receiver's machine."""

import json
import shlex
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial

import pytest
from mlflow import MlflowClient
from sqlalchemy import Connection, select

from registrar.events.outcome import Cause
from registrar.ledger.tables import events
from registrar.ledger.version_state import Key, StateSet, recorded_creation
from tests.cli.bad_places import closed_port
from tests.cli.setting import House, elsewhere, living
from tests.cli.test_promotions import POLICY
from tests.mlflow_server import train
from worker.registry.mlflow import MlflowRegistry


@pytest.fixture
def house(tmp_path, ledger, ledger_url, mlflow_address, monkeypatch) -> Iterator[House]:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_address)
    registry = Guarded(mlflow_address)
    policy = POLICY.replace("  taxi:", '  "model-*":')
    with living(tmp_path, ledger, ledger_url, registry, policy=policy) as house, house.working():
        yield house


class Guarded(MlflowRegistry):
    """The real registry, as a worker has it."""

    def guarded(self, check) -> MlflowRegistry:
        return self


@pytest.fixture
def name(mlflow_address) -> str:
    """A registered model of two versions."""
    registry, name = MlflowRegistry(mlflow_address), f"model-{uuid.uuid4().hex[:8]}"
    registry.ensure_model(name)
    for _ in range(2):
        run = registry.run(train(MlflowClient(mlflow_address)))
        registry.create_version(name, registry.source_of(run, "model"), run_id=run.id, description="", tags={})
    return name


def newest_event(connection: Connection) -> str:
    return str(connection.execute(select(events.c.id).order_by(events.c.seq.desc())).scalars().first())


def both(house: House, *line: str) -> tuple[str, str]:
    """What is printed here, and elsewhere by a token, where the exit codes are the same."""
    here, there = house.run(*line), elsewhere(house, *line)
    assert here.exit_code == there.exit_code, there.output
    return here.stdout, there.stdout


@pytest.mark.parametrize("json_", [(), ("--json",)], ids=["table", "json"])
def test_versions_runs_experiments_and_models_are_the_same_here_and_elsewhere(house: House, name: str, json_):
    for line in (("versions", name), ("experiments",), ("runs", "-e", "Default", "--max", "3"), ("models", "--mlflow")):
        here, there = both(house, *line, *json_)
        assert without_ages(there) == without_ages(here) != ""
    assert len(json.loads(elsewhere(house, "versions", name, "--max", "1", "--json").stdout)) == 1


def test_json_has_numbers_times_and_ids(house: House, name: str, mlflow_address: str):
    MlflowClient(mlflow_address).set_registered_model_alias(name, "champion", 1)
    newest, first = json.loads(both(house, "versions", name, "--json")[1])
    assert (newest["version"], first["version"], first["aliases"]) == (2, 1, ["champion"])
    assert isinstance(first["metrics"]["rmse"], float)
    assert datetime.fromisoformat(first["created_at"]).tzinfo
    trained_in = MlflowClient(mlflow_address).get_experiment(
        MlflowClient(mlflow_address).get_run(first["run_id"]).info.experiment_id
    )
    runs, experiments, models = (
        json.loads(elsewhere(house, *line, "--json").stdout)
        for line in (("runs", "-e", trained_in.name, "--max", "100"), ("experiments",), ("models", "--mlflow"))
    )
    [run] = [each for each in runs if each["run_id"] == first["run_id"]]
    assert (run["metrics"], bool(datetime.fromisoformat(run["started_at"]).tzinfo)) == (first["metrics"], True)
    assert {"name": "Default", "id": "0"}.items() <= next(each for each in experiments if each["id"] == "0").items()
    assert [each["aliases"] for each in models if each["model"] == name] == [{"champion": 1}]
    made = json.loads(house.run("experiments", "create", f"of {name}", "--json").stdout)
    experiment = MlflowClient(mlflow_address).get_experiment_by_name(f"of {name}")
    assert made["tasks"][0]["outcome"]["answer"] == {"experiment_id": experiment.experiment_id}


def test_one_version_is_shown_with_what_mlflow_and_the_record_have(house: House, name: str):
    for line in (
        ("adopt", name),
        ("describe", name, "2", "--text", "of the rides of 2025"),
        ("tag", name, "2", "team=pricing"),
    ):
        assert house.run(*line).exit_code == 0
    here, there = both(house, "versions", name, "2", "--json")
    shown = json.loads(there)
    assert json.loads(here) == shown
    assert (shown["model"], shown["version"], shown["tags"]["team"]) == (name, 2, "pricing")
    assert shown["description"].startswith("of the rides of 2025")
    assert (shown["record"]["run_id"], shown["record"]["deleted"]) == (shown["run_id"], False)
    here, there = both(house, "versions", name, "2")
    assert here == there
    for part in ("description  of the rides of 2025", "team=pricing", "rmse=", f"run          {shown['run_id']}"):
        assert part in here
    old = house.run("versions", name, "2", "--max", "3")
    assert (old.exit_code, "leave out VERSION" in old.stderr) == (2, True)


def test_a_version_that_is_held_back_quarantined_or_asked_for_says_so(house: House, name: str):
    assert house.run("adopt", name).exit_code == 0
    with house.harness.ledger.write() as connection:
        cause = Cause(newest_event(connection), "ada", "Ada", datetime.now(UTC))
        made = recorded_creation(connection, name, 2)
        StateSet(name, 2, made, Key.QUARANTINED, "wrong fares").apply(connection, cause)
        StateSet(name, 2, made, Key.HELD_BACK_STAGING, "rmse 9.1 is not < 7").apply(connection, cause)
    here, there = both(house, "versions", name, "2")
    assert here == there
    assert "held back    from Staging: rmse 9.1 is not < 7" in here
    lift = f"registrar send quarantine.lift model={name} version=2 reason=WHY"
    assert "quarantined  wrong fares\n" in here
    assert lift in here
    lifted = house.run(*shlex.split(lift.removeprefix("registrar ")), "--source", "operator", "--wait")
    assert lifted.exit_code == 0, lifted.output
    assert "quarantined" not in house.run("versions", name, "2").stdout


def test_without_a_version_the_plan_is_of_the_one_that_is_next(house: House, name: str):
    line = ("promote", name, "--to", "staging", "--plan")
    here, there = house.run(*line), elsewhere(house, *line)
    assert (here.exit_code, here.stderr) == (there.exit_code, there.stderr) == (1, here.stderr)
    assert f"the record has no model {name}" in here.stderr
    assert house.run("adopt", name).exit_code == 0
    assert house.run("demote", name, "2").exit_code in (0, 1)  # it passed, or did not: then it is in no stage
    here, there = both(house, *line)
    assert here == there == both(house, "plan", name, "--to", "staging")[0]
    assert here.startswith(f"{name} version 2 to Staging: ")


def without_ages(text: str) -> list[str]:
    """Without words of one or two signs: an age may grow by a second between two calls, and a column by a blank."""
    return [word for word in text.split() if len(word) > 2 and not word.strip('",').isdigit()]


def test_plans_are_the_same_here_and_elsewhere(house: House, name: str):
    for line in (
        ("plan", name, "1", "--to", "staging"),
        ("promote", name, "1", "--to", "staging", "--plan"),
        ("plan", "prune", name),
        ("archive", name, "--older-than", "1s", "--plan"),
    ):
        here, there = both(house, *line)
        assert there == here != ""
        here, there = both(house, *line, "--json")
        assert json.loads(there) == json.loads(here)


def test_doctor_elsewhere_says_what_the_receiver_knows_and_what_only_a_local_one_does(house: House):
    done = elsewhere(house, "doctor")
    assert f"{house.url} answers, and reads its ledger" in done.stdout
    assert "none is running: registrar up, or python -m worker run" in done.stdout
    assert (done.exit_code, "only `registrar doctor` on the installation's machine" in done.stderr) == (1, True)
    found = json.loads(elsewhere(house, "doctor", "--json").stdout)
    assert {"part": "receiver", "level": "ok"}.items() <= found[0].items()
    assert elsewhere(house, "doctor", token="reg_" + "x" * 40).exit_code == 1


def test_what_is_not_there_is_said(house: House, name: str):
    for line, says in (
        (("versions", "nobody"), "MLflow has no registered model 'nobody'"),
        (("versions", name[:-1]), f"MLflow has no registered model '{name[:-1]}'; did you mean {name}?"),
        (("versions", name, "9"), f"MLflow has no version 9 of {name}: it has versions 1 to 2"),
        (("plan", "nobody", "1", "--to", "staging"), "MLflow has no registered model 'nobody'"),
        (("plan", name, "9", "--to", "staging"), f"MLflow has no version 9 of {name}: it has versions 1 to 2"),
        (("runs", "-e", "Defualt"), "MLflow has no experiment 'Defualt'; did you mean Default?"),
        (("history", name[:-1]), f"the ledger knows no model {name[:-1]}"),
    ):
        for refused in (house.run(*line), elsewhere(house, *line)):
            assert (refused.exit_code, says in refused.stderr, "Traceback" in refused.output) == (1, True, False)
    for verb in ("archive", "describe --text x", "transition --to Archived", "promote --to staging"):
        command, *options = verb.split()
        refused = house.run(command, name, "9", *options)
        assert (refused.exit_code, f"no version 9 of {name}: it has versions 1 to 2" in refused.stdout) == (1, True)


def test_a_viewer_may_ask_and_a_stranger_may_not(house: House, name: str):
    token = house.run("token", "create", "wall", "--role", "viewer").stdout.strip()
    ask = partial(elsewhere, house, "versions", name)
    assert ask(token=token).exit_code == 0
    assert ask(token="reg_" + "x" * 40).exit_code == 1
    assert elsewhere(house, "archive", name, "1", token=token).exit_code == 1


def test_a_registry_that_does_not_answer_is_said_in_time(tmp_path, ledger, ledger_url, monkeypatch):
    monkeypatch.setattr("registrar.cli.questions.SECONDS", 2.0)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    nobody = Guarded(f"http://127.0.0.1:{closed_port()}")
    with living(tmp_path, ledger, ledger_url, nobody, policy=POLICY) as house, house.working():
        for line, code in (("versions taxi", 3), ("plan taxi 1 --to staging", 4)):
            silent = elsewhere(house, *line.split())
            assert (silent.exit_code, "has no answer yet: " in silent.stderr) == (code, True), silent.output
