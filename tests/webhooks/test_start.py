"""The receiver refuses to start with what would only fail later, and says what to do."""

import re
from dataclasses import replace

import pytest

from registrar.config import settings as environment
from registrar.config.settings import Settings
from registrar.ledger import Ledger
from registrar.ledger.schema import HEAD, SchemaMismatch, check
from registrar.telemetry import redaction
from tests.webhooks.conftest import REGISTRAR_YML
from webhooks.app import CANNOT_START, create_app, from_environment


def test_the_receivers_schema_revision_is_alembics_head(ledger: Ledger):
    """`ledger` was migrated to the newest file in migrations/versions."""
    check(ledger)
    assert HEAD


def test_a_ledger_that_was_never_migrated(settings: Settings, tmp_path):
    empty = replace(settings, ledger_url=f"sqlite:///{tmp_path}/empty.db")
    with pytest.raises(SchemaMismatch, match=r"revision none, this version needs .*run `registrar migrate`"):
        create_app(empty)


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("kind: slack", "kind: slak", "sources.slack.kind: unknown kind 'slak'; known are "),
        ("env:SLACK_SECRET", "env:NOWHERE", "sources.slack.secrets: env:NOWHERE is empty or not set"),
        ("env:SLACK_SECRET", "env:WEAK", "sources.slack.secrets: env:WEAK: the secret's key has 4 bytes; at least 16"),
        ("env:OLD_SECRET", "env:WEAK", "sources.ci.secrets: env:WEAK: a Standard Webhooks secret starts with whsec_"),
        ("version: 1", "version: 1\nsorces: {}", "registrar.yml:3: sorces: unknown key"),
    ],
)
def test_a_wrong_registrar_yml(ledger: Ledger, settings: Settings, old: str, new: str, complaint: str):
    settings.config_path.write_text(REGISTRAR_YML.replace(old, new))
    with pytest.raises(ValueError, match=re.escape(complaint)):
        create_app(replace(settings, environ={**settings.environ, "WEAK": "weak"}))


def test_a_wrong_secret_key(ledger: Ledger, settings: Settings):
    with pytest.raises(ValueError, match="`registrar secret` makes one"):
        create_app(replace(settings, secret_key="x"))


def test_the_reason_is_on_stderr_and_it_stops(monkeypatch, capsys):
    monkeypatch.setattr(environment, "from_environment", lambda: Settings.read({}))
    with pytest.raises(SystemExit) as stopped:
        from_environment()
    assert stopped.value.code == CANNOT_START
    assert "the receiver can't start: missing in the environment: REGISTRAR_CONFIG" in capsys.readouterr().err


def test_what_registrar_yml_says_in_vain_is_in_the_log_once(ledger: Ledger, settings: Settings, monkeypatch, caplog):
    """The same sentence as of check-config, for whoever starts without `registrar up`."""
    settings.config_path.write_text(REGISTRAR_YML + "\ngroups: {nobody: []}\n")
    monkeypatch.setattr(environment, "from_environment", lambda: settings)
    monkeypatch.setattr(redaction, "install", lambda *_: None)
    from_environment()
    lines = [record.getMessage() for record in caplog.records if "groups.nobody" in record.getMessage()]
    assert len(lines) == 1
    assert re.search(r"registrar\.yml:\d+: groups\.nobody: has no members, so nobody has the rights", lines[0])
    assert caplog.records[-1].levelname == "WARNING"
