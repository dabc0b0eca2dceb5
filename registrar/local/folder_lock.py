"""One `registrar up` per data folder."""

import fcntl
import os
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from registrar.errors import UserError

TIDYING = 90.0  # seconds that the guard of a killed run may take: the worker alone gets 45
_POLL = 0.1


class AlreadyRunning(UserError):
    """Another `registrar up` has the folder."""


class FolderLock:
    """Held from construction to release; `descriptor` is shared with the guard, which may hold it longer.

    Raises AlreadyRunning; waits while the guard of a killed run tidies up.
    """

    def __init__(self, path: Path, say: Callable[[str], None]) -> None:
        self.descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            self._take(path, say)
        except BaseException:
            os.close(self.descriptor)
            raise

    def _take(self, path: Path, say: Callable[[str], None]) -> None:
        until = time.monotonic() + TIDYING
        told = False
        while not _locked(self.descriptor):
            owner = path.read_text(encoding="ascii").strip()
            if time.monotonic() > until or (owner.isdigit() and psutil.pid_exists(int(owner))):
                raise AlreadyRunning(
                    f"Registrar is running on {path.parent} already (pid {owner or 'unknown'}); "
                    "stop that one first, or give another folder: registrar --data FOLDER up"
                )
            if not told:
                say("the last run was killed; waiting for its parts to end")
                told = True
            time.sleep(_POLL)
        os.truncate(self.descriptor, 0)
        os.pwrite(self.descriptor, str(os.getpid()).encode(), 0)

    def release(self) -> None:
        os.close(self.descriptor)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
