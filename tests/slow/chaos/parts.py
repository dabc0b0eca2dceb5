"""The parts of a run: those of `registrar up`, a second worker, and what stands between them and can be broken."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

from registrar.local import Stack
from registrar.local import services as usual
from registrar.local.installation import Installation
from registrar.local.services import Service
from tests.links import Link
from tests.slow.chaos.clocks import Clock
from tests.slow.chaos.proxy import Proxy, proxy

REPOSITORY = Path(__file__).parents[3]
WORKERS = ("worker", "worker-2")
CLIENTS = (*WORKERS, "beat", "receiver")  # of Redis


@dataclass
class House:
    """Filled while the stack starts. mlflow: each worker's way to MLflow; redis: each part's way to Redis.

    clocks: of the machine that works, and of the one that listens.
    """

    folder: Path
    seed: int
    without: str | None = None
    mlflow: dict[str, Proxy] = field(default_factory=dict)
    redis: dict[str, Link] = field(default_factory=dict)
    clocks: dict[str, Clock] = field(default_factory=dict)
    _open: ExitStack = field(default_factory=ExitStack)

    @contextmanager
    def stack(self, *, config: Path, ledger: str | None) -> Iterator[Stack]:
        with self._open, Stack(self.folder, config, None, _quiet, ledger=ledger, plan=self._plan) as started:
            started.watch_in_background()
            yield started

    def _plan(self, site: Installation) -> Sequence[Service]:
        mlflow, redis = urlsplit(site.addresses.mlflow_url).port or 0, site.ports["redis"]
        for number, name in enumerate(WORKERS):
            self.mlflow[name] = self._open.enter_context(proxy(mlflow, seed=self.seed + number))
        for name in CLIENTS:
            self.redis[name] = self._open.enter_context(Link(redis))
        self.clocks = {name: Clock(self.folder, name) for name in ("working", "listening")}
        ours = [usual.redis(site), usual.mlflow(site), usual.migrate()]
        return [*ours, *map(self._broken, (usual.receiver(site), usual.worker(), self._second(), usual.beat()))]

    def _second(self) -> Service:
        return replace(usual.worker(), name=WORKERS[1])

    def _broken(self, part: Service) -> Service:
        told = {"REGISTRAR_BROKER_URL": self.redis[part.name].url_of("redis", "/0")}
        told |= self.clocks["listening" if part.name == "receiver" else "working"].environment
        if part.name in WORKERS:
            told["MLFLOW_TRACKING_URI"] = self.mlflow[part.name].url
            if self.without:
                told["PYTHONPATH"] = str(REPOSITORY)
                command = (sys.executable, "-m", "tests.slow.chaos.without", self.without)
                return replace(part, command=command, environment={**part.environment, **told})
        return replace(part, environment={**part.environment, **told})


def _quiet(line: str) -> None:
    pass
