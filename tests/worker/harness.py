"""The worker without Celery around it: a real ledger, a registry, and every task run in the ledger's own order."""

import uuid
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import requests
from sqlalchemy import select

from registrar.broker.celery_app import celery_app
from registrar.broker.task_message import TaskMessage
from registrar.config.encryption import Encryptor
from registrar.config.settings import Settings
from registrar.events.event import Actor, Event
from registrar.events.outcome import Cause, Fact, LedgerChange
from registrar.events.types import parse
from registrar.ledger import Ledger
from registrar.ledger.deliveries import accept
from registrar.ledger.engine import now
from registrar.ledger.event_rows import Delivery
from registrar.ledger.fact_references import load_fact
from registrar.ledger.inbox import Inbox
from registrar.ledger.predicates import as_of, is_due
from registrar.ledger.queries.holdings import history
from registrar.ledger.tables import promotions, tasks, votes
from registrar.policy.load import parse as parse_policy
from tests.fakes import FakeRegistry
from worker import scheduler
from worker.celery_tasks import run_chain, run_task
from worker.context import WorkerContext
from worker.shutdown import Shutdown

KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
POLICY = """
version: 1
sources:
  ci: {kind: standard, secrets: [env:CI], reply_to: ["127.0.0.1:9"]}
people:
  ada: {name: Ada}
  bob: {name: Bob}
  eve: {name: Eve}
groups:
  leads: [ada, bob]
models:
  taxi:
    targets:
      - {stage: Staging, alias: challenger, gates: [{metric: rmse, op: "<", threshold: 7}], approval: automatic}
      - {stage: Production, alias: champion, approval: {rules: [{group: leads}]}}
channels:
  log: {kind: log}
notify:
  - {outcomes: ["*"], to: [log]}
"""
CI = Actor("source:ci", "ci")
ADA, BOB, EVE = Actor("ada", "Ada"), Actor("bob", "Bob"), Actor("eve", "Eve")


class Stopping(Shutdown):
    """Of a worker that finishes what it has begun."""

    begun = True


