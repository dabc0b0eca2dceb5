"""gunicorn's settings: gunicorn -c python:webhooks.gunicorn_conf --bind ADDRESS "webhooks.app:from_environment()".

One process: two on one SQLite file would wait for each other's locks, and threads suffice for work that is waiting
for the disk. More threads: --threads.
"""

import socket
import struct
from pathlib import Path
from typing import Any

worker_class = "webhooks.lobby.Worker"
workers = 1
threads = 16
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
# No access log: its lines would hold query strings. What was accepted or refused, the app itself logs, without bodies.
accesslog = None
errorlog = "-"
control_socket_disable = True  # a door that nobody needs

READ_SECONDS = 10  # for a request to arrive, from its first byte to its last; most senders wait no longer either
_SEND_BUFFER = 262_144


def when_ready(server: Any) -> None:
    """A reader that stalls does not keep a thread: answers fit into the kernel's buffer, else there is a time limit.

    Both are inherited from the listening socket by every connection (socket(7)).
    """
    for listener in server.LISTENERS:
        listener.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        listener.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", READ_SECONDS, 0))
