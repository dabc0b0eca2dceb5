"""gunicorn's settings: gunicorn -c python:webhooks.gunicorn_conf --bind ADDRESS "webhooks.app:from_environment()".

--workers and --threads choose others. docs/performance.md has what was tried.
"""

import atexit
import gc
import os
import shutil
import socket
import struct
import tempfile
from pathlib import Path
from typing import Any

worker_class = "webhooks.lobby.Worker"
# Python runs on one core in each.
workers = 2
# For pages and the API; webhooks need none (crew.py).
threads = 32
# Waiting costs no thread, so many may; each takes a file descriptor, of which a process often has 1,024.
worker_connections = 800
timeout = 30
graceful_timeout = 15
keepalive = 5
# A heartbeat file on a disk can block for seconds; in memory it can't.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 (gunicorn makes its file by mkstemp)
# Lines and headers of honest senders are far shorter.
limit_request_line = 2048
limit_request_fields = 64
limit_request_field_size = 8190
logger_class = "webhooks.log.Logger"
# What was accepted or refused, the app itself logs, without bodies. A line for each request: --access-logfile -
accesslog = None
errorlog = "-"
control_socket_disable = True  # a door that nobody needs

READ_SECONDS = 10  # for a request to arrive, from its first byte to its last; most senders wait no longer either
_SEND_BUFFER = 262_144
_COUNTED = "PROMETHEUS_MULTIPROC_DIR"  # prometheus-client reads it when it is imported, in each process by itself


def on_starting(server: Any) -> None:
    """The application is loaded here, once: its processes share the memory, and one that can't start is no process.

    What they count, they count together: whoever is asked tells of all.
    """
    if server.cfg.workers > 1:
        os.environ[_COUNTED] = folder = tempfile.mkdtemp(prefix="registrar-counted-", dir=worker_tmp_dir)
        atexit.register(_forget, folder, os.getpid())
    _load(server)


def on_reload(server: Any) -> None:
    """SIGHUP: registrar.yml is read again. With one that can't be used, all goes on as it was."""
    before, server.app.callable = server.app.callable, None
    try:
        _load(server)
    except SystemExit:
        server.app.callable = before
        server.log.error("nothing was changed")


def _load(server: Any) -> None:
    server.app.wsgi()
    gc.collect()
    gc.set_threshold(20_000, 20, 50)  # requests leave little in circles, and those who wait meanwhile wait longest
    gc.freeze()  # else the first collection in each process would write to, and so copy, all of it


def _forget(folder: str, first: int) -> None:
    """When the first process ends; gunicorn's on_exit does not come where one that is starting is told to stop."""
    if os.getpid() == first:
        shutil.rmtree(folder, ignore_errors=True)


def when_ready(server: Any) -> None:
    """A reader that stalls does not keep a thread: answers fit into the kernel's buffer, else there is a time limit.

    Both are inherited from the listening socket by every connection (socket(7)).
    """
    for listener in server.LISTENERS:
        listener.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        listener.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", READ_SECONDS, 0))
