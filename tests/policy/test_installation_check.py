"""What of a valid registrar.yml does not fit this machine: its secrets, addresses and kinds."""

import logging
from pathlib import Path

import pytest

from registrar import plugins
from registrar.policy import installation_check
from registrar.policy.load import parse

POLICY = """version: 1
sources:
  ci: {kind: standard, secrets: ["file:ci:1.whsec"], may: [{events: [training_run.*], models: ["*"]}]}
channels:
  any: {kind: apprise, url: "env:ANY"}
  log: {kind: log, url: "env:LOG"}
  team: {kind: slack, url: "env:TEAM_URL"}
groups:
  testers: []
notify:
  - {outcomes: ["*"], to: [any, log, team]}
"""
ENVIRON = {"ANY": "tgram://token", "LOG": "nowhere", "TEAM_URL": "hooks.slack.com/x"}
WARNINGS = [
    "7: channels.team.url: env:TEAM_URL holds no address: it begins with https://",
    "9: groups.testers: has no members, so nobody has the rights of this group",
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "registrar.yml").write_text(POLICY)
    return tmp_path / "registrar.yml"


def test_warnings_are_in_the_log_with_their_lines(path: Path, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.WARNING):
        installation_check.warn(parse(POLICY), environ=ENVIRON, path=path)
    assert caplog.messages == [f"{path}:{warning}" for warning in WARNINGS]


def test_the_address_of_a_file_is_read_from_beside_registrar_yml(path: Path):
    path.with_name("team").write_text(ENVIRON["TEAM_URL"])
    policy = parse(POLICY.replace("env:TEAM_URL", "file:team"))
    [first, _] = installation_check.located_warnings(policy, environ=ENVIRON, path=path)
    assert "file:team holds no address" in first


def said(reference: str, folder: Path) -> str:
    policy = parse(POLICY.replace("file:ci:1.whsec", reference))
    environ = {**ENVIRON, "GITHUB_SECRET": "g" * 40, "CI_SECERTS": " "}
    [(at, why)] = installation_check.unreadable(policy, environ=environ, folder=folder)
    assert at == ("sources", "ci", "secrets", 0)
    return why.partition("; ")[2]


def test_how_to_make_a_secret_or_which_is_meant_is_said(tmp_path: Path):
    assert said("file:ci:1.whsec", tmp_path) == f"to make one: registrar secret --webhook --to {tmp_path}/ci:1.whsec"
    for name in ("ci:1.whsec", "old.whsec"):
        (tmp_path / name).write_text("whsec_x")
    assert said("file:ci:1.whsek", tmp_path) == "did you mean file:ci:1.whsec?"
    assert said("file:older.whsec.gz", tmp_path).startswith("to make one: ")


def test_a_variable_that_is_only_somewhat_alike_is_not_meant(tmp_path: Path):
    assert said("env:GITHUB_SECERT", tmp_path) == "did you mean env:GITHUB_SECRET?"
    assert said("env:CI_SECRET", tmp_path) == 'to make one: export CI_SECRET="$(registrar secret --webhook)"'


def test_the_kinds_that_a_policy_names_are_imported_as_far_as_they_can_be(monkeypatch: pytest.MonkeyPatch):
    imported = set()

    def load(folder: str, kind: str) -> None:
        imported.add((folder, kind))
        if kind == "apprise":
            raise ImportError("apprise is not installed")

    monkeypatch.setattr(plugins, "load", load)
    installation_check.load_kinds(parse(POLICY.replace("kind: log", "kind: odd")))
    assert imported == {
        ("webhooks.sources", "standard"),
        ("worker.notifications.notifiers", "apprise"),
        ("worker.notifications.notifiers", "slack"),
    }


def test_without_a_policy_no_kind_is_imported():
    installation_check.load_kinds(None)
