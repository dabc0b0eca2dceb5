"""The services of a local stack and their readiness probes. docker-compose.yml runs the same command lines."""

import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from http.client import HTTPConnection, HTTPException
from typing import Protocol

from registrar.broker.redis_server import redis_server
from registrar.config.key_generation import new_key
from registrar.local.installation import LOOPBACK, Installation

SECONDS = 1.0  # for a connection of a probe


class Started(Protocol):
    """The process of a service, as probes see it."""

    @property
    def age(self) -> float: ...
    def output(self) -> str: ...


class Probe(Protocol):
    def __call__(self, started: Started) -> bool: ...


@dataclass(frozen=True)
class HttpOk:
    """Ready when the first of these paths that exists (is no 404) answers 200."""

    port: int
    paths: tuple[str, ...]

    def __call__(self, started: Started) -> bool:
        try:
            statuses = (self._status(path) for path in self.paths)
            return next((status for status in statuses if status != 404), 404) == 200
        except (OSError, HTTPException):
            return False

    def _status(self, path: str) -> int:
        connection = HTTPConnection(LOOPBACK, self.port, timeout=SECONDS)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        finally:
            connection.close()


@dataclass(frozen=True)
class RedisAnswers:
    """Ready when Redis answers PONG. While it reads its append-only file it answers -LOADING."""

    port: int

    def __call__(self, started: Started) -> bool:
        try:
            with socket.create_connection((LOOPBACK, self.port), timeout=SECONDS) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith(b"+PONG")
        except OSError:
            return False


@dataclass(frozen=True)
class Printed:
    """Ready when the process has written a text into its log."""

    text: str

    def __call__(self, started: Started) -> bool:
        return self.text in started.output()


@dataclass(frozen=True)
class Alive:
    """Ready after a number of seconds, for a process without a port or a log line to look for."""

    seconds: float

    def __call__(self, started: Started) -> bool:
        return started.age >= self.seconds


@dataclass(frozen=True)
class Service:
    """A service and how to run it. Timeouts in seconds.

    environment: in addition to the installation's. forgets: prefixes of variables that it must not get.
    needs: services that must be ready before it starts. once: it is ready when it has ended with exit code 0.
    address: its URL, for people. advice: what to do if it can't start.
    """

    name: str
    command: tuple[str, ...]
    ready: Probe = field(default=Alive(0))
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    forgets: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    once: bool = False
    start_timeout: float = 60
    stop_timeout: float = 10
    address: str = ""
    advice: str = ""


_INSTALL = "Is everything installed? pip install 'mlflow-registrar[embedded]'"
_CONFIG = "`registrar check-config` explains the registrar.yml it reads"
_PREPARED = ("redis", "migrate")
# glibc gives each thread its own heap; two for all threads are as fast here, and take less memory.
_SMALL = {"MALLOC_ARENA_MAX": "2"}


def plan(site: Installation) -> list[Service]:
    """Return the services in the order of their start, without Redis or MLflow if the installation uses others."""
    brokers = [] if site.broker else [redis(site)]
    registries = [] if site.mlflow else [mlflow(site)]
    parts = [*brokers, *registries, migrate(), receiver(site), worker(), beat()]
    ours = {part.name for part in parts}
    return [replace(part, needs=tuple(need for need in part.needs if need in ours)) for part in parts]


def redis(site: Installation) -> Service:
    """Return the broker. It syncs its file at every write, so that the queue survives a power cut."""
    return Service(
        name="redis",
        command=(
            redis_server(),
            *("--port", str(site.ports["redis"]), "--bind", LOOPBACK, "--dir", str(site.folder.path / "redis")),
            *("--appendonly", "yes", "--appendfsync", "always", "--save", "", "--maxmemory-policy", "noeviction"),
        ),
        ready=RedisAnswers(site.ports["redis"]),
        address=site.addresses.broker_url,
        advice=f"A damaged append-only file? Redis holds no record: {site.folder.path / 'redis'} may be deleted",
    )


def mlflow(site: Installation) -> Service:
    """Return MLflow's server. Its own webhooks may reach loopback, where the receiver listens.

    It is one process, as SQLite has one writer: a second one takes 300 MB, and makes nothing faster.
    """
    data = site.folder.path / "mlflow"
    return Service(
        name="mlflow",
        command=(
            *(sys.executable, "-m", "mlflow", "server", "--host", LOOPBACK, "--port", str(site.ports["mlflow"])),
            *("--backend-store-uri", f"sqlite:///{data / 'mlflow.db'}"),
            *("--artifacts-destination", str(data / "artifacts"), "--workers", "1"),
        ),
        forgets=("MLFLOW_",),  # MLFLOW_STATIC_PREFIX, MLFLOW_REGISTRY_STORE_URI, ... are meant for another server
        environment={
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            "MLFLOW_WEBHOOK_ALLOWED_SCHEMES": "http,https",
            "MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS": "true",
            "MLFLOW_WEBHOOK_CACHE_TTL": "5",  # seconds that a changed webhook takes to be in use; else 60
            "MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY": site.folder.secret("mlflow-webhooks.key", new_key),
        },
        ready=HttpOk(site.ports["mlflow"], ("/health",)),
        start_timeout=180,  # 6 s; 90 s without compiled bytecode
        stop_timeout=15,
        address=site.addresses.mlflow_url,
        advice=f"{_INSTALL}. Or use a server of your own: registrar up --mlflow http://HOST:PORT",
    )


def migrate() -> Service:
    """Return the migration of the ledger's schema, which the other services need."""
    return Service(
        name="migrate",
        command=(sys.executable, "-m", "registrar", "migrate"),
        once=True,
        advice="A ledger of a newer version can't be used by an older one: upgrade, or give another --data folder",
    )


def receiver(site: Installation) -> Service:
    """Return the receiver."""
    port = site.ports["receiver"]
    return Service(
        name="receiver",
        command=(sys.executable, "-m", "webhooks.serve", "--host", LOOPBACK, "--port", str(port)),
        environment=_SMALL,
        needs=_PREPARED,
        ready=HttpOk(port, ("/readyz", "/healthz")),
        stop_timeout=20,  # open requests get 15
        address=site.addresses.receiver_url,
        advice=f"{_CONFIG}. {_INSTALL}",
    )


def worker() -> Service:
    """Return the worker. When stopped, it gives its tasks 10 s to end, and releases them after 25 s."""
    return Service(
        name="worker",
        command=(sys.executable, "-m", "worker", "run"),
        environment=_SMALL,
        needs=_PREPARED,
        ready=Printed("ready."),
        stop_timeout=45,
        advice=f"{_CONFIG}. {_INSTALL}",
    )


def beat() -> Service:
    """Return beat, the scheduler."""
    return Service(
        name="beat",
        command=(sys.executable, "-m", "worker", "beat"),
        needs=_PREPARED,
        ready=Alive(3),  # long enough to load, and to fail where it can't
        stop_timeout=10,
        advice=f"{_CONFIG}. {_INSTALL}",
    )
