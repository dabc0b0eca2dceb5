"""One model's work, as several workers would do it: task by task, in the ledger's own order, by a clock of ours."""

import uuid
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from pydantic import ValidationError
from sqlalchemy import Row, or_, select

from registrar.broker.task_message import TaskMessage
from registrar.events.event import Actor
from registrar.events.outcome import Cause
from registrar.ledger import Ledger, LedgerUnavailable, task_dispatch
from registrar.ledger.deployments import DeploymentEnded, under_way
from registrar.ledger.disputes import dispute
from registrar.ledger.predicates import place
from registrar.ledger.promotions import PromotionStateChanged, still_open
from registrar.ledger.tables import events
from registrar.ledger.tables import tasks as rows_of_tasks
from registrar.ledger.tasks import Task
from tests.slow.promotions.mlflow_in_process import RegistryInProcess
from tests.slow.promotions.model import Runs
from tests.slow.promotions.rules import POLICIES
from tests.slow.promotions.trouble import Clock, Died, FrailDoor, FrailLedger, Trouble
from tests.slow.promotions.witness import Witness
from tests.worker.harness import WorkerHarness
from worker import scheduler
from worker.celery_tasks import run_claimed, run_task
from worker.registry.mlflow import MlflowRegistry
from worker.registry.recent_reads import RecentReads

VOTES = ("promotion.approve", "promotion.reject")
FINISHED = ("succeeded", "refused", "failed", "dead", "dropped")
TURNS = 60  # half a minute each; what is not done by then never will be


@dataclass(frozen=True)
class Parts:
    """What all examples share: real servers, and a few real runs."""

    address: str
    ledger_url: str
    folder: Path
    runs: Runs
    clock: Clock
    seen: Counter[str]


