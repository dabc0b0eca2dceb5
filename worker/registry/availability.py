"""Probe MLflow every 10 s, as the worker's client would reach it; waiting tasks report an outage too late."""

import logging
import threading
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from registrar.http.mlflow_server import API, MlflowServer
from registrar.http.probe import Silence
from registrar.ledger.heartbeats import EVERY

log = logging.getLogger(__name__)

STARTING = 30.0  # seconds in which MLflow may come up beside this worker
_PROBE = f"{API}/registered-models/search?max_results=1"  # reaches its database; /health does not


class RegistryAvailability:
    """A probe in the background; a context manager. uri: MLFLOW_TRACKING_URI."""

    def __init__(self, uri: str, environ: Mapping[str, str]) -> None:
        self.trouble: str | None = None  # why MLflow did not answer; "" where it did; None before the first probe
        self._server = MlflowServer(uri, environ) if uri.startswith(("http://", "https://")) else None
        self._starting_until = time.monotonic() + STARTING
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._keep_probing, name="registry availability", daemon=True)

    def probe(self) -> None:
        """Probe once, and log a change."""
        if self._server is None:
            return
        before, found = self.trouble, _trouble(self._server)
        if found and before is None and time.monotonic() < self._starting_until:
            return  # MLflow is starting, too
        self.trouble = found
        if self.trouble and not before:
            log.warning("MLflow does not serve this worker: %s", self.trouble)
        elif before and not self.trouble:
            log.info("MLflow serves this worker again")

    def _keep_probing(self) -> None:
        self.probe()
        while not self._done.wait(EVERY):
            self.probe()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()


def _trouble(server: MlflowServer) -> str:
    try:
        answer = server.get(_PROBE)
    except Silence as silence:
        return str(silence)
    if answer.status == 200 and isinstance(answer.json, dict):
        return ""
    return f"{server.root} answers {answer.status}, and not as MLflow's registry does"
