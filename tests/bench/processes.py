"""What the processes of a peer use: a process, and all that it started."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import TypeVar

import psutil

Answer = TypeVar("Answer")

_PAUSE = 0.25
_PATIENCE = 120.0  # seconds
_REST = 0.01  # seconds of CPU in a pause: the clock's own grain


def cpu(pids: Sequence[int]) -> float:
    """Seconds of CPU so far, those of ended children with them."""
    return sum(sum(times[:4]) for times in _ask(pids, psutil.Process.cpu_times))


def memory(pids: Sequence[int]) -> float:
    """MB of all of them."""
    return sum(each(pids))


def each(pids: Sequence[int]) -> list[float]:
    """MB of each process: of what several share, its part (PSS)."""
    return [memory.pss / 2**20 for memory in _ask(pids, psutil.Process.memory_full_info)]


def settle(pids: Sequence[int]) -> None:
    """Wait until what was put off is done, too. Raises TimeoutError."""
    until, before = time.monotonic() + _PATIENCE, cpu(pids)
    while time.monotonic() < until:
        time.sleep(_PAUSE)
        now = cpu(pids)
        if now - before <= _REST:
            return
        before = now
    raise TimeoutError(f"processes {list(pids)} did not come to rest")


def _ask(pids: Sequence[int], question: Callable[[psutil.Process], Answer]) -> Iterator[Answer]:
    """Each process of the trees; those that end meanwhile have nothing to say."""
    for pid in pids:
        root = psutil.Process(pid)
        yield question(root)
        for child in root.children(recursive=True):
            with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
                yield question(child)
