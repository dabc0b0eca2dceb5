from collections.abc import Iterator

import pytest

from registrar.ledger.journal.verify import verify
from tests.worker.harness import WorkerHarness


@pytest.fixture
def harness(ledger, tmp_path, request) -> Iterator[WorkerHarness]:
    """Whatever the actions of a test wrote into the record, the journal must say the same."""
    yield WorkerHarness(ledger, tmp_path)
    if request.node.get_closest_marker("edits_the_record"):
        return
    with ledger.read() as connection:
        verify(connection)
