"""Keeps a small process (orphans.py) that stops the services when `registrar up` is killed.

It reads from a pipe that the kernel closes however `up` ends. It also holds the folder's lock, so that the next `up`
waits until all services have ended. (Linux's PR_SET_PDEATHSIG would reach the services, but not their children.)
"""

import subprocess
import sys

from registrar.local.data_folder import Folder

CLOSING = 10.0  # seconds; the reaper finds nothing to stop by then


class Reaper:
    """Starts the reaper of a stack."""

    def __init__(self, folder: Folder, *, lock: int) -> None:
        self._folder, self._lock = folder, lock
        self._process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        with self._folder.log("guard").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "registrar.local.orphans", str(self._folder.path)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
                pass_fds=(self._lock,),
            )

    def keep(self) -> None:
        """Start it again if it died."""
        if self._process.poll() is not None:
            self._process = self._start()

    def dismiss(self) -> None:
        """End it, after all services were stopped."""
        try:
            self._process.communicate(timeout=CLOSING)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
