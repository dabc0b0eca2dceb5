import pytest

from tests.worker.harness import Office


@pytest.fixture
def office(ledger, tmp_path) -> Office:
    return Office(ledger, tmp_path)
