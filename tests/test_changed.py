"""What `make check` takes for the tests of a change."""

from pathlib import Path
from uuid import uuid4

import pytest

from tests.changed import MOST, belonging


@pytest.mark.parametrize(
    ("file", "among", "first"),
    [
        ("registrar/seal.py", "tests/notifiers/test_cards.py", "tests/test_seal.py"),
        ("webhooks/sources/gitlab.py", "tests/sources/test_gitlab.py", "tests/sources/test_gitlab.py"),
        ("docs/audit.md", "tests/cli/test_audit.py", None),
        ("tests/test_seal.py", "tests/test_seal.py", "tests/test_seal.py"),
        ("tests/policies.py", "tests/actions/test_deploy.py", None),
    ],
)
def test_its_tests_are_those_named_after_it_and_those_that_import_or_name_it(file: str, among: str, first: str | None):
    found = belonging([Path(file)])
    assert Path(among) in found
    assert first is None or found[0] == Path(first)
    assert len(found) < MOST


def test_what_has_no_tests_of_its_own_has_none():
    assert belonging([Path(f"{uuid4()}.txt")]) == []


def test_long_ones_are_never_among_them():
    found = belonging(
        [Path("registrar/ledger/tables.py"), Path("registrar/seal.py"), Path("tests/slow/fuzz/test_fuzz.py")]
    )
    assert found
    assert not any({"slow", "e2e"}.intersection(path.parts) for path in found)
