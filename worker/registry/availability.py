"""Asks MLflow every 10 s whether it answers, as the worker's client would: work that waits for it says so too late."""

import logging
import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from registrar.http.mlflow_server import API, MlflowServer
from registrar.http.probe import Silence
from registrar.ledger.heartbeats import EVERY

log = logging.getLogger(__name__)

_ASKED = f"{API}/registered-models/search?max_results=1"  # a question to its database; /health is answered without


class RegistryAvailability:
    """A context manager. uri: MLFLOW_TRACKING_URI."""

    def __init__(self, uri: str, environ: Mapping[str, str]) -> None:
        self.trouble: str | None = None  # why it did not answer; "": it did; None: not asked yet
        self._server = MlflowServer(uri, environ) if uri.startswith(("http://", "https://")) else None
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="registry watch", daemon=True)

    def look(self) -> None:
        """The log says what is new."""
        if self._server is None:
            return
        before, self.trouble = self.trouble, _trouble(self._server)
        if self.trouble and not before:
            log.warning("MLflow does not serve this worker: %s", self.trouble)
        elif before and not self.trouble:
            log.info("MLflow serves this worker again")

    def _keep(self) -> None:
        self.look()
        while not self._done.wait(EVERY):
            self.look()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()


def _trouble(server: MlflowServer) -> str:
    try:
        said = server.get(_ASKED)
    except Silence as silence:
        return str(silence)
    if said.status == 200 and isinstance(said.json, dict):
        return ""
    return f"{server.root} answers {said.status}, and not as MLflow's registry does"
