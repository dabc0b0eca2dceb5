"""`registrar demo --exit` as a new user runs it: twice in a row on one folder, and with its worker killed."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

SECONDS = 420
pytestmark = pytest.mark.timeout(2 * SECONDS)


def registrar(data: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "registrar", "--data", str(data), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo") / "registrar data"


@pytest.fixture(scope="module")
def first(data: Path) -> subprocess.CompletedProcess[str]:
    return registrar(data, "demo", "--exit")


@pytest.fixture(scope="module")
def second(data: Path, first: subprocess.CompletedProcess[str]) -> subprocess.CompletedProcess[str]:
    return registrar(data, "demo", "--exit")


@pytest.fixture(scope="module")
def third(data: Path, second: subprocess.CompletedProcess[str]) -> subprocess.CompletedProcess[str]:
    return registrar(data, "demo", "--exit", "--kill-worker")


def holders(data: Path, key: str) -> list[dict[str, Any]]:
    """Oldest first."""
    rows = json.loads(registrar(data, "history", "nyc-taxi-regressor", "--json").stdout)
    return [row for row in reversed(rows) if row["key"] == key]


def test_the_first_pass_brings_version_2_to_production(data: Path, first: subprocess.CompletedProcess[str]) -> None:
    assert first.returncode == 0, first.stdout + first.stderr
    assert "version 1 (None) was held back: rmse" in first.stdout
    assert "Your vote does not count: Bob may not approve nyc-taxi-regressor version 2" in first.stdout
    assert "version 2 was transitioned to Production on" in first.stdout
    assert "Passed: nyc-taxi-regressor version 2 (Production, @champion)" in first.stdout


def test_the_second_pass_archives_the_holder_before_it(second: subprocess.CompletedProcess[str]) -> None:
    assert second.returncode == 0, second.stdout + second.stderr
    assert "the one before it: version 2 (Archived)" in second.stdout
    assert "Passed: nyc-taxi-regressor version 4 (Production, @champion)" in second.stdout


def test_a_worker_killed_in_the_middle_loses_and_doubles_nothing(third: subprocess.CompletedProcess[str]) -> None:
    assert third.returncode == 0, third.stdout + third.stderr
    assert "worker ended with signal 9; restarted" in third.stdout
    assert "Passed: nyc-taxi-regressor version 6 (Production, @champion)" in third.stdout


def test_the_record_says_who_was_production_when(data: Path, third: subprocess.CompletedProcess[str]) -> None:
    production = holders(data, "Production")
    assert [(row["version"], row["actor"]) for row in production] == [(2, "ada"), (4, "ada"), (6, "ada")]
    assert [row["until"] is None for row in production] == [False, False, True]
    assert production[0]["until"] < production[2]["since"]
    assert [row["version"] for row in holders(data, "Archived")] == [2, 4]


def test_nothing_is_left_running(data: Path, third: subprocess.CompletedProcess[str]) -> None:
    left = [process.cmdline() for process in psutil.process_iter() if _mentions(process, str(data))]
    assert left == []


def test_no_secret_is_printed_or_logged(data: Path, third: subprocess.CompletedProcess[str]) -> None:
    folders = (data / "secrets", data / "demo" / "secrets")
    secrets = [path.read_text().strip() for folder in folders for path in folder.iterdir()]
    logs = [path.read_text(errors="replace") for path in (data / "logs").iterdir()]
    assert len(secrets) >= 7
    assert not [text for text in [*logs, third.stdout, third.stderr] for secret in secrets if secret in text]


def _mentions(process: psutil.Process, text: str) -> bool:
    try:
        return any(text in word for word in process.cmdline())
    except psutil.Error:
        return False