class WorkerHarness:
    """post() accepts an event and does all the work that follows; told is what people were told, in order."""

    def __init__(self, ledger: Ledger, folder: Any, registry: Any = None, policy: str = POLICY) -> None:
        self.ledger = ledger
        self.registry = registry or FakeRegistry()
        self.told: list[str] = []
        self._ahead = timedelta()
        settings = Settings.read(
            {
                "REGISTRAR_CONFIG": "registrar.yml",
                "MLFLOW_TRACKING_URI": "http://127.0.0.1:9",
                "REGISTRAR_LEDGER_URL": "sqlite://",
                "REGISTRAR_BROKER_URL": "memory://",
                "REGISTRAR_SECRET_KEY": KEY,
                "REGISTRAR_ARTIFACTS": str(folder / "artifacts"),
            }
        )
        self.context = WorkerContext(
            celery_app("memory://"),
            ledger,
            Inbox(ledger, lambda task_messages: None),
            parse_policy(policy),
            settings,
            Encryptor(KEY),
            self.registry.guarded,
            requests.Session(),
            self.now,
        )

    def now(self) -> datetime:
        return now() + self._ahead

    def later(self, **how: float) -> None:
        """Time passes, and what it brings is done. how: as of timedelta."""
        self._ahead += timedelta(**how)
        scheduler.tick(self.ledger, self.context.inbox, self.context.policy, self.now())
        self.work()

    def jump(self, by: timedelta) -> None:
        """The clock is set, forth or back; nothing else happens."""
        self._ahead += by

    def until_nothing_waits(self) -> None:
        """What is to be tried again is, at its time, until it is not any more."""
        while self._waiting():
            self._ahead += timedelta(minutes=1)
            self.work()

    def _waiting(self) -> bool:
        with self.ledger.read() as connection:
            return connection.execute(select(tasks.c.id).where(tasks.c.state == "queued")).first() is not None

    def policy(self, text: str) -> None:
        self.context = WorkerContext(**{**self.context.__dict__, "policy": parse_policy(text)})

    def settings(self, **changed: Any) -> None:
        """changed: fields of Settings."""
        settings = replace(self.context.settings, **changed)
        self.context = WorkerContext(**{**self.context.__dict__, "settings": settings})

    def let_in(self, registry: Any) -> None:
        """Another registry from now on."""
        self.registry = registry
        self.context = WorkerContext(**{**self.context.__dict__, "registry": registry.guarded})

    def accept(self, type_: str, *, by: Actor = CI, via: str = "ci", reply_to: str | None = None, **data: Any) -> str:
        """via: the source."""
        event = Event(parse(type_, data), by, self.now(), reply_to)
        with self.ledger.write() as connection:
            receipt = accept(connection, Delivery(via, f"msg_{uuid.uuid4().hex}", "0" * 64), [event], at=self.now())
        return receipt.events[0][0]

    def post(self, type_: str, *, by: Actor = CI, via: str = "ci", reply_to: str | None = None, **data: Any) -> str:
        event_id = self.accept(type_, by=by, via=via, reply_to=reply_to, **data)
        self.work()
        return event_id

    def record(self, *records: LedgerChange) -> None:
        """As a task of an event of their own would have written them."""
        cause = Cause(self.post("model.review", model="taxi"), CI.id, CI.name, self.now())
        with self.ledger.write() as connection:
            for record in records:
                record.apply(connection, cause)

    def work(self) -> None:
        """Everything that is due, until nothing is, or all of it waits behind something that is not."""
        before: list[TaskMessage] = []
        while (task_messages := self.due()) and task_messages != before:
            for task_message in task_messages:
                run_chain(self.context, task_message)
            before = task_messages

    def run(self, task_message: TaskMessage) -> None:
        """That task alone: its worker stops then, and takes no other one."""
        stopping = self.context.shutdown if self.context.shutdown.begun else Stopping()
        run_task(replace(self.context, shutdown=stopping), task_message)

    def due(self) -> list[TaskMessage]:
        waiting = select(tasks.c.id, tasks.c.name).where(tasks.c.state == "queued", is_due(tasks.c.not_before))
        in_order = waiting.order_by(tasks.c.event_seq, tasks.c.seq)
        with self.ledger.read() as connection:
            return [TaskMessage(row.id, row.name) for row in connection.execute(in_order, as_of(self.now()))]

    def tasks_of(self, event_id: str) -> list[tuple[str, str]]:
        query = select(tasks.c.name, tasks.c.state).where(tasks.c.event_id == event_id, tasks.c.name != "worker.notify")
        with self.ledger.read() as connection:
            return [
                (row.name.removeprefix("worker."), row.state) for row in connection.execute(query.order_by(tasks.c.seq))
            ]

    def facts(self) -> list[tuple[str, str]]:
        """What was told, in the order of its happening."""
        return [(fact.type, fact.text) for fact in self.told_facts()]

    def told_facts(self) -> list[Fact]:
        """The facts of `facts`, whole."""
        query = select(tasks.c.args).where(tasks.c.name == "worker.notify").order_by(tasks.c.seq)
        with self.ledger.read() as connection:
            return [load_fact(connection, args) for args in connection.execute(query).scalars().all()]

    def details(self, type_: str) -> dict[str, Any]:
        """The details of the newest fact of a type, for programs."""
        return dict([fact for fact in self.told_facts() if fact.type == type_][-1].details)

    def notices(self) -> list[tuple[str, dict[str, Any]]]:
        """What came of each message: (the task's state, its outcome)."""
        query = select(tasks.c.state, tasks.c.outcome).where(tasks.c.name == "worker.notify").order_by(tasks.c.seq)
        with self.ledger.read() as connection:
            return [(row.state, row.outcome) for row in connection.execute(query)]

    def fact(self, type_: str) -> str:
        """The text of the newest fact of a type."""
        facts = self.facts()
        found = [text for kind, text in facts if kind == type_]
        assert found, f"no {type_} was told, but {sorted({kind for kind, _ in facts}) or 'nothing'}"
        return found[-1]

    def promotions(self) -> list[tuple[int, str, str]]:
        with self.ledger.read() as connection:
            rows = connection.execute(select(promotions).order_by(promotions.c.created_at)).all()
        return [(row.version, row.target, row.state) for row in rows]

    def votes(self) -> list[tuple[str, str, bool]]:
        with self.ledger.read() as connection:
            rows = connection.execute(select(votes).order_by(votes.c.seq)).all()
        return [(row.actor, row.verdict, row.counted) for row in rows]

    def holding(self, model: str = "taxi") -> dict[str, list[int]]:
        """What holds now, by the ledger: {"Production": [2], "@champion": [2]}."""
        with self.ledger.read() as connection:
            open_rows = [h for h in history(connection, model) if h.until is None]
        found: dict[str, list[int]] = {}
        for row in open_rows:
            found.setdefault(row.key if row.kind == "stage" else f"@{row.key}", []).append(row.version)
        return found

    def stages(self, model: str = "taxi") -> dict[int, str]:
        return {v.version: v.stage for v in self.registry.versions(model)}
