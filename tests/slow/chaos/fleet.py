"""Retrying senders: each trains runs of one model, and posts each until it is acknowledged; some twice at once, and
some once more later.
"""

import json
import random
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime

import requests
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from registrar.http import signing
from tests.mlflow_server import train

GOOD, FAIR, BAD = 5.0, 6.0, 9.0  # below both gates, below Staging's, below none
_LATER = (429, 503)


@dataclass
class Sent:
    """One training run, and what its sender knows of it. at: when it was acknowledged, of time.monotonic()."""

    model: str
    run_id: str
    rmse: float
    event_id: str
    at: float


@dataclass
class Fleet:
    """url: of the source. acknowledged is complete once stop() has returned."""

    url: str
    secret: str
    mlflow_url: str
    models: list[str]
    seed: int
    acknowledged: list[Sent] = field(default_factory=list)
    posts: int = 0
    refused: int = 0
    late: int = 0  # deliveries whose signature was found too old or too new, by a clock that had jumped
    again: int = 0
    _met: list[Exception] = field(default_factory=list)

    def start(self) -> None:
        MlflowClient(self.mlflow_url).create_experiment("chaos")
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._send, args=(model,), daemon=True) for model in self.models]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Every sender finishes the run it is at: what it trained is acknowledged. Raises what a sender met."""
        self._stop.set()
        for thread in self._threads:
            thread.join(300)
            assert not thread.is_alive(), "a sender never got its acknowledgement"
        if self._met:
            raise self._met[0]

    def _send(self, model: str) -> None:
        try:
            self._keep_sending(model)
        except Exception as error:  # noqa: BLE001 (a sender that gives up silently would make the audit easier)
            self._met.append(error)

    def _keep_sending(self, model: str) -> None:
        chance, client = random.Random(f"{self.seed} {model}"), MlflowClient(self.mlflow_url)  # noqa: S311 (a seed makes it repeatable)
        while not self._stop.is_set():
            rmse = chance.choice([GOOD, FAIR, BAD])
            run_id = _train(client, rmse)
            body = json.dumps({"type": "training_run.finished", "data": {"model": model, "run_id": run_id}}).encode()
            id_ = f"msg_{uuid.uuid4().hex}"
            event_id = self._deliver(id_, body, at_once=2 if chance.random() < 0.2 else 1)
            self.acknowledged.append(Sent(model, run_id, rmse, event_id, time.monotonic()))
            self._stop.wait(chance.uniform(3, 10))
            if chance.random() < 0.1:  # a proxy on the way had kept it
                assert self._deliver(id_, body, at_once=2) == event_id, "one delivery became two events"
                self.again += 1

    def _deliver(self, id_: str, body: bytes, *, at_once: int) -> str:
        """Posts until somebody says 2xx; the same id and body each time, signed anew."""
        with ThreadPoolExecutor(at_once) as pool:
            while True:
                answers = list(pool.map(lambda _: self._post(id_, body), range(at_once)))
                if ids := {answer for answer in answers if answer}:
                    assert len(ids) == 1, f"one delivery became two events: {ids}"
                    return ids.pop()
                time.sleep(0.2)

    def _post(self, id_: str, body: bytes) -> str | None:
        signed = signing.standard_webhooks(self.secret, id=id_, timestamp=datetime.now(UTC), body=body)
        self.posts += 1
        try:
            answer = requests.post(
                self.url, data=body, headers={"Content-Type": "application/json", **signed}, timeout=10
            )
        except requests.RequestException:
            return None
        if answer.status_code in (200, 202):
            return str(answer.json()["events"][0]["id"])
        if answer.status_code == 401 and "clock" in answer.text:
            self.late += 1
            return None
        assert answer.status_code in _LATER, f"{answer.status_code}: {answer.text}"
        self.refused += 1
        return None


def _train(client: MlflowClient, rmse: float) -> str:
    """However often it takes: what a run leaves behind before MLflow dies under it is never posted."""
    while True:
        try:
            return train(client, experiment="chaos", rmse=rmse)
        except (MlflowException, requests.RequestException):
            time.sleep(1)
