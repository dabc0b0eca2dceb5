"""What a worker counts: attempts and how they ended, calls to MLflow, what was told, what gates said."""

import pytest

from tests.metrics.reading import families
from tests.worker.harness import WorkerHarness
from worker import observability
from worker.registry.mlflow import MlflowRegistry
from worker.registry.protocol import NotFound, RetryableError


def counted(name: str) -> dict[tuple[str, ...], float]:
    return families(observability.metrics_text().decode()).get(f"registrar_{name}", {})


def grown(before: dict[tuple[str, ...], float], name: str) -> dict[tuple[str, ...], float]:
    """By how much since: the process counts for all tests."""
    return {labels: n - before.get(labels, 0) for labels, n in counted(name).items() if n != before.get(labels, 0)}


def test_an_attempt_is_counted_by_how_it_ended(harness):
    before = counted("task_attempt_seconds_count")
    harness.registry.fail["run"] = RetryableError("MLflow is down")
    harness.registry.trained("r1", rmse=5.0)
    harness.post("training_run.finished", model="taxi", run_id="r1")
    harness.later(seconds=30)
    harness.post("training_run.finished", model="taxi", run_id="nowhere")
    found = {labels: n for labels, n in grown(before, "task_attempt_seconds_count").items() if labels[0] == "register"}
    assert found == {("register", "retryable"): 1, ("register", "succeeded"): 1, ("register", "not_found"): 1}


def test_gates_are_counted_by_policy_and_target(harness):
    before = counted("gate_results_total")
    harness.registry.trained("r1", rmse=5.0)
    harness.registry.trained("r2", rmse=9.0)
    for run in ("r1", "r2"):
        harness.post("training_run.finished", model="taxi", run_id=run)
    staging = ("taxi", "Staging", "threshold")
    assert grown(before, "gate_results_total") == {(*staging, "passed"): 1, (*staging, "failed"): 1}


def test_what_a_channel_was_told_is_counted_by_channel(harness):
    before = counted("notifications_total")
    harness.post("training_run.failed", model="taxi", reason="out of memory")
    assert grown(before, "notifications_total") == {("log", "succeeded"): 1}


def test_a_channel_that_can_not_be_told_is_counted_at_each_attempt(ledger, tmp_path):
    policy = """
version: 1
sources: {ci: {kind: standard, secrets: [env:CI]}}
channels: {team: {kind: webhook, url: "env:NOWHERE"}}
notify: [{outcomes: ["*"], to: [team]}]
"""
    before = counted("notifications_total")
    WorkerHarness(ledger, tmp_path, policy=policy).post("training_run.failed", model="taxi")
    assert grown(before, "notifications_total") == {("team", "final"): 1}


def test_a_real_call_to_mlflow_is_timed_by_its_name(mlflow_address):
    before = counted("mlflow_call_seconds_count")
    registry = MlflowRegistry(mlflow_address)
    registry.models()
    with pytest.raises(NotFound):
        registry.run("0" * 32)
    assert grown(before, "mlflow_call_seconds_count") == {
        ("search_registered_models", "succeeded"): 1,
        ("get_run", "not_found"): 1,
    }


def test_an_mlflow_that_does_not_answer_is_an_error_of_the_call():
    before = counted("mlflow_call_seconds_count")
    with pytest.raises(RetryableError):
        MlflowRegistry("http://127.0.0.1:1").models()
    assert grown(before, "mlflow_call_seconds_count") == {("search_registered_models", "retryable"): 1}
