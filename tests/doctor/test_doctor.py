"""The command: every part is looked at whatever the others do, within a time, without a secret, with an exit code."""

import json
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
from click.testing import CliRunner, Result

from registrar import plugins
from registrar.cli import main
from registrar.config.settings import Settings
from registrar.doctor import DoctorContext, Finding, ok
from registrar.doctor.checks import clocks, receiver
from registrar.doctor.examine import CHECKS, SECONDS, examine
from tests.doctor.conftest import NOWHERE, POLICY, Pages, SiteOf

PARTS = ["config", "secrets", "ledger", "broker", "receiver", "access", "work", "mlflow", "channels", "clocks"]
IF_NAMED = ["provider", "webhook"]  # looked at where registrar.yml has one


def run(site: DoctorContext, *arguments: str) -> Result:
    names = ("REGISTRAR_LEDGER_URL", "REGISTRAR_BROKER_URL", "REGISTRAR_SECRET_KEY", "MLFLOW_TRACKING_URI")
    given = {name: site.settings.environ[name] for name in (*names, "REGISTRAR_CONFIG", "REGISTRAR_PUBLIC_URL")}
    return CliRunner().invoke(main, ["--data", str(site.data), "doctor", *arguments], env=given)


def test_with_all_parts_down_each_has_a_line_that_says_what_to_do_and_it_ends_soon(site: SiteOf):
    began = time.monotonic()
    result = run(site(REGISTRAR_LEDGER_URL="postgresql+psycopg://u:the-password@127.0.0.1:1/x"))
    assert time.monotonic() - began < SECONDS + 10
    assert result.exit_code == 1, result.output
    failing = [line.split(maxsplit=2) for line in result.output.splitlines() if line.startswith("FAIL")]
    assert [part for _, part, _ in failing] == ["ledger", "broker", "receiver", "work", "mlflow"]
    assert all(". " in said for *_, said in failing)
    assert result.output.splitlines()[-1].endswith(" 5 failures")
    assert "the-password" not in result.output


def test_warnings_are_no_failure(site: SiteOf, monkeypatch: pytest.MonkeyPatch):
    for part in PARTS:
        monkeypatch.setattr(
            plugins.load(CHECKS, part), "check", lambda context: iter([Finding("warn", "so so", "mend it")])
        )
    assert run(site()).exit_code == 0


def test_as_json_each_finding_is_an_object(site: SiteOf):
    result = run(site(), "--json")
    found: list[dict[str, Any]] = json.loads(result.output)
    assert result.exit_code == 1
    assert list(dict.fromkeys(one["part"] for one in found)) == PARTS
    assert {key for one in found for key in one} == {"part", "level", "seen", "do"}
    assert {one["level"] for one in found} == {"ok", "warn", "FAIL"}


def test_each_check_is_a_file_with_a_test():
    assert sorted(plugins.kinds(CHECKS)) == sorted(PARTS + IF_NAMED)


def test_a_check_that_breaks_is_a_line_and_no_end_of_the_others(site: SiteOf, monkeypatch: pytest.MonkeyPatch):
    def breaks(context: DoctorContext) -> Iterator[Finding]:
        yield ok("so far")
        raise KeyError("the-password")

    monkeypatch.setattr(clocks, "check", breaks)
    given = site(REGISTRAR_BROKER_URL="redis://:the-password@127.0.0.1:1/0")
    *_, before, broken = [line.finding for line in examine(given)]
    assert before == ok("so far")
    assert (broken.level, broken.seen) == ("FAIL", "the check itself failed: KeyError: '***'")


def test_a_check_that_never_ends_is_a_line(site: SiteOf, monkeypatch: pytest.MonkeyPatch):
    def hangs(context: DoctorContext) -> Iterator[Finding]:
        yield ok("so far")
        time.sleep(600)

    monkeypatch.setattr(receiver, "check", hangs)
    found = [line.finding for line in examine(site(), seconds=2) if line.part == "receiver"]
    assert found[0] == ok("so far")
    assert (found[1].level, "did not end within 2 s" in found[1].seen) == ("FAIL", True)


def test_parts_that_take_connections_and_are_silent_are_waited_for_no_longer_than_that(site: SiteOf):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        at = f"127.0.0.1:{silent.getsockname()[1]}"
        addresses = {"REGISTRAR_BROKER_URL": f"redis://{at}/0", "MLFLOW_TRACKING_URI": f"http://{at}"}
        began = time.monotonic()
        levels = {
            line.part: line.finding.level for line in examine(site(REGISTRAR_PUBLIC_URL=f"http://{at}", **addresses))
        }
        assert time.monotonic() - began < SECONDS + 5
    assert {levels[part] for part in ("broker", "mlflow", "receiver")} == {"FAIL"}


def test_without_settings_that_is_the_line(tmp_path, monkeypatch: pytest.MonkeyPatch):
    for name in Settings.read.__globals__["_EXAMPLES"]:
        monkeypatch.delenv(name, raising=False)
    result = CliRunner().invoke(main, ["--data", str(tmp_path / "none"), "doctor"])
    assert result.exit_code == 1
    assert result.output.startswith("FAIL  config    there is no installation here: no ")


def test_a_policy_that_can_not_be_read_keeps_no_other_part_from_being_looked_at(site: SiteOf, pages: Pages):
    there = site(POLICY)
    there.settings.config_path.write_text("version: [")
    result = run(there)
    assert "not YAML" in result.output
    assert NOWHERE in result.output
    assert "takes writes" in result.output


def test_a_request_without_a_source_is_refused(site: SiteOf, tmp_path):
    (tmp_path / "x.http").write_text("x")
    assert "--request needs --source" in run(site(), "--request", str(tmp_path / "x.http")).output
