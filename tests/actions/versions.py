"""Versions of the model taxi, brought as far as a test needs them."""

from tests.worker.harness import ADA, Office


def trained(office: Office, run: str, rmse: float = 5.0) -> int:
    """A version that passed Staging's gates, or not, by its rmse; its number."""
    office.registry.trained(run, rmse=rmse)
    number = max(office.stages(), default=0) + 1
    office.registry.files[f"models/taxi/{number}"] = {"MLmodel": b""}
    office.post("training_run.finished", model="taxi", run_id=run)
    return number


def live(office: Office, *runs: str) -> None:
    """Each run's version approved to Production, one after the other."""
    for run in runs:
        office.post("promotion.approve", by=ADA, model="taxi", version=trained(office, run))
