"""All of Registrar as `registrar up` starts it, on an MLflow server that is there, and what a bench does with it."""

import json
import os
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from celery import Celery
from sqlalchemy import func, select

from registrar.broker.celery_app import celery_app, publish
from registrar.config.key_generation import new_webhook_secret
from registrar.events.event import Actor, Event
from registrar.events.types import parse
from registrar.ledger import Ledger
from registrar.ledger.deliveries import Arrival, accept_all
from registrar.ledger.engine import now
from registrar.ledger.event_rows import Delivery
from registrar.ledger.predicates import is_open
from registrar.ledger.tables import events, tasks
from registrar.local import Stack, process_tree
from registrar.local import services as usual
from registrar.local.installation import LOOPBACK
from registrar.local.service_process import ServiceProcess
from registrar.local.services import Service
from tests.bench.load import LoadError, signed
from tests.postgres_server import database

CI = "/webhooks/ci"
WITHOUT_WORKER = ("redis", "migrate", "receiver", "beat")
PARTS = (*WITHOUT_WORKER, "worker")
# Nobody is told anything: what is measured is the work itself.
CONFIG = """
version: 1
max_unfinished: 1000000
sources:
  ci:
    kind: standard
    secrets: ["file:ci.whsec"]
    rate_limit: 999999/second
    max_unfinished: 1000000
    may: [{events: [training_run.*, model_version.*], models: ["*"]}]
  slack:
    kind: slack
    secrets: ["file:slack.secret"]
    rate_limit: 999999/second
    may: [{events: [registry.query], models: ["*"]}]
"""
CI_ACTOR = Actor("source:ci", "ci")
_POLL = 0.01  # seconds
_PATIENCE = 120.0  # seconds in which nothing at all is done


@dataclass(frozen=True)
class Installation:
    """A running one. secrets: by source. pids: of its parts by name."""

    port: int
    ledger: Ledger
    app: Celery
    secrets: Mapping[str, str]
    folder: Path
    environ: Mapping[str, str]
    pids: Mapping[str, int]

    @contextmanager
    def running(self, part: Service) -> Iterator[ServiceProcess]:
        """One more part, once it is ready."""
        running = ServiceProcess(part, environ=self.environ, cwd=self.folder, log=self.folder / f"{part.name}.log")
        try:
            while not part.ready(running):
                if running.exit_code is not None or running.age > part.start_timeout:
                    raise RuntimeError(f"{part.name} does not start. {running.last_lines()}")
                time.sleep(_POLL)
            yield running
        finally:
            running.stop(process_tree.never)

    def request(self, type_: str, data: Mapping[str, Any]) -> tuple[bytes, dict[str, str]]:
        """Body and headers of a delivery of ci's."""
        event = {"type": type_, "timestamp": datetime.now(UTC).isoformat(timespec="seconds"), "data": data}
        sent = json.dumps(event).encode()
        return sent, signed(self.secrets["ci"], sent)

    def delay(self, type_: str, data: Mapping[str, Any]) -> float:
        """Seconds from a POST until its event is applied, by the ledger's own record. Raises LoadError."""
        sent, headers = self.request(type_, data)
        connection = HTTPConnection(LOOPBACK, self.port, timeout=30)
        begun = now()
        connection.request("POST", CI, sent, headers)
        answer = connection.getresponse()
        said = answer.read()
        connection.close()
        if answer.status != 202:
            raise LoadError(f"{type_} was answered with {answer.status}: {said[:500]!r}")
        return (self._applied(json.loads(said)["events"][0]["id"]) - begun).total_seconds()

    def _applied(self, event_id: str) -> datetime:
        query = select(tasks.c.state, tasks.c.finished_at, tasks.c.error).where(tasks.c.event_id == event_id)
        until = time.monotonic() + _PATIENCE
        while time.monotonic() < until:
            time.sleep(_POLL)
            with self.ledger.read() as connection:
                [task] = connection.execute(query).all()
            if task.state == "succeeded":
                return task.finished_at  # type: ignore[no-any-return]
            if task.finished_at:
                break
        raise LoadError(f"{event_id} is {task.state}: {task.error}")

    def queue(self, type_: str, each: Sequence[Mapping[str, Any]], *, by: Actor = CI_ACTOR) -> Callable[[], bool]:
        """Accept events, but publish no task yet: the returned function publishes all of them."""
        at = now()
        meant = [Event(parse(type_, dict(data)), by, at) for data in each]
        arrivals = [Arrival(Delivery("ci", uuid.uuid4().hex, "0" * 64), [event], at) for event in meant]
        with self.ledger.write() as connection:
            receipts = accept_all(connection, arrivals)
        task_messages = [task_message for receipt in receipts for task_message in receipt.task_messages]  # type: ignore[union-attr]
        return lambda: publish(self.app, task_messages)

    def open(self, name: str) -> int:
        """How many tasks of this name are queued or running."""
        with self.ledger.read() as connection:
            query = select(func.count()).select_from(tasks).where(is_open(), tasks.c.name == name)
            return int(connection.execute(query).scalar_one())

    def until_done(self, name: str, *, poll: float) -> None:
        """Return when no such task is open any more, or when none was finished for long."""
        left, since = self.open(name), time.monotonic()
        while left and time.monotonic() - since < _PATIENCE:
            time.sleep(poll)
            if (still := self.open(name)) != left:
                left, since = still, time.monotonic()

    def newest(self) -> int:
        """The number of the event that was accepted last."""
        with self.ledger.read() as connection:
            return int(connection.execute(select(func.coalesce(func.max(events.c.seq), 0))).scalar_one())

    def finished(self, name: str, *, after: int) -> list[datetime]:
        """When each task of this name succeeded, in order, of events accepted after that number."""
        which = (tasks.c.name == name, tasks.c.state == "succeeded", tasks.c.event_seq > after)
        with self.ledger.read() as connection:
            return sorted(connection.execute(select(tasks.c.finished_at).where(*which)).scalars())


@contextmanager
def installation(
    mlflow: str, *, cluster: str | None = None, parts: Sequence[str] = PARTS, config: str = CONFIG
) -> Iterator[Installation]:
    """mlflow: an MLflow server's address. cluster: a PostgreSQL cluster for the ledger, else it is on SQLite.

    config: a registrar.yml with the sources ci and slack.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True)))
        secrets = {"ci": new_webhook_secret(), "slack": uuid.uuid4().hex}
        (folder / "registrar.yml").write_text(config)
        (folder / "ci.whsec").write_text(secrets["ci"])
        (folder / "slack.secret").write_text(secrets["slack"])
        url = stack.enter_context(database(cluster)) if cluster else None
        started = stack.enter_context(
            Stack(
                folder / "data",
                folder / "registrar.yml",
                say=_quiet,
                mlflow=mlflow,
                ledger=url,
                plan=lambda site: [part for part in usual.plan(site) if part.name in parts],
            )
        )
        ledger = Ledger(started.addresses.ledger_url)
        stack.callback(ledger.close)
        yield Installation(
            port=int(started.addresses.receiver_url.rpartition(":")[2]),
            ledger=ledger,
            app=celery_app(started.addresses.broker_url),
            secrets=secrets,
            folder=folder,
            environ={**os.environ, **started.environment},
            pids={name: started.pid(name) for name in parts if name != "migrate"},
        )


def _quiet(line: str) -> None:
    pass
