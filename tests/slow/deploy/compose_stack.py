"""The services of docker-compose.yml as processes here: each its own command line, environment and secrets."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests import postgres_server
from tests.deploy.composefile import ROOT, Ground, ours, services
from tests.mlflow_server import free_port
from tests.slow.deploy import postgres

PORTS = ("6379", "5432", "5000", "8080", "9101", "9102", "9103")
READY = 180.0  # seconds: MLflow makes its tables, on a busy machine
STOP_SIGNALS = {"postgres": signal.SIGINT}  # its image's STOPSIGNAL


@dataclass
class House:
    """One service, running. Times in seconds."""

    ground: Ground
    process: subprocess.Popen[bytes]
    environment: dict[str, str]
    log: Path

    def healthy(self) -> bool:
        """Its healthcheck's own command passes within its own timeout."""
        timeout = seconds(self.ground.service["healthcheck"]["timeout"])
        prefix = postgres_server.as_postgres() if self.ground.name == "postgres" else []
        try:
            check = subprocess.run(
                [*prefix, *self.ground.healthcheck()],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return False
        return check.returncode == 0

    def last_words(self) -> str:
        return f"{self.ground.name} (exit code {self.process.poll()}):\n{self.log.read_text()[-3000:]}"

    def stop(self) -> float:
        """As compose does: a signal to process 1, patience, the end of all of them. How long it took."""
        began = time.monotonic()
        self.process.send_signal(STOP_SIGNALS.get(self.ground.name, signal.SIGTERM))
        try:
            self.process.wait(seconds(self.ground.service.get("stop_grace_period", "10s")))
        except subprocess.TimeoutExpired:
            return float("inf")
        finally:
            self._clear()
        return time.monotonic() - began

    def _clear(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)


@dataclass
class ComposeStack:
    """All services but those of a profile. folder: must be open to the user postgres."""

    folder: Path
    houses: dict[str, House] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=lambda: dict(zip(PORTS, free_ports(len(PORTS)), strict=True)))

    @property
    def mlflow_url(self) -> str:
        return f"http://127.0.0.1:{self.ports['5000']}"

    @property
    def receiver_url(self) -> str:
        return f"http://127.0.0.1:{self.ports['8080']}"

    def ground(self, name: str) -> Ground:
        return Ground(name, services()[name], self.folder, self.ports)

    def make_secrets(self) -> None:
        subprocess.run(
            [ROOT / "deploy/make-secrets", self.folder / "made"], check=True, timeout=30, capture_output=True
        )

    def open(self) -> None:
        """Start all in the order of their needs; return when each is healthy."""
        for name in in_order(ours()):
            for other, need in services()[name].get("depends_on", {}).items():
                self._wait(other, need["condition"])
            self.houses[name] = self._start(name)
        for name in ours():
            self._wait(name, "service_completed_successfully" if name == "migrate" else "service_healthy")

    def close(self) -> dict[str, float]:
        """Stop all in reverse; how many seconds each took. A second time there is nothing to do."""
        return {name: self.houses.pop(name).stop() for name in reversed(list(self.houses))}

    def environment(self, ground: Ground) -> dict[str, str]:
        """What the container's process would have, and no more: nothing of ours leaks in."""
        home = next((path for path in ground.tmpfs if path.name == "tmp"), ground.folder)
        places = [str(Path(sys.executable).parent), os.environ["PATH"]]
        if ground.name == "postgres":
            places.insert(0, str(postgres_server.programs()))
        environment = {"PATH": os.pathsep.join(places), "HOME": str(home), "PYTHONUNBUFFERED": "1"}
        return environment | ground.environment()

    def _start(self, name: str) -> House:
        ground = self.ground(name)
        self._furnish(ground)
        environment = self.environment(ground)
        prefix: list[str] = []
        if name == "postgres":
            postgres.prepare(ground, environment)
            prefix = postgres_server.as_postgres()
        log = self.folder / name / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*prefix, *ground.command()],
                env=environment,
                cwd=self.folder / name / "cwd",
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        return House(ground, process, environment, log)

    def _furnish(self, ground: Ground) -> None:
        """Its secrets and files, readable by its user and with this machine's addresses; its volumes and tmpfs."""
        for folder in (ground.secrets, *ground.volumes.values(), *ground.tmpfs, *self._beside(ground)):
            folder.mkdir(parents=True, exist_ok=True)
        for secret in ground.service.get("secrets", []):
            (ground.secrets / secret).write_text(ground.here((self.folder / "made" / secret).read_text()))
        for source, copy in ground.files.values():
            copy.write_text(ground.here(source.read_text()))

    def _beside(self, ground: Ground) -> list[Path]:
        """The working folder, the copies', and what the image's folder brings into a new volume."""
        own = self.folder / ground.name
        image = [ground.volumes["/var/lib/mlflow"] / "tmp"] if ground.name == "mlflow" else []
        return [own / "cwd", own / "files", *image]

    def _wait(self, name: str, condition: str) -> None:
        house, until = self.houses[name], time.monotonic() + READY
        while time.monotonic() < until:
            code = house.process.poll()
            if condition == "service_completed_successfully" and code == 0:
                return
            assert code is None, f"it ended: {house.last_words()}"
            if condition == "service_healthy" and house.healthy():
                return
            time.sleep(0.3)
        raise AssertionError(f"not within {READY:g} s: {condition} of {house.last_words()}")


def in_order(those: dict[str, dict[str, Any]]) -> list[str]:
    """Names, none before what it depends on."""
    done: list[str] = []
    while len(done) < len(those):
        done += [n for n, s in those.items() if n not in done and set(s.get("depends_on", {})) <= set(done)]
    return done


def seconds(duration: str) -> float:
    """Of a duration that compose reads, such as 45s."""
    assert duration.endswith("s")
    return float(duration[:-1])


def free_ports(count: int) -> list[int]:
    ports: set[int] = set()
    while len(ports) < count:
        ports.add(free_port())
    return list(ports)
