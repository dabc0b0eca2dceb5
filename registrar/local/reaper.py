"""Keeps a small process (orphans.py) that stops the services when `registrar up` ends by a kill -9.

It holds one end of a pipe, `up` the other: however `up` ends, the kernel closes it. It also holds the folder's lock,
so that the next `up` starts when all is tidy. (Linux's PR_SET_PDEATHSIG would reach the parts, not their children.)
"""

import subprocess
import sys

from registrar.local.data_folder import Folder

CLOSING = 10.0  # seconds; with all parts stopped there is nothing left to do


class Reaper:
    """The reaper of a running stack; starts at once."""

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
        """End it. To be called when all services are stopped."""
        try:
            self._process.communicate(timeout=CLOSING)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
