"""What `make check` takes for the tests of a change."""

from pathlib import Path
from uuid import uuid4

import pytest

from tests.changed import UnknownCommit, belonging, changed, main


@pytest.mark.parametrize(
    ("file", "among", "first"),
    [
        ("registrar/config/encryption.py", "tests/notifications/test_cards.py", "tests/config/test_encryption.py"),
        ("webhooks/sources/gitlab/__init__.py", "tests/sources/test_gitlab.py", "tests/sources/test_gitlab.py"),
        ("docs/audit.md", "tests/cli/test_audit.py", None),
        ("tests/config/test_encryption.py", "tests/config/test_encryption.py", "tests/config/test_encryption.py"),
        ("tests/policies.py", "tests/actions/test_deploy.py", None),
        ("webhooks/sources/github/__init__.py", "tests/sources/test_fixtures.py", "tests/sources/test_github.py"),
        ("tests/fixtures/gitlab/pipeline__success.http", "tests/sources/test_fixtures.py", None),
        ("tests/fixtures/notifiers/slack__moved.json", "tests/notifications/test_notifiers.py", None),
        ("tests/queries/conftest.py", "tests/queries/test_quorum.py", None),
    ],
)
def test_its_tests_are_those_named_after_it_and_those_that_import_or_name_it(file: str, among: str, first: str | None):
    found = belonging([Path(file)])
    assert Path(among) in found
    assert first is None or found[0] == Path(first)


def test_what_has_no_tests_of_its_own_has_none():
    assert belonging([Path(f"{uuid4()}.txt")]) == []


def test_long_ones_are_never_among_them():
    found = belonging(
        [
            Path("registrar/ledger/tables/record.py"),
            Path("registrar/config/encryption.py"),
            Path("tests/slow/fuzz/test_fuzz.py"),
        ]
    )
    assert found
    assert not any({"slow", "e2e"}.intersection(path.parts) for path in found)


def test_of_a_module_that_is_gone_they_are_those_that_still_name_it():
    assert Path("tests/test_changed.py") in belonging([Path("tests/that_is_gone.py")])  # here: tests.that_is_gone


def test_a_base_that_is_no_commit_is_said_in_gits_words(capsys):
    with pytest.raises(UnknownCommit, match="nonsense"):
        changed("nonsense")
    assert main("nonsense") == 2
    assert "BASE=nonsense is no commit" in capsys.readouterr().err
