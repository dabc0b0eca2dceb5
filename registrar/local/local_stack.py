"""Starts, watches and stops a whole installation on this machine."""

import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from threading import Event, Lock, Thread
from types import TracebackType
from typing import Self

from registrar.config import settings
from registrar.config.key_generation import new_key
from registrar.local import installation, orphans
from registrar.local.data_folder import Folder, FolderLock, ensure_config
from registrar.local.installation import Addresses, Installation, local_operator
from registrar.local.reaper import Reaper
from registrar.local.services import Service
from registrar.local.services import plan as all_parts
from registrar.local.supervisor import Interrupted, Say, StopRequests, Supervisor

WATCH_EVERY = 0.3  # seconds


def _quiet(line: str) -> None:
    pass


class Stack:
    """A context manager: all parts are ready when it is entered, and no process of them is left after it.

    data: the folder. config: registrar.yml; None writes a commented one into the folder. port: the receiver's; None
    for any. say: gets lines about what happens. progress: gets the current step, many times a second. mlflow, ledger,
    broker: URLs to use instead of services of this stack. operator: the actor of commands from this machine; None for
    installation.local_operator. plan: returns the services. outer: the environment; None for that of this process.

    Entering raises CannotStart, AlreadyRunning, PortTaken, NoRedis, Interrupted: UserErrors, after stopping all parts.
    """

    def __init__(
        self,
        data: Path,
        config: Path | None = None,
        port: int | None = None,
        say: Say = print,
        *,
        progress: Say = _quiet,
        mlflow: str | None = None,
        ledger: str | None = None,
        broker: str | None = None,
        operator: str | None = None,
        plan: Callable[[Installation], Sequence[Service]] = all_parts,
        outer: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = Folder(data.resolve())
        self._config, self._port, self._plan = config, port, plan
        self._mlflow, self._ledger, self._broker = mlflow, ledger, broker
        self._operator = operator
        self._say, self._progress = say, progress
        self._outer = settings.process_environment() if outer is None else outer
        self._requests, self._closing, self._turn = StopRequests(), Event(), Lock()
        self._watcher: Thread | None = None

    def __enter__(self) -> Self:
        self.folder.prepare()
        self._lock = FolderLock(self.folder.lock, self._say)
        try:
            self._prepare()
            self._reaper = Reaper(self.folder, lock=self._lock.descriptor)
        except BaseException:
            self._lock.release()
            raise
        try:
            self._supervisor.start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop()

    @property
    def addresses(self) -> Addresses:
        return self._site.addresses

    @property
    def config(self) -> Path:
        """The registrar.yml in use."""
        return self._site.config

    @property
    def environment(self) -> dict[str, str]:
        """Return the variables by which other processes find the parts; DATA/environment has the same."""
        return self._site.environment

    def pid(self, name: str) -> int:
        """Return the pid of redis, mlflow, receiver, worker or beat. Raises KeyError while the part is restarted."""
        return self._supervisor.pid(name)

    def watch(self) -> None:
        """Check the services once, and restart those that died."""
        with self._turn:
            if not self._closing.is_set():
                self._reaper.keep()
                self._supervisor.watch()

    def watch_in_background(self) -> None:
        """Watch in a thread that ends with the stack."""
        self._watcher = Thread(target=self._keep_watching, name="supervisor", daemon=True)
        self._watcher.start()

    def ask_to_stop(self) -> None:
        """Request the stop, from a signal handler. A second call kills services instead of waiting for them."""
        (self._requests.hurry if self._requests.stop.is_set() else self._requests.stop).set()

    def wait(self) -> None:
        """Watch until ask_to_stop is called."""
        while not self._requests.stop.wait(WATCH_EVERY):
            self.watch()

    def _prepare(self) -> None:
        orphans.end_orphans(self.folder.pids, self.folder.mark, self._say)
        self._site = self._make_site()
        self._supervisor = Supervisor(
            self._plan(self._site),
            self.folder,
            self._site.environ(self._outer),
            say=self._say,
            progress=self._progress,
            requests=self._requests,
        )
        self.folder.write_environment(self._site.environment)

    def _make_site(self) -> Installation:
        ours = {"redis": not self._broker, "mlflow": not self._mlflow, "receiver": True}
        names = [name for name, needed in ours.items() if needed]
        fixed = {} if self._port is None else {"receiver": self._port}
        config = self._config.absolute() if self._config else ensure_config(self.folder, self._say)
        return Installation(
            folder=self.folder,
            config=config,
            ports=installation.choose_ports(names, self.folder.ports, fixed=fixed),
            mlflow=self._mlflow,
            ledger=self._ledger,
            broker=self._broker,
            public_url=self._outer.get("REGISTRAR_PUBLIC_URL"),
            operator=self._operator or local_operator(config, self._outer),
            secret_key=self.folder.secret("registrar.key", new_key),
        )

    def _keep_watching(self) -> None:
        while not self._closing.wait(WATCH_EVERY):
            self.watch()

    def _stop(self) -> None:
        self._closing.set()
        with self._turn:
            self._supervisor.stop()
        if self._watcher:
            self._watcher.join()
        self._reaper.dismiss()
        self._lock.release()


def _stopping() -> tuple[signal.Signals, ...]:
    """Return the signals that stop the stack; SIGHUP (a closed terminal) is one, except under nohup."""
    hangup = () if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else (signal.SIGHUP,)
    return (signal.SIGINT, signal.SIGTERM, *hangup)


def serve(stack: Stack, *, when_ready: Callable[[Stack], None]) -> None:
    """Run a stack until Ctrl-C or SIGTERM. A second one stops it at once."""
    previous = {number: signal.signal(number, lambda *_: stack.ask_to_stop()) for number in _stopping()}
    try:
        with stack:
            when_ready(stack)
            stack.wait()
    except Interrupted:
        pass
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
