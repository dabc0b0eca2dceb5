"""A RabbitMQ of the tests' own: its ports, node name, folder and epmd are nobody else's."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.mlflow_server import free_port
from tests.needs import needs

DIRECT = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")  # the one on Debian's PATH becomes the user `rabbitmq` first

START = 120.0  # seconds; 8 on a quiet machine


@contextmanager
def serve(folder: Path) -> Iterator[int]:
    """Its port. User and password are guest, which RabbitMQ takes from this machine alone."""
    found = needs("rabbitmq-server", install="apt-get install rabbitmq-server")
    program = str(DIRECT) if DIRECT.exists() else found
    port, between_nodes, names = free_port(), free_port(), free_port()
    (folder / "rabbitmq.conf").write_text(f"listeners.tcp.1 = 127.0.0.1:{port}\nlog.console = true\nlog.file = false\n")
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "RABBITMQ_NODENAME": f"registrar-{port}@localhost",
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
        "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
        "RABBITMQ_LOG_BASE": str(folder),
        "RABBITMQ_PID_FILE": str(folder / "pid"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
        "RABBITMQ_DIST_PORT": str(between_nodes),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1",
        "ERL_EPMD_PORT": str(names),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
    }
    log = folder / "rabbitmq.log"
    # Erlang would start one that outlives us.
    epmd = subprocess.Popen(["epmd", "-port", str(names), "-address", "127.0.0.1"], stdout=subprocess.DEVNULL)
    with log.open("wb") as output:
        server = subprocess.Popen([program], env=environment, stdout=output, stderr=output, start_new_session=True)
    try:
        _wait_until_up(server, log)
        yield port
    finally:
        os.killpg(server.pid, signal.SIGKILL)  # Erlang is a child of the script
        server.wait()
        epmd.kill()
        epmd.wait()


def _wait_until_up(server: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + START
    while b"Server startup complete" not in log.read_bytes():
        assert server.poll() is None, log.read_text()
        assert time.monotonic() < until, log.read_text()
        time.sleep(0.2)
