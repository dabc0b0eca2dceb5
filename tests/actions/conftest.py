from collections.abc import Iterator

import pytest

from registrar.ledger.journal.verify import verify
from tests.worker.harness import Office


@pytest.fixture
def office(ledger, tmp_path, request) -> Iterator[Office]:
    """Whatever the actions of a test wrote into the record, the journal must say the same."""
    yield Office(ledger, tmp_path)
    if request.node.get_closest_marker("edits_the_record"):
        return
    with ledger.read() as connection:
        verify(connection)
