"""`python -m webhooks.serve`: the receiver on granian, with all its settings (docs/decisions/0002).

The application is loaded once, in the first process, and workers are forked from it: they share its memory, and an
installation that can't start says why and forks none. On SIGHUP the first process and each worker reload registrar.yml;
an invalid one changes nothing.
"""

import atexit
import errno
import gc
import logging
import multiprocessing
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import click
from granian.constants import HTTPModes, Interfaces, Loops, RuntimeModes
from granian.http import HTTP1Settings
from granian.server import Server

from registrar.config.settings import process_environment
from registrar.telemetry import log_format
from webhooks.ingress.validation import clean

log = logging.getLogger(__name__)

# By name: prometheus-client must not be imported before _METRICS_DIR is set.
APP = "webhooks.asgi:from_environment"
# Processes, each on one core. On two cores, two accept no more than one (docs/decisions/0002).
WORKERS = 1
# Milliseconds for a request's head, and between two requests of a connection.
HEAD_TIMEOUT = 10_000
# Bytes of a request's head.
LARGEST_HEAD = 65_536
# Connections of each worker; each takes a file descriptor, of which a process often has 1,024.
CONNECTIONS = 800
# Milliseconds for a client to read some of a response; granian itself waits for ever.
UNREAD_TIMEOUT = 10_000
# Seconds for requests under way when a worker stops.
STOP_SECONDS = 15
# Seconds to wait for a killed receiver's port.
PORT_SECONDS = 5.0
# The exit status of a receiver that can't start, as in webhooks/app.py.
CANNOT_START = 4
# The variable that prometheus-client reads when it is imported, in each process.
_METRICS_DIR = "PROMETHEUS_MULTIPROC_DIR"
# A line per request, without the query, in which a sender may have put a secret.
_ACCESS = "%(addr)s %(method)s %(path)s %(status)s %(dt_ms).1f ms"


class _Loaded:
    """The application that workers are forked with. Raises SystemExit, with the reason on stderr, if it can't load."""

    def __init__(self) -> None:
        self._load: Callable[[], Any] = resolve_name(APP)
        self._reloads = 0
        try:
            self.app = self._load()
        except SystemExit as error:  # webhooks.app.CannotStart
            sys.stderr.write(f"the receiver can't start: {error}\n")
            raise
        self._freeze()

    def reload(self) -> bool:
        """Load again; return whether that worked. Called by a signal handler: a signal meanwhile loads once more."""
        self._reloads += 1
        if self._reloads > 1:
            return False
        changed = False
        while reloads := self._reloads:
            changed = self._try_load() or changed
            self._reloads -= reloads
        return changed

    def _try_load(self) -> bool:
        gc.unfreeze()  # else the previous application would never be freed
        try:
            self.app = self._load()
        except SystemExit as error:
            log.error("registrar.yml could not be reloaded, nothing was changed: %s", error)
            return False
        except Exception as error:  # in a signal handler it would end the loop that stops workers
            log.exception("registrar.yml could not be reloaded, nothing was changed: %s", error)
            return False
        finally:
            self._freeze()
        return True

    @staticmethod
    def _freeze() -> None:
        """Freeze the loaded objects: else a worker's first garbage collection would copy all shared memory. Collect
        rarely: requests leave few cycles, and a full collection delays them.
        """
        gc.collect()
        gc.set_threshold(20_000, 20, 50)
        gc.freeze()


