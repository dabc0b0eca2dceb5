"""`registrar alive`: whether a part on this machine is alive, by its own word, whatever becomes of the broker."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from registrar.cli import main
from registrar.ledger import Ledger
from registrar.telemetry import liveness
from registrar.telemetry.liveness import LivenessFile, LoopActivity, processes
from tests.broker import Broker
from tests.cli import bad_places
from tests.mlflow_server import free_port
from tests.worker.harness import KEY

POLICY = "{version: 1, sources: {ci: {kind: standard, secrets: [env:CI]}}, channels: {log: {kind: log}}}"
URL = "sqlite:///somewhere"
NOWHERE = {
    "amqp": "amqp://u:p@127.0.0.1:1//",
    "sentinel": "sentinel://127.0.0.1:1/0?master_name=mymaster",
    "redis": "redis://127.0.0.1:1/0",
}
# At SIGUSR2 the main thread, and with it the loop, stands still.
PART = """
import signal, sys, time
from worker import __main__
signal.signal(signal.SIGUSR2, lambda *_: time.sleep(60))
__main__.main(sys.argv[1:])
"""


@pytest.fixture(autouse=True)
def soon(monkeypatch) -> None:
    monkeypatch.setattr(liveness, "SILENT_AFTER", 2.5)


class Parts:
    """Processes, and what the command says of them."""

    def __init__(self, environ: dict[str, str]) -> None:
        self.environ = environ
        self.started: list[subprocess.Popen[bytes]] = []

    def start(self, *command: str) -> subprocess.Popen[bytes]:
        environ = {**os.environ, **self.environ}
        self.started.append(subprocess.Popen([sys.executable, *command], env=environ, stdout=subprocess.DEVNULL))
        return self.started[-1]

    def says(self, part: str, *more: str) -> tuple[int, str]:
        done = CliRunner().invoke(main, ["alive", "--part", part, *more], env=self.environ)
        return done.exit_code, done.output

    def waits(self, part: str, code: int, says: str = "") -> str:
        until = time.monotonic() + 30
        while time.monotonic() < until:
            found, said = self.says(part)
            if found == code and says in said:
                return said
            time.sleep(0.2)
        raise AssertionError((found, said))


@pytest.fixture
def parts(ledger: Ledger, tmp_path) -> Iterator[Callable[[str], Parts]]:
    (tmp_path / "registrar.yml").write_text(POLICY)
    made = Parts(
        {
            "REGISTRAR_CONFIG": str(tmp_path / "registrar.yml"),
            "MLFLOW_TRACKING_URI": "http://127.0.0.1:9",
            "REGISTRAR_LEDGER_URL": str(ledger.engine.url),
            "REGISTRAR_SECRET_KEY": KEY,
            "CI": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        }
    )

    def by(broker: str) -> Parts:
        made.environ["REGISTRAR_BROKER_URL"] = broker
        return made

    yield by
    for process in made.started:
        process.kill()
        process.wait()


def test_a_worker_is_alive_until_it_is_frozen_or_stands_still_or_dies(parts, broker: Broker):
    mine = parts(broker.url)
    assert mine.says("worker") == (1, "no worker of this installation runs here\n")
    worker, beat = mine.start("-c", PART, "run"), mine.start("-c", PART, "beat")
    mine.waits("worker", 0, f"worker {worker.pid} is alive")
    mine.waits("beat", 0, f"beat {beat.pid} is alive")
    time.sleep(liveness.SILENT_AFTER + 0.5)  # the loops go round
    assert [mine.says(part)[0] for part in ("worker", "beat")] == [0, 0]

    for part, process in (("worker", worker), ("beat", beat)):
        process.send_signal(signal.SIGSTOP)
        mine.waits(part, 1, f"{part} {process.pid} has not been heard of for")
        process.send_signal(signal.SIGCONT)
        mine.waits(part, 0)
    for part, process in (("worker", worker), ("beat", beat)):
        process.send_signal(signal.SIGUSR2)
        mine.waits(part, 1, f"{part} {process.pid} lives, and its loop has stood still for")
        process.kill()
        process.wait()
        assert mine.says(part) == (1, f"no {part} of this installation runs here\n")


def test_parts_that_wait_for_a_broker_that_is_down_are_alive(parts):
    """Whatever the broker is; nobody asks it."""
    for kind in ("amqp", "sentinel", "redis"):
        mine = parts(NOWHERE[kind])
        mine.start("-c", PART, "beat" if kind == "redis" else "run")
    for part in ("worker", "beat"):
        mine.waits(part, 0)
    time.sleep(liveness.SILENT_AFTER + 3)
    code, said = mine.says("worker", "--json")
    assert (code, len(json.loads(said)["processes"])) == (0, 2)
    assert mine.says("beat")[0] == 0


def test_a_receiver_is_alive_until_it_is_frozen(parts):
    mine = parts(NOWHERE["redis"])
    mine.start("-m", "webhooks.serve", "--port", str(free_port()))
    mine.waits("receiver", 0)
    time.sleep(liveness.SILENT_AFTER + 0.5)
    [code, said] = mine.says("receiver", "--json")
    [process] = json.loads(said)["processes"]
    assert code == 0
    os.kill(process["pid"], signal.SIGSTOP)
    mine.waits("receiver", 1, f"receiver {process['pid']} has not been heard of for")
    assert mine.says("receiver", "--pid", "1")[0] == 1
    os.kill(process["pid"], signal.SIGCONT)
    mine.waits("receiver", 0)


def test_another_installations_parts_and_other_parts_are_not_taken_for_this_ones(monkeypatch, tmp_path):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    sign = LivenessFile("worker", URL, LoopActivity())
    sign.start()
    until = time.monotonic() + 10
    while not processes(URL, "worker") and time.monotonic() < until:
        time.sleep(0.02)
    assert [life.pid for life in processes(URL, "worker")] == [os.getpid()]
    assert (processes(URL, "beat"), processes("sqlite:///elsewhere", "worker")) == ([], [])
    sign.stop()
    assert processes(URL, "worker") == []


def test_the_last_process_to_stop_leaves_no_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    files = {part: LivenessFile(part, URL, LoopActivity()) for part in ("worker", "beat")}
    for file in files.values():
        file.start()
    until = time.monotonic() + 10
    while not (processes(URL, "worker") and processes(URL, "beat")) and time.monotonic() < until:
        time.sleep(0.02)
    files["worker"].stop()
    assert [path.name.partition("-")[0] for path in liveness.folder(URL).iterdir()] == ["beat"]
    files["beat"].stop()
    assert list(tmp_path.iterdir()) == []


def test_a_part_that_can_not_say_it_goes_on_and_its_log_says_so(monkeypatch, caplog):
    monkeypatch.setenv("TMPDIR", "/proc")
    sign = LivenessFile("worker", URL, LoopActivity())
    sign.start()
    sign.stop()
    assert "`registrar alive` can't tell of this worker" in caplog.text


def test_a_folder_that_another_user_made_is_not_written_to(monkeypatch, tmp_path, caplog):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    another = os.getuid() + 1  # whose folder ours is, then
    monkeypatch.setattr("os.getuid", lambda: another)
    sign = LivenessFile("worker", URL, LoopActivity())
    sign.start()
    sign.stop()
    assert "it lies in another user's folder" in caplog.text


@pytest.fixture
def settings(monkeypatch, tmp_path) -> Path:
    """Those of an installation, and where its parts' files are."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setenv("REGISTRAR_CONFIG", "registrar.yml")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("REGISTRAR_LEDGER_URL", URL)
    monkeypatch.setenv("REGISTRAR_BROKER_URL", NOWHERE["redis"])
    monkeypatch.setenv("REGISTRAR_SECRET_KEY", KEY)
    return tmp_path / "tmp"


