"""The process of a started service, and its output."""

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
    """Starts a service's process in its own session. Raises OSError if its program can't be run.

    cwd: not the caller's, where a folder named `worker` or `webhooks` would be imported instead of ours.
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
        """Return seconds since the start."""
        return time.monotonic() - self._since

    @property
    def exit_code(self) -> int | None:
        """Return the exit code, negative for a signal; None while it runs."""
        return self._process.poll()

    @property
    def end(self) -> str:
        """Describe how the process ended."""
        code = self._process.returncode
        return f"with signal {-code}" if code is not None and code < 0 else f"with exit code {code}"

    def output(self) -> str:
        """Return the log since the start, at most its last megabyte."""
        with self._log.open("rb") as log:
            log.seek(max(self._offset, os.fstat(log.fileno()).st_size - _OUTPUT_BYTES))
            return log.read().decode("utf-8", "replace")

    def last_lines(self, count: int = 15) -> str:
        """Return the end of the log since the start, indented, under a heading."""
        lines = [line for line in self.output().splitlines() if line.strip()][-count:]
        text = "\n".join(f"    {line}" for line in lines) or "    (it wrote nothing)"
        return f"The last lines of {self._log}:\n{text}"

    def stop(self, hurry: Callable[[], bool]) -> None:
        """Terminate the process, kill it after its stop_timeout, and end its session."""
        if self.exit_code is None:
            process_tree.end(psutil.Process(self.pid), patience=self.part.stop_timeout, hurry=hurry)
            self._process.wait()
        else:
            self.clear(hurry)

    def clear(self, hurry: Callable[[], bool] = process_tree.never) -> None:
        """End processes that a dead service left in its session: they would hold its port."""
        process_tree.clear(process_tree.session(self.pid), hurry=hurry)


def _environment(part: Service, environ: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in environ.items() if not name.startswith(part.forgets)}
    return {**kept, **part.environment}
