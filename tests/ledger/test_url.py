"""An address of no database is a sentence that shows nothing of it, wherever the ledger is opened."""

import pytest

from registrar.ledger import Ledger
from registrar.ledger.engine import LedgerUrlError


@pytest.mark.parametrize(
    "url",
    [
        "the-password",
        "postgresql+psycopg//u:the-password@h/x",
        "postgresql+psycopg://u:the-password@h:port/x",
        "postgresql+psycopg://u:pass@h:the-password/x",
        "nosuch://u:the-password@h/x",
        "",
    ],
)
def test_what_is_no_address_is_refused_without_being_shown(url: str):
    with pytest.raises(LedgerUrlError, match="is no database's address; one is such as sqlite:////var/lib") as refused:
        Ledger(url)
    assert "the-password" not in str(refused.value)
    assert refused.value.__cause__ is None
