import pytest
from prometheus_client import disable_created_metrics

from tests.worker.harness import WorkerHarness
from webhooks import caches


@pytest.fixture
def harness(ledger, tmp_path) -> WorkerHarness:
    return WorkerHarness(ledger, tmp_path)


@pytest.fixture(autouse=True)
def nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each scrape looks. No series says when others began: Metrics sees to that in a receiver."""
    disable_created_metrics()
    monkeypatch.setattr(caches, "FRESH", 0.0)
    monkeypatch.setattr(caches, "_TIMES_LOADING", 0)