def test_a_temporary_folder_that_can_not_be_used_is_said_and_nobody_is_called_dead(settings):
    asked = ["alive", "--part", "worker"]
    places = (bad_places.full_disk, lambda: bad_places.no_rights(settings), lambda: _gone(settings))
    whys = ("File too large", "Permission denied", "No such file or directory")
    for place, why in zip(places, whys, strict=True):
        with place():
            done = CliRunner().invoke(main, asked)
        assert (done.exit_code, done.stdout) == (1, "")
        assert done.stderr == (
            "whether a worker of this installation runs here can't be told: "
            f"{liveness.folder(URL)} can't be written: {why}; "
            "mend that, or give the parts and this command another TMPDIR\n"
        )
    assert CliRunner().invoke(main, asked).stderr == "no worker of this installation runs here\n"


@contextmanager
def _gone(place: Path) -> Iterator[None]:
    shutil.rmtree(place)
    yield
    place.mkdir()


def test_a_part_that_found_no_room_is_heard_of_once_there_is_some(monkeypatch, settings, caplog):
    monkeypatch.setattr(liveness, "EVERY", 0.1)
    sign = LivenessFile("worker", URL, LoopActivity())
    with _gone(settings):
        sign.start()
        time.sleep(0.5)
    until = time.monotonic() + 10
    while not processes(URL, "worker") and time.monotonic() < until:
        time.sleep(0.02)
    assert [life.pid for life in processes(URL, "worker")] == [os.getpid()]
    sign.stop()
    assert caplog.text.count("can't tell of this worker") == 1
