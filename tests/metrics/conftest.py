import pytest
from prometheus_client import disable_created_metrics

from tests.worker.harness import WorkerHarness
from webhooks import caches
from webhooks.monitoring.metrics import journal_metrics


@pytest.fixture
def harness(ledger, tmp_path) -> WorkerHarness:
    return WorkerHarness(ledger, tmp_path)


@pytest.fixture(autouse=True)
def nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each scrape looks. No series says when others began: Metrics sees to that in a receiver."""
    disable_created_metrics()
    monkeypatch.setattr(caches, "FRESH", 0.0)
    monkeypatch.setattr(caches, "_TIMES_LOADING", 0)


@pytest.fixture(autouse=True)
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A scrape waits until all entries are counted: a busy machine may take longer for few of them."""
    monkeypatch.setattr(journal_metrics, "WAIT", 30.0)
