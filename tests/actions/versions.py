"""Versions of the model taxi, brought as far as a test needs them."""

from tests.worker.harness import ADA, WorkerHarness


def trained(harness: WorkerHarness, run: str, rmse: float = 5.0) -> int:
    """A version that passed Staging's gates, or not, by its rmse; its number."""
    harness.registry.trained(run, rmse=rmse)
    number = max(harness.stages(), default=0) + 1
    harness.registry.files[f"models/taxi/{number}"] = {"MLmodel": b""}
    harness.post("training_run.finished", model="taxi", run_id=run)
    return number


def live(harness: WorkerHarness, *runs: str) -> None:
    """Each run's version approved to Production, one after the other."""
    for run in runs:
        harness.post("promotion.approve", by=ADA, model="taxi", version=trained(harness, run))
