import pytest

from tests.worker.harness import WorkerHarness


@pytest.fixture
def harness(ledger, tmp_path) -> WorkerHarness:
    return WorkerHarness(ledger, tmp_path)
