"""Whatever is wrong where it is called, every command ends with a sentence or does its work: none shows a traceback.

Commands are found by themselves: a new one is called here without being named (tests/cli/bad_places.py says how).
"""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from registrar.cli import main
from registrar.local import data_folder as folders
from tests.cli import bad_places

pytestmark = pytest.mark.usefixtures("_nothing_from_outside")
Around = Callable[[], AbstractContextManager[None]]
STARTING = ("up", "demo")  # they make what is missing, and start servers of their own where nothing keeps them from it
# What needs no folder, no ledger and no network, and what asks others for the record in place of reading it.
ALONE = {"completion", "schema", "secret"}
ASKING = {"alive", "check-config", "experiments", "runs", "versions", "address", "send", "policy", "policy show"}
ASKING |= {"prune", "adopt", "reconcile", "replay", "rollback", "dead retry", "dead drop", "queue drop"}
ASKING |= {"mlflow connect", "mlflow status", "mlflow disconnect"}
ASKING |= {
    "register",
    "promote",
    "transition",
    "demote",
    "archive",
    "fetch",
    "experiments list",
    "experiments create",
    "describe",
    "tag",
    "approve",
    "reject",
}
ASKING |= {"promotions approve", "promotions cancel", "promotions reject", "plan promotion", "plan prune"}


