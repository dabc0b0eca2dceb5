"""Retrying senders: each trains runs of one model, and posts each until it is acknowledged, some twice at once."""

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

from registrar import signing
from tests.mlflow_server import train

GOOD, FAIR, BAD = 5.0, 6.0, 9.0  # below both gates, below Staging's, below none


@dataclass
class Sent:
    """One training run, and what its sender knows of it."""

    model: str
    run_id: str
    rmse: float
    event_id: str


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
            thread.join(180)
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
            run_id = train(client, experiment="chaos", rmse=rmse)
            event_id = self._deliver(model, run_id, at_once=2 if chance.random() < 0.2 else 1)
            self.acknowledged.append(Sent(model, run_id, rmse, event_id))
            self._stop.wait(chance.uniform(2, 5))

    def _deliver(self, model: str, run_id: str, *, at_once: int) -> str:
        """Posts until somebody says 2xx; the same id and body each time, signed anew."""
        body = json.dumps({"type": "training_run.finished", "data": {"model": model, "run_id": run_id}}).encode()
        id_ = f"msg_{uuid.uuid4().hex}"
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
        assert answer.status_code in (429, 503), f"{answer.status_code}: {answer.text}"
        self.refused += 1
        return None