class Desk:
    """stirred: something was done since all was last compared."""

    def __init__(self, parts: Parts, policy: str) -> None:
        self.clock, self.runs, self.seen = parts.clock, parts.runs, parts.seen
        self.clock.start_again()
        self.model, rules = f"taxi-{uuid.uuid4().hex[:10]}", POLICIES[policy]
        self.ledger = Ledger(parts.ledger_url)
        self.witness = Witness(
            self.model, ledger=self.ledger, clock=self.clock, runs=self.runs, rules=rules, seen=self.seen
        )
        self.world, self.chronicle = self.witness.world, self.witness.chronicle
        self.trouble = Trouble()
        self.trouble.sleep = self._others_go_on
        # It reads no more than it must even of a model of few versions.
        kind = RegistryInProcess if parts.address.startswith("sqlite") else MlflowRegistry
        self.mlflow = kind(parts.address, search_sizes=(1, 5))
        self.client = MlflowClient(parts.address)
        door = FrailDoor(self.mlflow, self.trouble, self.witness.about_to, self.witness.did)
        self.harness = WorkerHarness(FrailLedger(parts.ledger_url, self.trouble), parts.folder, door, rules.text())
        self.stirred = False
        self.settled: set[tuple[int, str]] = set()  # what was there when a dispute was settled: it is known

    def close(self) -> None:
        """The clock looks at all models: what is open here is nothing to the next example. The journal says so too."""
        newest = select(events).where(events.c.model == self.model).order_by(events.c.seq.desc()).limit(1)
        with self.ledger.write() as connection:
            event = connection.execute(newest).one()
            cause = Cause(event.id, event.actor, event.actor_name, self.harness.now())
            for asked in still_open(connection, model=self.model):
                PromotionStateChanged(asked.id, "cancelled").apply(connection, cause)
            for awaited in under_way(connection, model=self.model):
                DeploymentEnded(awaited.id, "superseded").apply(connection, cause)
        self.ledger.close()
        self.harness.ledger.close()

    # What is done from outside.
    def accept(self, type_: str, *, by: str, **data: Any) -> str:
        armed, self.trouble.armed = self.trouble.armed, None  # the receiver's troubles are tested elsewhere
        about = self.witness.posted[data["event_id"]] if type_ == "event.replay" else (type_, by, data)
        seen = self.chronicle.seen(about[2]) if about[0] in VOTES else None
        held = self.witness.recorded()
        event = self.harness.accept(type_, by=Actor(by, by.title()), model=self.model, **data)
        self.trouble.armed = armed
        self.witness.posted[event] = (type_, by, data)
        self.witness.held_by[event] = held
        if seen:
            self.witness.seen_by[event] = seen
        return event

    def refused(self, type_: str, **data: Any) -> bool:
        """At the door."""
        try:
            self.harness.accept(type_, model=self.model, **data)
        except ValidationError:
            return True
        return False

    def policy(self, name: str) -> None:
        self.chronicle.rules = POLICIES[name]
        self.harness.policy(POLICIES[name].text())
        self.seen["policies changed"] += 1

    def delete(self, number: int) -> None:
        """By hand: the record learns it from reconcile."""
        self.client.delete_model_version(self.model, str(number))
        self.world.deleted(number)
        self.witness.touched()

    def begin_anew(self) -> None:
        """The whole model is deleted by hand; the next run is version 1 of another."""
        self.client.delete_registered_model(self.model)
        self.witness.begun_anew()
        self.seen["models deleted"] += 1

    def tag(self, number: int, key: str, value: str | None) -> None:
        """By hand."""
        if value is None:
            self.mlflow.drop_tag(self.model, number, key)
        else:
            self.mlflow.set_tag(self.model, number, key, value)
        if key == "registrar.quarantined":
            (self.world.tagged.discard if value is None else self.world.tagged.add)(number)
        self.seen["tags by hand"] += 1

    def register(self, run: str) -> int:
        """By hand."""
        source = self.mlflow.source_of(self.mlflow.run(run), "model")
        version = self.mlflow.create_version(self.model, source, run_id=run, description="", tags={})
        self.world.created(version)
        self.witness.unseen = True
        self.seen["registered by hand"] += 1
        return version.version

    def all_are_registered(self) -> None:
        """Whatever is in MLflow was registered, or taken in, once; where nothing failed for good."""
        if self.failed() or self.in_dispute():
            return
        lacking = self.there() - self.witness.registered.keys() - self.settled
        assert not lacking, f"not taken in: {lacking}"

    def there(self) -> set[tuple[int, str]]:
        """The versions that MLflow has: number, and when they were made."""
        return {(version.version, version.created_at.isoformat()) for version in self.mlflow.versions(self.model)}

    def move(self, number: int, stage: str) -> None:
        """By hand."""
        self.mlflow.set_stage(self.model, number, stage)
        self.world.moved_by_hand(number, stage)
        self.witness.touched()

    # Working.
    def work(self) -> None:
        """All that is due now."""
        self.work_until(lambda: False)

    def work_until(self, done: Callable[[], bool]) -> None:
        """No further than that."""
        while not done() and (task := self._first()) and task.state == "queued" and task.not_before <= self.clock():
            self.hear(task)

    def settle(self) -> None:
        """Until nothing is left to do: what waits has waited, and whose worker died is found by the sweep."""
        for _ in range(TURNS):
            self.work()
            if self.at_rest():
                return
            self.clock.forward(seconds=30)
            self.sweep()
        raise AssertionError(f"never done: {self._first()}")

    def in_dispute(self) -> bool:
        with self.ledger.read() as connection:
            return dispute(connection, self.model) is not None

    def sweep(self) -> None:
        with self.ledger.write() as connection:
            task_dispatch.sweep(connection, at=self.clock())

    def at_rest(self) -> bool:
        return self._first() is None

    def hear(self, task: Row[Any], reads: RecentReads | None = None, claimed: Task | None = None) -> None:
        """Handle one message, which may be a repeated one, and the tasks that the same worker claims after it."""
        outer, self.witness.task, self.stirred = self.witness.task, task, True
        if outer is None:
            self.world.came = set()
            self.witness.disturbed = self.witness.disturbed and reads is not None
        reads, following = reads or RecentReads(), None
        with suppress(Died, LedgerUnavailable):
            context, message = self.harness.context, TaskMessage(task.id, task.name)
            following = run_claimed(context, claimed, reads) if claimed else run_task(context, message, reads)
        self.witness.task = outer
        self.witness.look(self._as_it_is(task.id))
        if following:
            self.hear(self._as_it_is(following.id), reads, following)

    def _as_it_is(self, task_id: str) -> Row[Any]:
        return next(task for task in self.all_tasks() if task.id == task_id)

    def all_tasks(self) -> list[Row[Any]]:
        """Of the model's lane, and those that wait for nothing: replays and retries."""
        own = or_(*(rows_of_tasks.c.lane.startswith(f"{kind}:") for kind in ("event", "task")))
        which = or_(rows_of_tasks.c.lane == f"model:{self.model}", (events.c.model == self.model) & own)
        ours = select(rows_of_tasks).join(events, rows_of_tasks.c.event_id == events.c.id).where(which)
        with self.ledger.read() as connection:
            return list(connection.execute(ours.order_by(*place(rows_of_tasks))))

    def _first(self) -> Row[Any] | None:
        """Of the first of each lane, the one that is due first."""
        first: dict[str, Row[Any]] = {}
        for task in self.all_tasks():
            if task.state not in FINISHED:
                first.setdefault(task.lane, task)
        return min(first.values(), key=lambda task: (task.state != "queued", task.not_before), default=None)

    def failed(self) -> list[Row[Any]]:
        return [task for task in self.all_tasks() if task.state in ("failed", "dead")]

    def _others_go_on(self) -> None:
        """The worker sleeps past its lease: others do its work, and more. It may have just written that it is done."""
        if self.witness.task:
            self.witness.look(self._as_it_is(self.witness.task.id))
        self.clock.forward(seconds=20)
        self.sweep()
        self.work()

    def time_passes(self, *, hours: int) -> None:
        """And what it brings is done."""
        self.settle()
        self.seen["hours passed"] += hours
        self.clock.forward(hours=hours)
        scheduler.tick(self.ledger, self.harness.context.inbox, self.harness.context.policy, self.clock())
        self.settle()

    def assert_agreed(self) -> None:
        """With what MLflow shows now."""
        self.stirred = False
        shown = {version.version: version.stage for version in self.mlflow.versions(self.model)}
        aliases = dict(self.mlflow.model(self.model).aliases) if shown else {}
        self.witness.assert_agreed(shown, aliases)
