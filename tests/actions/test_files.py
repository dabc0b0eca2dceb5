"""An approval holds for the files that serving would load, and for no others."""

import uuid

import pytest
from mlflow import MlflowClient

from registrar.ledger.promotions import latest
from tests.mlflow_server import train_logged_model, write_over
from tests.policies import approval, gate_on_staging, model
from tests.worker.harness import ADA, BOB, POLICY, WorkerHarness
from worker.registry.mlflow import MlflowRegistry

TWO = approval("{rules: [{group: leads, required_approvals: 2}]}")


def train(harness: WorkerHarness, weights: bytes = b"weights") -> None:
    harness.registry.files["models/taxi/1"] = {"MLmodel": b"flavors: {}", "data/weights": weights}
    harness.registry.trained("r1", rmse=5.0)
    harness.post("training_run.finished", model="taxi", run_id="r1")


def write(harness: WorkerHarness, content: bytes) -> None:
    harness.registry.files["models/taxi/1"]["data/weights"] = content


def approve(harness: WorkerHarness, by=ADA) -> None:
    harness.post("promotion.approve", by=by, model="taxi", version=1)


def between_approval_and_move(harness: WorkerHarness, change) -> None:
    harness.accept("promotion.approve", by=ADA, model="taxi", version=1)
    [task_message] = harness.due()
    harness.run(task_message)
    change()
    harness.work()


@pytest.mark.parametrize("content", [b"WEIGHTS", b"more weights"])
def test_files_written_over_before_a_vote_void_the_request(harness, content):
    train(harness)
    write(harness, content)
    approve(harness)
    assert "the model's files changed since taxi version 1 to Production was asked for" in harness.fact(
        "promotion.void"
    )
    assert harness.stages() == {1: "Staging"}
    approve(harness)
    assert harness.stages() == {1: "Production"}


def test_between_two_votes(harness):
    harness.policy(TWO)
    train(harness)
    approve(harness)
    write(harness, b"WEIGHTS")
    approve(harness, BOB)
    assert "the model's files changed" in harness.fact("promotion.void")
    approve(harness, BOB)
    assert harness.stages() == {1: "Staging"}, "who approved the files of before has not approved these"


def test_between_the_last_vote_and_the_move(harness):
    train(harness)
    between_approval_and_move(harness, lambda: write(harness, b"WEIGHTS"))
    assert "the model's files changed" in harness.fact("promotion.void")
    assert harness.stages() == {1: "Staging"}


def test_while_what_nobody_is_asked_for_waits_for_its_time(harness):
    frozen = 'gates: [{freeze: "0 0 1 * *", duration: 31d, zone: UTC}], approval: automatic'
    harness.policy(POLICY.replace("approval: {rules: [{group: leads}]}", frozen))
    train(harness)
    assert harness.promotions()[-1] == (1, "Production", "approved")
    write(harness, b"WEIGHTS")
    harness.later(days=32)
    assert "the model's files changed" in harness.fact("promotion.void")


def test_what_is_too_large_is_compared_by_names_and_sizes_and_that_is_said(harness):
    harness.policy(model("compare_content_mb: 0"))
    train(harness)
    with harness.ledger.read() as connection:
        found = latest(connection, "taxi", 1, "Production")
    assert found.evidence["compared"] == "names and sizes"
    write(harness, b"WEIGHTS")
    approve(harness)
    assert harness.stages() == {1: "Production"}


def test_files_are_looked_at_once_in_a_task_and_not_for_what_a_gate_holds_back(harness):
    harness.policy(gate_on_staging('{metric: rmse, op: "<", threshold: 1}'))
    train(harness)
    assert harness.registry.looks == []
    harness.policy(POLICY)
    harness.post("promotion.request", model="taxi", version=1, target="Staging")
    assert len(harness.registry.looks) == 1, "asked for Staging, and then at once for Production"
    approve(harness)
    assert len(harness.registry.looks) == 2, "a vote, and then at once a move"


class Approved:
    """A logged model of MLflow 3, asked for Production, with two who must approve."""

    def __init__(self, address: str, ledger, folder) -> None:
        self.address, self.client = address, MlflowClient(address)
        self.name = f"files-{uuid.uuid4().hex[:8]}"
        self.harness = WorkerHarness(ledger, folder, MlflowRegistry(address), TWO.replace("  taxi:", f"  {self.name}:"))
        self.run = train_logged_model(self.client)
        self.harness.post("training_run.finished", model=self.name, run_id=self.run)

    def write_over(self, content: str = "flavors: []\n") -> None:
        [output] = self.client.get_run(self.run).outputs.model_outputs
        write_over(self.address, self.client, output.model_id, "MLmodel", content)

    def vote(self, by) -> None:
        self.harness.post("promotion.approve", by=by, model=self.name, version=1)

    @property
    def stage(self) -> str:
        return self.harness.stages(self.name)[1]


@pytest.fixture
def approved_request(mlflow_address, ledger, tmp_path) -> Approved:
    return Approved(mlflow_address, ledger, tmp_path)


def test_a_logged_models_files_are_those_that_were_approved(approved_request):
    for by in (ADA, BOB):
        approved_request.vote(by)
    assert approved_request.stage == "Production"


def test_written_over_through_the_artifact_proxy_before_the_first_vote(approved_request):
    approved_request.write_over()
    approved_request.vote(ADA)
    assert "the model's files changed" in approved_request.harness.fact("promotion.void")
    assert approved_request.stage == "Staging"


def test_and_between_two_votes(approved_request):
    approved_request.vote(ADA)
    approved_request.write_over()
    approved_request.vote(BOB)
    assert "the model's files changed" in approved_request.harness.fact("promotion.void")
    approved_request.vote(BOB)
    assert approved_request.stage == "Staging"


def test_and_between_the_last_vote_and_the_move(approved_request):
    approved_request.vote(ADA)
    approved_request.harness.accept("promotion.approve", by=BOB, model=approved_request.name, version=1)
    [task_message] = approved_request.harness.due()
    approved_request.harness.run(task_message)
    approved_request.write_over()
    approved_request.harness.work()
    assert "the model's files changed" in approved_request.harness.fact("promotion.void")
    assert approved_request.stage == "Staging"


def test_written_over_with_what_was_there_nothing_changed(approved_request):
    approved_request.vote(ADA)
    approved_request.write_over("flavors: {}\n")
    approved_request.vote(BOB)
    assert approved_request.stage == "Production"
