"""An installation that can be broken part by part, watched by a real Prometheus with our rules.

Receiver, two workers and beat on a ledger in PostgreSQL, each with an address for Prometheus; and a second receiver on
a ledger in SQLite, whose disk can be full. All that is about watching goes SCALE times as fast (scaled.py): heartbeats,
and the `for` of each rule. A scrape and an evaluation come every second.
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import requests
import yaml

from registrar.local import Stack
from registrar.local import services as usual
from registrar.local.installation import Installation
from registrar.local.services import Service
from tests import postgres_server
from tests.links import Link
from tests.mlflow_server import free_port
from tests.needs import needs
from tests.slow.chaos.clocks import Clock
from tests.slow.chaos.proxy import Proxy, proxy
from tests.slow.ops.scaled import SCALE

REPOSITORY = Path(__file__).parents[3]
RULES = REPOSITORY / "deploy/prometheus/rules.yml"
SCALED = (sys.executable, "-m", "tests.slow.ops.scaled")
WORKERS = ("worker", "worker-2")
POLICY = "{version: 1, sources: {ci: {kind: standard, secrets: [env:CI]}}, channels: {log: {kind: log}}}"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


class Installation:
    """mlflow, redis: the ways there, which can be cut. clock: of the first worker."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = {name: free_port() for name in ("receiver", *WORKERS, "beat", "full")}
        self.clock = Clock(folder, "first")
        self.mlflow: Proxy
        self.redis: Link
        self.stack: Stack
        self.cluster: str
        self._open = ExitStack()
        self._extra: dict[str, subprocess.Popen[bytes]] = {}

    @contextmanager
    def run(self) -> Iterator["Installation"]:
        (self.folder / "registrar.yml").write_text(POLICY)
        with self._open:
            self.cluster = self._open.enter_context(postgres_server.serve())
            ledger = _database(self.cluster)
            outer = {**os.environ, "CI": SECRET, "PYTHONPATH": str(REPOSITORY)}
            self.stack = self._open.enter_context(
                Stack(
                    self.folder / "all",
                    self.folder / "registrar.yml",
                    None,
                    _quiet,
                    ledger=ledger,
                    plan=self._plan,
                    outer=outer,
                )
            )
            self._open.callback(self._end)
            yield self

    def _plan(self, site: Installation) -> Sequence[Service]:
        port = int(site.addresses.mlflow_url.rpartition(":")[2])
        self.mlflow = self._open.enter_context(proxy(port, seed=1))
        self.redis = self._open.enter_context(Link(site.ports["redis"]))
        second = replace(usual.worker(), name=WORKERS[1])
        ours = (usual.receiver(site), usual.worker(), second, usual.beat())
        return [usual.redis(site), usual.mlflow(site), usual.migrate(), *map(self._watched, ours)]

    def _watched(self, part: Service) -> Service:
        told = {**self._ways(), f"REGISTRAR_{_METRICS[part.name]}": f"127.0.0.1:{self.ports[part.name]}"}
        if part.name == WORKERS[0]:
            told |= self.clock.environment
        return replace(part, command=(*SCALED, *part.command[2:]), environment={**part.environment, **told})

    def _ways(self) -> dict[str, str]:
        return {"MLFLOW_TRACKING_URI": self.mlflow.url, "REGISTRAR_BROKER_URL": self.redis.url_of("redis", "/0")}

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, **self.stack.environment, **self._ways(), "CI": SECRET, "PYTHONPATH": str(REPOSITORY)}

    def signal(self, part: str, which: signal.Signals) -> None:
        """To all processes of a part: a receiver has two."""
        first = self.stack.pid(part)
        children = Path(f"/proc/{first}/task/{first}/children").read_text().split()
        for pid in (first, *map(int, children)):
            os.kill(pid, which)

    def start(self, name: str, *command: str, **environment: str) -> None:
        """A process beside those of the stack, until `stop`."""
        with (self.folder / f"{name}.log").open("wb") as log:
            self._extra[name] = subprocess.Popen(
                [*SCALED, *command],
                env={**self.environment, **environment},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def stop(self, name: str) -> None:
        process = self._extra.pop(name)
        process.terminate()
        process.wait(60)

    def _end(self) -> None:
        for process in self._extra.values():
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)

    def log_of(self, part: str) -> str:
        path = self.folder / f"{part}.log"
        return (path if path.exists() else self.stack.folder.path / "logs" / f"{part}.log").read_text(errors="replace")

    def asked(self, *command: str, **environment: str) -> str:
        """What a command of ours prints."""
        words = [*SCALED, "registrar", *command]
        done = subprocess.run(
            words,
            env={**self.environment, **environment},
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done.stdout + done.stderr

    def ready(self, url: str | None = None) -> str:
        """The status of /readyz and its body; "none" where nobody answers."""
        try:
            said = requests.get(f"{url or self.stack.addresses.receiver_url}/readyz", timeout=5)
        except requests.RequestException:
            return "none"
        return f"{said.status_code} {said.text}"


_METRICS = {"receiver": "METRICS", "worker": "WORKER_METRICS", "worker-2": "WORKER_METRICS", "beat": "BEAT_METRICS"}


class Prometheus:
    """jobs: by name, the ports that are scraped."""

    def __init__(self, folder: Path, jobs: Mapping[str, Sequence[int]]) -> None:
        folder.mkdir()
        self._folder, self._port = folder, free_port()
        self._targets = sum(map(len, jobs.values()))
        (folder / "rules.yml").write_text(scaled_rules())
        scraped = [
            {"job_name": name, "static_configs": [{"targets": [f"127.0.0.1:{port}" for port in ports]}]}
            for name, ports in jobs.items()
        ]
        every = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
        config = {"global": every, "rule_files": ["rules.yml"], "scrape_configs": scraped}
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))

    @contextmanager
    def run(self) -> Iterator["Prometheus"]:
        program = needs("prometheus", install="apt-get install prometheus")
        words = [program, "--config.file=prometheus.yml", "--storage.tsdb.path=data"]
        with (self._folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [*words, f"--web.listen-address=127.0.0.1:{self._port}"], cwd=self._folder, stdout=log, stderr=log
            )
        try:
            yield self
        finally:
            process.terminate()
            process.wait(30)

    def firing(self) -> set[str]:
        """The names of the alerts that fire; none while it starts."""
        return {one["labels"]["alertname"] for one in self._alerts() or () if one["state"] == "firing"}

    def quiet(self) -> bool:
        """It scrapes, every target answers, and no alert fires or is about to."""
        return self._alerts() == [] and self._all_up()

    def _all_up(self) -> bool:
        found = self._get("targets")["data"]["activeTargets"]
        return len(found) == self._targets and all(one["health"] == "up" for one in found)

    def _alerts(self) -> list[Any] | None:
        try:
            found: list[Any] = self._get("alerts")["data"]["alerts"]
        except requests.RequestException:
            return None
        return found

    def _get(self, what: str) -> Any:
        return requests.get(f"http://127.0.0.1:{self._port}/api/v1/{what}", timeout=5).json()


def scaled_rules() -> str:
    """Our rules, each of which waits a SCALEth of its `for`; nothing else is different."""
    return re.sub(r"^(\s+for: )(\d+)(s|m)$", _shorter, RULES.read_text(), flags=re.MULTILINE)


def _shorter(found: re.Match[str]) -> str:
    seconds = int(found[2]) * {"s": 1, "m": 60}[found[3]]
    return f"{found[1]}{seconds * 1000 // SCALE}ms"


def _database(cluster: str) -> str:
    """Its URL. It goes with its cluster, which is stopped and started meanwhile."""
    with psycopg.connect(f"host={cluster} user=registrar dbname=postgres", autocommit=True) as admin:
        admin.execute("CREATE DATABASE ops")
    return f"postgresql+psycopg://registrar@/ops?host={cluster}"


def until(seconds: float, true: Callable[[], bool]) -> bool:
    """Whether it became true in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if true():
            return True
        time.sleep(0.2)
    return true()


def _quiet(line: str) -> None:
    pass
