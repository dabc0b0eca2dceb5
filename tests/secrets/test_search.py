"""The search can find: every form of a secret that is planted somewhere."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from registrar.config.key_generation import new_webhook_secret
from registrar.ledger import Ledger
from registrar.ledger.engine import now
from registrar.ledger.rejections import record
from tests.secrets.search import files, found

WEIRD = 'p@ss/w"rd & <more> \\ things'
SIGNING = new_webhook_secret()


def in_basic_auth(secret: str) -> str:
    return base64.b64encode(f"u:{secret}".encode()).decode()


def in_a_sentence(secret: str) -> str:
    return base64.urlsafe_b64encode(f"before {secret} behind".encode()).decode()


FORMS: list[Callable[[str], str]] = [
    str,
    repr,
    json.dumps,
    quote,
    quote_plus,
    in_basic_auth,
    in_a_sentence,
    lambda secret: quote(secret, safe=""),
    lambda secret: secret.encode().hex(),
    lambda secret: secret.encode().hex().upper(),
    lambda secret: base64.b64encode(secret.encode()).decode(),
]


@pytest.mark.parametrize("secret", [WEIRD, SIGNING], ids=["weird", "whsec"])
@pytest.mark.parametrize("form", FORMS)
def test_a_planted_secret_is_found_in_every_form(form: Callable[[str], str], secret: str):
    assert found({"it": secret}, {"log": f"12:00 INFO {form(secret)} and so on".encode()})[0].startswith("it in log")


def test_the_key_that_a_secret_stands_for_is_found_too():
    key = base64.b64decode(SIGNING.removeprefix("whsec_"))
    assert found({"it": SIGNING}, {"a": key, "b": key.hex().encode(), "c": SIGNING.removeprefix("whsec_").encode()})


def test_what_is_no_secret_is_not_found():
    assert found({"it": WEIRD, "other": SIGNING}, {"log": b"p@ss w0rd " + new_webhook_secret().encode()}) == []


def test_a_row_of_the_ledger_and_its_write_ahead_log_are_looked_at(ledger: Ledger, tmp_path: Path):
    with ledger.write() as connection:
        record(connection, source="ci", status=401, code="x", detail=f"said {WEIRD}", size=1, at=now())
    places = {where for where in ("ledger.db", "ledger.db-wal") if found({"it": WEIRD}, files(tmp_path))}
    assert places
    assert "ledger.db" in found({"it": WEIRD}, files(tmp_path))[0]
