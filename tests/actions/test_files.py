"""An approval holds for the files that serving would load, and for no others."""

import uuid

import pytest
from mlflow import MlflowClient

from registrar.ledger.promotions import latest
from tests.mlflow_server import train_logged_model, write_over
from tests.policies import approval, gate_on_staging, model
from tests.worker.harness import ADA, BOB, POLICY, Office
from worker.registry.mlflow import MlflowRegistry

TWO = approval("{rules: [{group: leads, required_approvals: 2}]}")


def train(office: Office, weights: bytes = b"weights") -> None:
    office.registry.files["models/taxi/1"] = {"MLmodel": b"flavors: {}", "data/weights": weights}
    office.registry.trained("r1", rmse=5.0)
    office.post("training_run.finished", model="taxi", run_id="r1")


def write(office: Office, content: bytes) -> None:
    office.registry.files["models/taxi/1"]["data/weights"] = content


def approve(office: Office, by=ADA) -> None:
    office.post("promotion.approve", by=by, model="taxi", version=1)


def between_approval_and_move(office: Office, change) -> None:
    office.accept("promotion.approve", by=ADA, model="taxi", version=1)
    [task_message] = office.due()
    office.run(task_message)
    change()
    office.work()


@pytest.mark.parametrize("content", [b"WEIGHTS", b"more weights"])
def test_files_written_over_before_a_vote_void_the_request(office, content):
    train(office)
    write(office, content)
    approve(office)
    assert "the model's files changed since taxi version 1 to Production was asked for" in office.fact("promotion.void")
    assert office.stages() == {1: "Staging"}
    approve(office)
    assert office.stages() == {1: "Production"}


def test_between_two_votes(office):
    office.policy(TWO)
    train(office)
    approve(office)
    write(office, b"WEIGHTS")
    approve(office, BOB)
    assert "the model's files changed" in office.fact("promotion.void")
    approve(office, BOB)
    assert office.stages() == {1: "Staging"}, "who approved the files of before has not approved these"


def test_between_the_last_vote_and_the_move(office):
    train(office)
    between_approval_and_move(office, lambda: write(office, b"WEIGHTS"))
    assert "the model's files changed" in office.fact("promotion.void")
    assert office.stages() == {1: "Staging"}


def test_while_what_nobody_is_asked_for_waits_for_its_time(office):
    frozen = 'gates: [{freeze: "0 0 1 * *", duration: 31d, zone: UTC}], approval: automatic'
    office.policy(POLICY.replace("approval: {rules: [{group: leads}]}", frozen))
    train(office)
    assert office.promotions()[-1] == (1, "Production", "approved")
    write(office, b"WEIGHTS")
    office.later(days=32)
    assert "the model's files changed" in office.fact("promotion.void")


def test_what_is_too_large_is_compared_by_names_and_sizes_and_that_is_said(office):
    office.policy(model("compare_content_mb: 0"))
    train(office)
    with office.ledger.read() as connection:
        found = latest(connection, "taxi", 1, "Production")
    assert found.evidence["compared"] == "names and sizes"
    write(office, b"WEIGHTS")
    approve(office)
    assert office.stages() == {1: "Production"}


def test_files_are_looked_at_once_in_a_task_and_not_for_what_a_gate_holds_back(office):
    office.policy(gate_on_staging('{metric: rmse, op: "<", threshold: 1}'))
    train(office)
    assert office.registry.looks == []
    office.policy(POLICY)
    office.post("promotion.request", model="taxi", version=1, target="Staging")
    assert len(office.registry.looks) == 3, "asked for Staging, moved there, asked for Production"
    approve(office)
    assert len(office.registry.looks) == 5, "a vote, a move"


class Approved:
    """A logged model of MLflow 3, asked for Production, with two who must approve."""

    def __init__(self, address: str, ledger, folder) -> None:
        self.address, self.client = address, MlflowClient(address)
        self.name = f"files-{uuid.uuid4().hex[:8]}"
        self.office = Office(ledger, folder, MlflowRegistry(address), TWO.replace("  taxi:", f"  {self.name}:"))
        self.run = train_logged_model(self.client)
        self.office.post("training_run.finished", model=self.name, run_id=self.run)

    def write_over(self, content: str = "flavors: []\n") -> None:
        [output] = self.client.get_run(self.run).outputs.model_outputs
        write_over(self.address, self.client, output.model_id, "MLmodel", content)

    def vote(self, by) -> None:
        self.office.post("promotion.approve", by=by, model=self.name, version=1)

    @property
    def stage(self) -> str:
        return self.office.stages(self.name)[1]


@pytest.fixture
def asked(mlflow_address, ledger, tmp_path) -> Approved:
    return Approved(mlflow_address, ledger, tmp_path)


def test_a_logged_models_files_are_those_that_were_approved(asked):
    for by in (ADA, BOB):
        asked.vote(by)
    assert asked.stage == "Production"


def test_written_over_through_the_artifact_proxy_before_the_first_vote(asked):
    asked.write_over()
    asked.vote(ADA)
    assert "the model's files changed" in asked.office.fact("promotion.void")
    assert asked.stage == "Staging"


def test_and_between_two_votes(asked):
    asked.vote(ADA)
    asked.write_over()
    asked.vote(BOB)
    assert "the model's files changed" in asked.office.fact("promotion.void")
    asked.vote(BOB)
    assert asked.stage == "Staging"


def test_and_between_the_last_vote_and_the_move(asked):
    asked.vote(ADA)
    asked.office.accept("promotion.approve", by=BOB, model=asked.name, version=1)
    [task_message] = asked.office.due()
    asked.office.run(task_message)
    asked.write_over()
    asked.office.work()
    assert "the model's files changed" in asked.office.fact("promotion.void")
    assert asked.stage == "Staging"


def test_written_over_with_what_was_there_nothing_changed(asked):
    asked.vote(ADA)
    asked.write_over("flavors: {}\n")
    asked.vote(BOB)
    assert asked.stage == "Production"