@pytest.fixture(autouse=True)
def _soon(monkeypatch) -> None:
    """MLflow's client gives up at once, and whoever waits for what is to come is interrupted."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")

    def interrupted(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("registrar.cli.events.time.sleep", interrupted)


@pytest.fixture
def place(tmp_path: Path) -> Callable[..., Path]:
    """A folder as `registrar up` leaves it, whose servers are at an address where none is."""

    def made(host: str = f"127.0.0.1:{bad_places.closed_port()}") -> Path:
        url = f"http://{host}"
        return bad_places.installed(tmp_path / "data", mlflow=url, broker=f"redis://{host}/0", receiver=url)

    return made


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
@pytest.mark.parametrize("command", ["events list --since", "history taxi --at", "send x --timestamp"])
def test_a_time_that_is_none_in_utc_is_a_mistake_of_its_option(place, command: str, time: str):
    result = CliRunner().invoke(main, ["--data", str(place()), *command.split(), time])
    assert (result.exit_code, "Invalid value for '--" in result.output) == (2, True)


def walked(data: Path, *options: str, around: Around = nullcontext, but: tuple[str, ...] = ()) -> dict[str, Result]:
    """Every command, called there."""
    found = {}
    for name in bad_places.commands():
        if name not in but:
            arguments = ["--data", str(data), *options, *bad_places.words(name)]
            with around():
                found[name] = CliRunner().invoke(main, arguments)
    return found


def wrong(results: dict[str, Result]) -> Iterator[str]:
    """What a person should not be shown. doctor and alive tell what is wrong on stdout: it is what they were asked."""
    for name, result in results.items():
        said = [line for line in result.stderr.splitlines() if line.strip()]
        if "Traceback" in result.output or "This is a fault of Registrar" in result.output:
            yield f"{name}: {result.output[-500:]}"
        elif result.exception and not isinstance(result.exception, SystemExit):
            yield f"{name}: {result.exception!r}"
        elif "Usage:" in result.output and name not in ("completion",):
            yield f"{name}: was not understood, so that nothing was tried: {said}"
        elif result.exit_code and name not in ("doctor", "alive") and not 1 <= len(said) <= 3:
            yield f"{name}: {len(said)} lines: {said[:5]}"
        elif name == "doctor" and result.exit_code and not said and "FAIL" not in result.stdout:
            yield f"{name}: {result.stdout}"


def failed(results: dict[str, Result]) -> set[str]:
    return {name for name, result in results.items() if result.exit_code}


def of_the_record() -> set[str]:
    """The commands that read or write the ledger by themselves: all but those that are named above."""
    return set(bad_places.commands()) - ALONE - ASKING


def test_every_command_is_found_and_has_what_it_requires():
    assert {"up", "demo", "doctor", "events tail", "compact show", "plan promotion"} <= set(bad_places.commands())
    assert all(bad_places.words(name) for name in bad_places.commands())


def test_a_folder_that_is_missing(tmp_path):
    results = walked(tmp_path / "nowhere", but=STARTING)
    assert list(wrong(results)) == []
    assert set(results) - failed(results) == ALONE


def test_a_folder_that_may_not_be_written(place):
    data = place()
    results = walked(data, around=lambda: bad_places.no_rights(data))
    assert list(wrong(results)) == []
    assert failed(results) >= {*STARTING, *of_the_record()}
    assert "is read-only" in results["history"].stderr


def test_a_folder_that_may_not_be_made(tmp_path):
    parent = tmp_path / "others"
    parent.mkdir()
    results = walked(parent / "data", around=lambda: bad_places.no_rights(parent))
    assert list(wrong(results)) == []
    for name in STARTING:
        assert results[name].stderr == (
            f"registrar: the data folder {parent / 'data'} can't be used: Permission denied; give another: "
            "registrar --data FOLDER\n"
        )


def test_a_disk_that_is_full(place):
    data = place()
    results = walked(data, around=bad_places.full_disk)
    assert list(wrong(results)) == []
    assert failed(results) >= {*STARTING, *of_the_record()}


@pytest.mark.parametrize("name", STARTING)
def test_a_disk_that_is_nearly_full(name, tmp_path, monkeypatch):
    usage = folders.shutil.disk_usage(tmp_path)._replace(free=2 << 20)
    monkeypatch.setattr(folders.shutil, "disk_usage", lambda path: usage)
    result = CliRunner().invoke(main, ["--data", str(tmp_path / "data"), name])
    assert result.exit_code == 1
    assert "has 2 MB left, and 50 MB are needed to start" in result.stderr


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (bad_places.no_database, "is damaged: file is not a database"),
        (bad_places.another_programs, "is another program's: it has a schema at revision 3da73c924c2f"),
        (bad_places.without_alembic, "is another program's: it has a table events"),
        (bad_places.newer, "is newer than this version"),
        (Path.mkdir, "can't be opened"),
    ],
)
def test_a_ledger_that_is_none(place, made, said):
    data = place()
    for path in data.glob("ledger.db*"):
        path.unlink()
    made(data / "ledger.db")
    results = walked(data)
    assert list(wrong(results)) == []
    for name in {*STARTING, *of_the_record()} - {"doctor", "alive"}:
        assert said in results[name].stderr, (name, results[name].output)
    assert not (data / "pids.json").exists()  # nothing was started


def test_a_ledger_that_is_empty(place):
    data = place()
    for path in data.glob("ledger.db*"):
        path.unlink()
    (data / "ledger.db").touch()
    results = walked(data, but=(*STARTING, "migrate"))
    assert list(wrong(results)) == []
    assert "run `registrar migrate`" in results["history"].stderr


@pytest.mark.parametrize("host", [None, "nowhere.invalid:5000"])
def test_no_network(place, host):
    data = place(host) if host else place()
    began = time.monotonic()
    results = walked(data, but=STARTING)
    assert list(wrong(results)) == []
    assert failed(results) >= {"experiments", "runs", "versions", "send", "rollback", "doctor", "promotions approve"}
    assert {results[name].exit_code for name in ("experiments", "runs", "versions", "rollback")} == {3}
    assert time.monotonic() - began < 30


@pytest.mark.parametrize("url", [None, "http://nowhere.invalid:5000"])
def test_a_receiver_elsewhere_that_is_not_there(place, url):
    results = walked(place(), "--url", url or f"http://127.0.0.1:{bad_places.closed_port()}")
    assert list(wrong(results)) == []
    assert set(results) - failed(results) == ALONE


@pytest.mark.parametrize(
    ("text", "said"),
    [("version: 1\nsauces: {}\n", "unknown key"), ("\x00", "not YAML"), (None, "can't be read: No such file")],
)
def test_a_policy_that_can_not_be_used(place, text, said):
    data = place()
    (data / "registrar.yml").unlink()
    if text is not None:
        (data / "registrar.yml").write_text(text)
    results = walked(data, but=STARTING)
    assert list(wrong(results)) == []
    assert said in results["policy"].stderr
    assert results["policy"].exit_code == 2


def test_settings_that_are_no_text(place):
    data = place()
    (data / "environment").write_bytes(b"\xff\xfe'")
    results = walked(data, but=STARTING)
    assert list(wrong(results)) == []


def test_settings_with_a_quote_that_is_not_closed(place):
    data = place()
    (data / "environment").write_text("REGISTRAR_CONFIG='x\n")
    results = walked(data, but=STARTING)
    assert list(wrong(results)) == []
