"""Many approvals of one model at the same moment, worked on by many workers: one Production, one @champion."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.worker.harness import ADA, POLICY
from worker.celery_tasks import run_chain

pytestmark = pytest.mark.both_ledgers
# Any number in Staging, so that all of them wait for Production at once.
MANY = POLICY.replace("stage: Staging,", "stage: Staging, exclusive: false, on_replace: keep,").replace(
    "alias: challenger, ", ""
)
WORKERS = 8


def all_at_once(harness) -> None:
    """Every worker gets every message, as after a doubled one, until nothing is due."""
    with ThreadPoolExecutor(WORKERS) as threads:
        while task_messages := harness.due():
            heard = [task_message for task_message in task_messages for _ in range(3)]
            list(
                threads.map(
                    lambda task_message: run_chain(harness.context, task_message),
                    heard,
                )
            )


@pytest.mark.parametrize("count", [2, 8])
def test_so_many_approvals_at_once_leave_one_holder(harness, count: int):
    harness.policy(MANY)
    for number in range(1, count + 1):
        harness.registry.trained(f"r{number}", rmse=5.0)
        harness.post("model_version.register", model="taxi", run_id=f"r{number}")
    for number in range(count, 0, -1):  # a request ends those for older versions
        harness.post("promotion.request", by=ADA, model="taxi", version=number, target="Production")
    waiting = [version for version, target, state in harness.promotions() if state == "awaiting_approval"]
    assert sorted(waiting) == list(range(1, count + 1))
    for number in waiting:
        harness.accept("promotion.approve", by=ADA, model="taxi", version=number)
    all_at_once(harness)
    stages = harness.stages()
    [holder] = [number for number, stage in stages.items() if stage == "Production"]
    assert harness.registry.version("taxi", holder).aliases == ("champion",)
    assert harness.holding()["Production"] == harness.holding()["@champion"] == [holder]
    assert len(stages) == count
