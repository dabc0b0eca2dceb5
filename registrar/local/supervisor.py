"""Starts services in the order of their needs, restarts those that die, and stops all of them in reverse."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Event

from registrar.errors import UserError
from registrar.local import orphans
from registrar.local.data_folder import Folder
from registrar.local.service_process import ServiceProcess
from registrar.local.services import Service

STEADY = 60.0  # seconds of running after which a death is no early one
TROUBLED = 5  # early deaths in a row that are reported with the last lines of the log
LONGEST = 60.0  # seconds between two restarts


@dataclass(frozen=True)
class Restarts:
    """Counts the early deaths of a service in a row."""

    early: int = 0

    def after(self, age: float) -> "Restarts":
        """Count one more death, at this age in seconds."""
        return Restarts(1 if age >= STEADY else self.early + 1)

    @property
    def pause(self) -> float:
        """Return the seconds before the next restart: 0, then 1, 2, 4, ... 60."""
        return min(LONGEST, 2.0 ** (self.early - 2)) if self.early > 1 else 0.0

    @property
    def troubled(self) -> bool:
        return self.early >= TROUBLED


_POLL = 0.1
Say = Callable[[str], None]


@dataclass(frozen=True)
class StopRequests:
    """stop: stop all services. hurry: kill them without waiting any longer."""

    stop: Event = field(default_factory=Event)
    hurry: Event = field(default_factory=Event)


class CannotStart(UserError):
    """A service did not become ready; the message says which, why, and what to do."""


class Interrupted(UserError):
    """Stopped by request before all services were ready."""


class Supervisor:
    """Starts, watches and stops services. Not thread-safe. say: gets lines; progress: the current step, very often."""

    def __init__(
        self,
        parts: Sequence[Service],
        folder: Folder,
        environ: Mapping[str, str],
        *,
        say: Say,
        progress: Say,
        requests: StopRequests,
    ) -> None:
        self._parts, self._folder, self._environ = parts, folder, environ
        self._say, self._progress, self._requests = say, progress, requests
        self._running: dict[str, ServiceProcess] = {}
        self._restarts: dict[str, Restarts] = {}
        self._due: dict[str, float] = {}

    def start(self) -> None:
        """Start every service, and return when all are ready. Raises CannotStart, Interrupted."""
        ready: set[str] = set()
        while len(ready) < len(self._parts):
            if self._requests.stop.wait(_POLL):
                raise Interrupted("stopped while starting")
            for part in self._parts:
                if part.name not in self._running and ready.issuperset(part.needs):
                    self._launch(part)
            waiting = [running for name, running in self._running.items() if name not in ready]
            self._progress("starting " + ", ".join(f"{w.part.name} ({w.age:.0f} s)" for w in waiting))
            ready.update(running.part.name for running in waiting if self._is_ready(running))

    def watch(self) -> None:
        """Check every service once: report those that died, restart those that are due."""
        for part in self._parts:
            running = self._running.get(part.name)
            if running and not part.once and running.exit_code is not None:
                self._handle_exit(running)
            elif self._due.get(part.name, float("inf")) <= time.monotonic():
                self._restart(part)

    def stop(self) -> None:
        """Stop all services, the last one first, and return when no process is left."""
        for running in reversed(list(self._running.values())):
            if running.exit_code is None:
                self._progress(f"stopping {running.part.name} (at most {running.part.stop_timeout:.0f} s)")
            running.stop(self._requests.hurry.is_set)
        self._running.clear()
        self._record()

    def pid(self, name: str) -> int:
        """Return the pid of a running service. Raises KeyError for another."""
        return self._running[name].pid

    def _launch(self, part: Service) -> ServiceProcess:
        try:
            running = ServiceProcess(
                part, environ=self._environ, cwd=self._folder.path, log=self._folder.log(part.name)
            )
        except OSError as error:
            raise CannotStart(f"{part.name} can't start: {part.command[0]}: {error.strerror}. {part.advice}") from None
        self._running[part.name] = running
        self._record()
        return running

    def _is_ready(self, running: ServiceProcess) -> bool:
        part, code = running.part, running.exit_code
        if code is not None and not (part.once and code == 0):
            raise self._cannot_start(running, f"it ended {running.end}")
        if not (code == 0 if part.once else part.ready(running)):
            if running.age > part.start_timeout:
                raise self._cannot_start(running, f"it was not ready within {part.start_timeout:.0f} s")
            return False
        self._say(f"{part.name:<9} ready after {running.age:4.1f} s  {part.address}".rstrip())
        return True

    def _cannot_start(self, running: ServiceProcess, why: str) -> CannotStart:
        return CannotStart(f"{running.part.name} can't start: {why}. {running.last_lines()}\n{running.part.advice}")

    def _handle_exit(self, running: ServiceProcess) -> None:
        name = running.part.name
        del self._running[name]
        running.clear()
        restarts = self._restarts[name] = self._restarts.get(name, Restarts()).after(running.age)
        self._due[name] = time.monotonic() + restarts.pause
        if restarts.troubled:
            self._say(f"{name} keeps dying ({restarts.early} times in a row). {running.last_lines()}")
        if restarts.pause:
            self._say(f"{name} ended {running.end}; it is started again in {restarts.pause:.0f} s")
        else:
            self._restart(running.part, after=f"ended {running.end}; ")

    def _restart(self, part: Service, *, after: str = "") -> None:
        del self._due[part.name]
        try:
            running = self._launch(part)
        except CannotStart as error:
            self._say(str(error))
            self._due[part.name] = time.monotonic() + self._restarts[part.name].pause + 1
        else:
            self._say(f"{part.name} {after}restarted (pid {running.pid})")

    def _record(self) -> None:
        orphans.write_pids(self._folder.pids, (running.entry for running in self._running.values()))
