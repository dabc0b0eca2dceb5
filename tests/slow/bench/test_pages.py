"""The bench of pages asks for each of them, on both ledgers, and each answers."""

import pytest

from tests.bench import pages


@pytest.mark.parametrize("ledger", ["sqlite", "postgresql"])
def test_each_page_has_a_figure(ledger: str):
    with pages.filled(ledger, size=300) as receiver:
        found = pages.once(receiver)
    assert set(found) == set(receiver.pages)
    assert min(found.values()) > 0
