"""Runs stacks of stand-in parts, in this process or in one of their own, and finds what they leave behind."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from registrar.local import process_tree
from registrar.local.data_folder import Folder

PATIENCE = 20.0


def eventually(found: Callable[[], object], what: str) -> None:
    until = time.monotonic() + PATIENCE
    while not found():
        assert time.monotonic() < until, f"not within {PATIENCE:g} s: {what}"
        time.sleep(0.05)


def left_behind(data: Path) -> list[str]:
    """The command lines of processes that carry the folder's mark."""
    return [" ".join(process.cmdline()) for process in process_tree.marked(Folder(data).mark)]


@pytest.fixture
def said() -> list[str]:
    return []


class Up:
    """A stack of stand-ins in a process of its own. hangup: how it is told to take a terminal that closes."""

    def __init__(self, data: Path, *, hangup: signal.Handlers = signal.SIG_DFL) -> None:
        self.data = data
        command = [sys.executable, "-m", "tests.local.standin", str(data)]
        own = signal.signal(signal.SIGHUP, hangup)  # else, of this process under nohup
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        signal.signal(signal.SIGHUP, own)
        self.lines: list[str] = []

    def ready(self) -> "Up":
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.strip())
            if line == "UP\n":
                return self
        raise AssertionError("it ended: " + "\n".join(self.lines))

    def family(self) -> list[psutil.Process]:
        """All it started, whatever became of their parents, and the guard."""
        return [p for p in psutil.Process(self.process.pid).children(recursive=True) if process_tree.alive(p)]

    def guard(self) -> psutil.Process:
        """The guard, waited for: between fork and exec a new one is not yet to be told from its parent."""
        eventually(self._guards, "a guard")
        return self._guards()[0]

    def new_guard(self, first: psutil.Process) -> psutil.Process | None:
        return next((process for process in self._guards() if process != first), None)

    def _guards(self) -> list[psutil.Process]:
        return [process for process in self.family() if "registrar.local.orphans" in _command(process)]


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Callable[..., Up]]:
    started: list[Up] = []

    def start(**how: signal.Handlers) -> Up:
        started.append(Up(tmp_path / "data", **how))
        return started[-1]

    yield start
    for one in started:
        one.process.kill()
        one.process.communicate(timeout=PATIENCE)
    process_tree.clear(process_tree.marked(Folder(tmp_path / "data").mark))
