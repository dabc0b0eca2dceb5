"""What MLflow has and what would happen, asked by a token: the same answers as on the receiver's machine."""

import json
import uuid
from collections.abc import Iterator
from functools import partial

import pytest
from mlflow import MlflowClient

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


def test_what_is_not_there_is_said(house: House):
    for line, says in (
        (("versions", "nobody"), "nobody"),
        (("plan", "nobody", "1", "--to", "staging"), "nobody"),
        (("runs", "-e", "nowhere"), "nowhere"),
    ):
        refused = elsewhere(house, *line)
        assert (refused.exit_code, says in refused.stderr, "Traceback" in refused.output) == (1, True, False)


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
