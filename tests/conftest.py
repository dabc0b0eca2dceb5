"""What all tests share: a ledger on a real file."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from registrar.ledger import Ledger
from registrar.ledger.migrate import migrate


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    migrate(opened)
    yield opened
    opened.close()