def _address(ctx: click.Context, option: click.Parameter, host: str) -> str:
    try:
        ip_address(host)
    except ValueError:
        raise click.BadParameter("an IP address such as 0.0.0.0, 127.0.0.1 or ::1") from None
    return host


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, callback=_address, help="An IP address.")
@click.option("--port", default=8080, show_default=True, type=click.IntRange(1, 65535))
@click.option("--workers", default=WORKERS, show_default=True, type=click.IntRange(1), help="Processes.")
@click.option("--access-log", is_flag=True, help="Log a line for each request.")
def main(host: str, port: int, workers: int, access_log: bool) -> None:
    """Serve webhooks, pages and the API until SIGTERM."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until the application is loaded
    log_format.start(process_environment(), sys.stderr)
    _check_port(host, port)
    if workers > 1:
        _share_metrics()
    loaded = _Loaded()
    multiprocessing.set_start_method("fork", force=True)
    server: Any = Server(
        "webhooks.serve",
        address=host,
        port=port,
        interface=Interfaces.ASGI,
        workers=workers,
        runtime_mode=RuntimeModes.st,
        loop=Loops.uvloop,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=HEAD_TIMEOUT, max_buffer_size=LARGEST_HEAD),
        websockets=False,
        backpressure=CONNECTIONS,
        log_dictconfig=_logging(),
        log_access=access_log,
        log_access_format=_ACCESS,
        respawn_failed_workers=True,
        workers_kill_timeout=STOP_SECONDS,
    )

    def reload(*_: object) -> None:
        if loaded.reload():
            for worker in multiprocessing.active_children():
                if worker.pid:
                    os.kill(worker.pid, signal.SIGHUP)  # Asgi._reload

    def share_socket() -> None:
        """Let all workers accept from one socket, so that a worker's death resets no waiting connection.

        granian does so itself on systems without SO_REUSEPORT. TCP_USER_TIMEOUT ends connections of clients that never
        read: CONNECTIONS of them would block the receiver (tests/webhooks/test_serve.py).
        """
        server._shd, server._ssp = server._ssp.build(), None
        with socket.socket(fileno=os.dup(server._shd.get_fd())) as listening:
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD_TIMEOUT)

    server.on_startup(share_socket)
    server.on_startup(lambda: signal.signal(signal.SIGHUP, reload))
    server.serve(target_loader=partial(_begin_worker, loaded, os.getpid()), wrap_loader=False)


def _check_port(host: str, port: int) -> None:
    """Refuse to start on a port in use: with SO_REUSEPORT a second receiver would silently get a part of the requests.
    Wait PORT_SECONDS for the port of a killed receiver.
    """
    until = time.monotonic() + PORT_SECONDS
    while True:
        try:
            socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()
        except OSError as error:
            if time.monotonic() < until and error.errno == errno.EADDRINUSE:
                time.sleep(0.1)
                continue
            other = "--host" if error.errno == errno.EADDRNOTAVAIL else "--port"
            why = f"{host} port {port}: {os.strerror(error.errno or 0)}; give another {other}"
            sys.stderr.write(f"the receiver can't start: {why}\n")
            raise SystemExit(CANNOT_START) from None
        return


def _begin_worker(loaded: _Loaded, parent: int) -> Any:
    """Return the application; called in each worker."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    for stop in (signal.SIGTERM, signal.SIGINT):  # the first process's, until granian sets this one's
        signal.signal(stop, signal.SIG_DFL)
    threading.Thread(target=_stop_without, args=(parent,), name="parent", daemon=True).start()
    return loaded.app


def _stop_without(parent: int) -> None:
    """Stop this worker when the first process is gone."""
    while os.getppid() == parent:
        time.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)


def _share_metrics() -> None:
    """Let the processes share their metrics in a folder in memory: a write to a disk can block for seconds."""
    shared = "/dev/shm"  # noqa: S108 (the folder in it is made by mkdtemp)
    os.environ[_METRICS_DIR] = folder = tempfile.mkdtemp(
        prefix="registrar-counted-", dir=shared if Path(shared).is_dir() else None
    )
    atexit.register(_delete, folder, os.getpid())


def _delete(folder: str, owner: int) -> None:
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)


def _logging() -> dict[str, Any]:
    """Return a logging configuration that leaves granian's lines to registrar/telemetry/log_format.py."""
    to_root = {"handlers": [], "propagate": True}
    loggers = {
        "_granian": to_root,
        "_granian.asgi.io": {"level": "ERROR"},  # it logs each chunk that a disconnected client misses
        "granian.access": {**to_root, "level": "INFO", "filters": ["one_line"]},
    }
    return {
        "loggers": loggers,
        "filters": {"one_line": {"()": f"{__name__}._OneLine"}},
    }


class _OneLine(logging.Filter):
    """Removes line breaks from a path, which could forge lines of the log."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, dict):
            record.args = {**record.args, "path": clean(str(record.args.get("path")), length=200)}
        return True


if __name__ == "__main__":
    main()
