"""Two Redis and the three Sentinels that watch them; the master may be killed, and another becomes it."""

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import redis

from registrar.broker.redis_server import redis_server
from tests.links import LOOPBACK
from tests.mlflow_server import free_port

NAME = "the-master"
PASSWORD = "p@ss;word"
CONFIG = f"""
bind {LOOPBACK}
sentinel monitor {NAME} {LOOPBACK} {{master}} 2
sentinel auth-pass {NAME} {PASSWORD}
sentinel down-after-milliseconds {NAME} 1000
sentinel failover-timeout {NAME} 5000
"""
PATIENCE = 60.0  # seconds


@dataclass(frozen=True)
class Watched:
    """ports: of the Sentinels."""

    servers: dict[int, subprocess.Popen[bytes]]
    ports: list[int]

    @property
    def url(self) -> str:
        """A broker's."""
        hosts = [f"{LOOPBACK}:{port}" for port in self.ports]
        return f"sentinel://:p%40ss%3Bword@{';sentinel://'.join(hosts)}/1?master_name={NAME}"

    def master(self) -> int:
        """Its port, as the Sentinels have it."""
        with redis.Redis(port=self.ports[0]) as sentinel:
            return int(sentinel.sentinel_get_master_addr_by_name(NAME)[1])

    def client(self) -> redis.Redis:
        """Of the master."""
        return redis.Redis(port=self.master(), db=1, password=PASSWORD)

    def kill_the_master(self) -> None:
        """Returns when the other one is master."""
        dead = self.master()
        self.servers[dead].kill()
        _until(lambda: self.master() != dead)


@contextmanager
def serve(folder: Path) -> Iterator[Watched]:
    master, replica = free_port(), free_port()
    with ExitStack() as stack:

        def start(port: int, *options: str) -> subprocess.Popen[bytes]:
            own = folder / str(port)
            own.mkdir()
            log = stack.enter_context((own / "log").open("wb"))
            process = subprocess.Popen([redis_server(), *options, "--port", str(port)], cwd=own, stdout=log)
            stack.callback(process.wait)
            stack.callback(process.kill)
            return process

        login = ("--requirepass", PASSWORD, "--masterauth", PASSWORD, "--bind", LOOPBACK, "--save", "")
        servers = {
            master: start(master, *login),
            replica: start(replica, *login, "--replicaof", f"{LOOPBACK} {master}"),
        }
        _until(lambda: redis.Redis(port=replica, password=PASSWORD).info("replication")["master_link_status"] == "up")
        ports = [free_port() for _ in range(3)]
        for port in ports:
            (folder / f"{port}.conf").write_text(CONFIG.format(master=master))
            start(port, str(folder / f"{port}.conf"), "--sentinel")
        watched = Watched(servers, ports)
        _until(lambda: _all_know_all(ports))
        yield watched


def _all_know_all(ports: list[int]) -> bool:
    def ready(port: int) -> bool:
        with redis.Redis(port=port) as sentinel:
            state = sentinel.sentinel_master(NAME)
        return bool(state["num-other-sentinels"] == 2 and state["num-slaves"] == 1)

    return all(ready(port) for port in ports)


def _until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            if done():
                return
        except redis.RedisError:
            pass
        assert time.monotonic() < deadline
        time.sleep(0.2)
