"""A part that was started: its process, and what it wrote since."""

import os
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import psutil

from registrar.local import process_tree
from registrar.local.orphans import Entry
from registrar.local.services import Service

_OUTPUT_BYTES = 1_000_000


class ServiceProcess:
    """Starts the part's process, in a session of its own. Raises OSError where its program can't be run.

    cwd: not where the caller is: a folder `worker` or `webhooks` there would be taken for ours.
    """

    def __init__(self, part: Service, *, environ: Mapping[str, str], cwd: Path, log: Path) -> None:
        self.part, self._log = part, log
        with log.open("ab") as output:
            self._offset = output.tell()
            self._process = subprocess.Popen(
                part.command,
                cwd=cwd,
                env=_environment(part, environ),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self._since = time.monotonic()
        self.entry = Entry(part.name, self.pid, psutil.Process(self.pid).create_time(), part.stop_timeout)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def age(self) -> float:
        """Seconds since it was started."""
        return time.monotonic() - self._since

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative: the signal that ended it."""
        return self._process.poll()

    @property
    def end(self) -> str:
        """How it ended, in words."""
        code = self._process.returncode
        return f"with signal {-code}" if code is not None and code < 0 else f"with exit code {code}"

    def output(self) -> str:
        """What it wrote into its log, or the last megabyte of it."""
        with self._log.open("rb") as log:
            log.seek(max(self._offset, os.fstat(log.fileno()).st_size - _OUTPUT_BYTES))
            return log.read().decode("utf-8", "replace")

    def last_lines(self, count: int = 15) -> str:
        """The end of its log, indented, for people to read."""
        lines = [line for line in self.output().splitlines() if line.strip()][-count:]
        said = "\n".join(f"    {line}" for line in lines) or "    (it wrote nothing)"
        return f"The last lines of {self._log}:\n{said}"

    def stop(self, hurry: Callable[[], bool]) -> None:
        """SIGTERM, in due time SIGKILL, and all of its session with it."""
        if self.exit_code is None:
            process_tree.end(psutil.Process(self.pid), patience=self.part.stop_timeout, hurry=hurry)
            self._process.wait()
        else:
            self.clear(hurry)

    def clear(self, hurry: Callable[[], bool] = process_tree.never) -> None:
        """End what a dead part left in its session: it would hold the port."""
        process_tree.clear(process_tree.session(self.pid), hurry=hurry)


def _environment(part: Service, environ: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in environ.items() if not name.startswith(part.forgets)}
    return {**kept, **part.environment}
