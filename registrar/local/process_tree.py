"""Finds and ends the processes of a service, even after their parent is dead.

Each service leads its own session, and its children stay in that session when they are orphaned. They also have MARK in
their environment, but some (such as Redis) overwrite that memory, so both signs are needed.
"""

import os
import time
from collections.abc import Callable, Iterator

import psutil

MARK = "REGISTRAR_UP"  # its value is the data folder
LEFTOVER_TIMEOUT = 3.0  # seconds between SIGTERM and SIGKILL for other processes of a session
_POLL = 0.05
_CLOCK = 2.0  # seconds by which a process's start time may differ after the clock was set


def never() -> bool:
    return False


def find(pid: int, created: float) -> psutil.Process | None:
    """Return the process; None if it has ended, even if another one has its pid now."""
    try:
        process = psutil.Process(pid)
        same = abs(process.create_time() - created) < _CLOCK
    except psutil.NoSuchProcess:
        return None
    return process if same and alive(process) else None


def alive(process: psutil.Process) -> bool:
    """Return whether a process runs. A zombie, which only its parent can remove, does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def session(leader: int) -> list[psutil.Process]:
    """Return the living processes of the session that `leader` led or leads."""
    return [process for process in psutil.process_iter() if _session_of(process.pid) == leader and alive(process)]


def marked(value: str) -> list[psutil.Process]:
    """Return the living processes that carry the mark, except this one."""
    return [process for process in psutil.process_iter() if process.pid != os.getpid() and _mark(process) == value]


def end(leader: psutil.Process, *, patience: float, hurry: Callable[[], bool] = never) -> None:
    """Terminate a service, kill it after `patience` seconds or in a hurry, and end what is left of its session."""
    _signal([leader], psutil.Process.terminate)
    _wait([leader], patience, hurry)
    _signal([leader], psutil.Process.kill)
    clear(session(leader.pid), hurry=hurry)


def clear(processes: list[psutil.Process], *, hurry: Callable[[], bool] = never) -> None:
    """Terminate processes, and kill those that remain."""
    _signal(processes, psutil.Process.terminate)
    _wait(processes, LEFTOVER_TIMEOUT, hurry)
    _signal(processes, psutil.Process.kill)
    _wait(processes, LEFTOVER_TIMEOUT, never)


def _wait(processes: list[psutil.Process], seconds: float, hurry: Callable[[], bool]) -> None:
    until = time.monotonic() + seconds
    while any(map(alive, processes)) and time.monotonic() < until and not hurry():
        time.sleep(_POLL)


def _signal(processes: list[psutil.Process], send: Callable[[psutil.Process], None]) -> None:
    for process in _living(processes):
        try:
            send(process)
        except psutil.NoSuchProcess:
            continue


def _living(processes: list[psutil.Process]) -> Iterator[psutil.Process]:
    return (process for process in processes if alive(process))


def _session_of(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except OSError:
        return None


def _mark(process: psutil.Process) -> str | None:
    try:
        return process.environ().get(MARK)
    except (psutil.Error, OSError):
        return None
