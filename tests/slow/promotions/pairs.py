"""Two acts at once on a copy of a state: two workers, each a thread with doors of its own, on a real ledger and MLflow.

A state is brought about once, by the worker itself. Its ledger is copied for each pair, and its rows of MLflow's
database are put back.
"""

import sqlite3
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from sqlalchemy import select

from registrar.broker.task_message import TaskMessage
from registrar.events.event import Actor
from registrar.ledger import Ledger, LedgerUnavailable, act_subjects
from registrar.ledger import tasks as tasks_of
from registrar.ledger.holders import held_now
from registrar.ledger.journal.verify import verify
from registrar.ledger.promotions import Promotion
from registrar.ledger.tables import deployments, events, promotions, tasks, votes
from registrar.ledger.version_state import Key, current, states
from tests.mlflow_server import train_logged_model
from tests.slow.promotions.lifecycle import CANDIDATE, STATES, World
from tests.slow.promotions.mlflow_in_process import DATABASE, RegistryInProcess
from tests.worker.harness import CI, WorkerHarness
from worker import scheduler
from worker.registry.protocol import PermanentError, Registry

ADA, BOB, CYD, EVE = (Actor(name, name.title()) for name in ("ada", "bob", "cyd", "eve"))
SETTLED = 30.0  # seconds; what is not done by then never will be
WRITES = ("set_stage", "set_alias", "drop_alias", "set_description", "set_tag", "drop_tag")
_OF_A_VERSION = ("model_versions", "model_version_tags", "registered_model_aliases")
POLICY = """
version: 1
sources: {ci: {kind: standard, secrets: [env:CI], may: [{events: ["*"], models: ["*"]}]}}
people: {ada: {name: Ada}, bob: {name: Bob}, cyd: {name: Cyd}, eve: {name: Eve}}
groups: {leads: [ada, bob, cyd], guard: [eve]}
channels: {log: {kind: log}}
models:
  "*":
    drift: revert
    targets:
      - stage: Staging
        alias: challenger
        from: [None, Archived]
        gates: [{metric: rmse, op: "<", threshold: 7}]
        approval: automatic
      - stage: Production
        alias: champion
        gates: [GATES]
        approval:
          rules: [{group: leads, required_approvals: 2}]
          expires_after: 3h
          break_glass: {group: guard}
        deploy: {to: [log], environment: live, confirm_within: 1h, on_failure: rollback}
"""
GATES = {"waiting": "{soak: 2h}", "approved": "{max_per_day: 1}"}

_IT = {"version": CANDIDATE}
EVENTS: Mapping[str, tuple[str, Actor, dict[str, Any]]] = {
    "approve": ("promotion.approve", BOB, _IT),
    "reject": ("promotion.reject", ADA, _IT),
    "cancel": ("promotion.cancel", ADA, _IT),
    "break the glass": ("promotion.approve", EVE, {**_IT, "break_glass": True, "reason": "urgent"}),
    "roll back": ("model.rollback", ADA, {"reason": "wrong fares"}),
    "evaluation finished": ("evaluation_run.finished", CI, _IT),
    "deployment succeeded": ("deployment.succeeded", CI, {**_IT, "environment": "live"}),
    "deployment failed": ("deployment.failed", CI, {**_IT, "environment": "live"}),
    "archive": ("model_version.archive", ADA, _IT),
    "describe": ("model_version.describe", CI, {**_IT, "description": "hm", "tags": {"team": "fares"}}),
    "lift": ("quarantine.lift", ADA, {**_IT, "reason": "it was the network"}),
    "transition to Production": ("model_version.transition", CI, {**_IT, "stage": "Production"}),
    "transition to Staging": ("model_version.transition", ADA, {**_IT, "stage": "Staging"}),
    "transition to None": ("model_version.transition", ADA, {**_IT, "stage": "None"}),
}


def policy(state: str, *, changed: bool = False) -> str:
    gates = [GATES[state]] if state in GATES else []
    gates += ['{metric: rmse, op: "<", threshold: 6}'] if changed else []
    return POLICY.replace("GATES", ", ".join(gates))


class Door:
    """A registry of which the next call may fail, and before whose next write something may be done."""

    def __init__(self, inner: RegistryInProcess, trouble: "Trouble") -> None:
        self._inner, self._trouble = inner, trouble

    def guarded(self, before_write: Callable[[], None]) -> Registry:
        view: Any = Door(self._inner.guarded(before_write), self._trouble)
        return view

    def __getattr__(self, call: str) -> Callable[..., Any]:
        self._trouble.strikes(call)
        found: Callable[..., Any] = getattr(self._inner, call)
        return found


@dataclass
class Trouble:
    """fails: the next call does. first_write: what comes right before the next write, once."""

    fails: bool = False
    first_write: Callable[[], None] | None = None
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def strikes(self, call: str) -> None:
        if self.fails:
            self.fails = False
            raise PermanentError("MLflow refuses that")
        if call in WRITES and (do := self.taken()):
            do()

    def taken(self) -> Callable[[], None] | None:
        """What was to come, unless it has: to one of two threads."""
        with self._turn:
            due, self.first_write = self.first_write, None
        return due


class Side:
    """One worker."""

    def __init__(self, scene: "Scene", url: str, *, ahead: timedelta) -> None:
        self.scene, self.ledger = scene, Ledger(url)
        self.trouble = Trouble()
        self.registry = RegistryInProcess(scene.uri, client=scene.client, search_sizes=(1, 5))
        door: Any = Door(self.registry, self.trouble)
        self.harness = WorkerHarness(self.ledger, scene.folder, door, policy(scene.state))
        self.harness.jump(ahead)

    def accept(self, type_: str, *, by: Actor = CI, **data: Any) -> str:
        return self.harness.accept(type_, by=by, model=self.scene.model, **data)

    def post(self, type_: str, *, by: Actor = CI, **data: Any) -> None:
        self.accept(type_, by=by, **data)
        self.harness.work()

    def hear(self, task_messages: list[TaskMessage]) -> None:
        for task_message in task_messages:
            with suppress(LedgerUnavailable):  # Celery drops the message, and the sweep rings again
                self.harness.run(task_message)

    def tick(self) -> None:
        scheduler.tick(self.ledger, self.harness.context.inbox, self.harness.context.policy, self.harness.now())

    def earlier(self, type_: str, state: str) -> tuple[str, str]:
        """The last event of a type, and its first task."""
        joined = select(events.c.id, tasks.c.id).join(tasks, tasks.c.event_id == events.c.id)
        which = joined.where(events.c.type == type_, tasks.c.state == state).order_by(tasks.c.seq.desc())
        with self.ledger.read() as connection:
            found = connection.execute(which).first()
        assert found, f"no {type_} has {state}"
        return found[0], found[1]


@dataclass
class Scene:
    """One state of one model, to be come back to. ahead: of real time, when it was reached."""

    state: str
    folder: Path
    uri: str
    client: MlflowClient
    runs: list[str]
    ahead: timedelta = timedelta()
    saved: dict[str, list[tuple[Any, ...]]] = field(default_factory=dict)

    @property
    def model(self) -> str:
        return f"taxi-{self.state.replace(' ', '-')}"

    def make(self, url: str) -> None:
        """In the ledger of that address, migrated and empty."""
        side = Side(self, url, ahead=timedelta())
        with closing(side.ledger):
            self._make(side)
            self.ahead = side.harness._ahead
        self.saved = {table: self._rows(table) for table in _OF_A_VERSION}

    def _make(self, side: Side) -> None:
        for version in (1, 2):
            side.harness.jump(timedelta(hours=25))
            self._promoted(side, version)
            side.post("deployment.succeeded", version=version, environment="live")
        side.harness.jump(timedelta(hours=1 if self.state == "approved" else 25))
        if self.state in ("promoted", "rolled back"):
            self._promoted(side, 3)
        else:
            side.post("training_run.finished", run_id=self.runs[2])
        self._evaluated()
        self._further(side)

    def _evaluated(self) -> None:
        """The run that says it evaluated this model's candidate."""
        run = train_logged_model(self.client, rmse=5.0)
        self.client.set_tag(run, "evaluated_model", f"models:/{self.model}/{CANDIDATE}")
        self.runs = [*self.runs[:3], run]

    def _promoted(self, side: Side, version: int) -> None:
        side.post("training_run.finished", run_id=self.runs[version - 1])
        side.post("promotion.approve", by=EVE, version=version, reason="to begin with", break_glass=True)

    def _further(self, side: Side) -> None:
        match self.state:
            case "awaiting approval":
                side.post("promotion.approve", by=ADA, version=3)
                self._failing(side, "promotion.approve", by=BOB, version=3)
            case "waiting":
                self._failing(side, "promotion.approve", by=EVE, version=3, reason="now", break_glass=True)
            case "approved":
                side.post("promotion.approve", by=ADA, version=3)
                side.post("promotion.approve", by=BOB, version=3)
                self._failing(side, "promotion.approve", by=EVE, version=3, reason="now", break_glass=True)
            case "promoted":
                self._failing(side, "model.rollback", by=ADA, reason="bad fares")
            case "rolled back":
                side.post("deployment.failed", version=3, environment="live")
                side.post("promotion.request", by=ADA, version=3, target="Production")
                self._failing(side, "quarantine.lift", by=BOB, version=3, reason="it was the network")

    def _failing(self, side: Side, type_: str, **data: Any) -> None:
        side.trouble.fails = True
        side.post(type_, **data)
        side.trouble.fails = False
        side.earlier(type_, "failed")

    def _rows(self, table: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.folder / DATABASE)) as database:
            return database.execute(f"SELECT * FROM {table} WHERE name = ?", (self.model,)).fetchall()  # noqa: S608 (names of ours)

    def restore(self) -> None:
        """What MLflow has of the model, as it was."""
        with closing(sqlite3.connect(self.folder / DATABASE, timeout=30)) as database, database:
            for table in reversed(_OF_A_VERSION):
                database.execute(f"DELETE FROM {table} WHERE name = ?", (self.model,))  # noqa: S608 (names of ours)
            for table, rows in self.saved.items():
                for row in rows:
                    places = ", ".join("?" * len(row))
                    database.execute(f"INSERT INTO {table} VALUES ({places})", row)  # noqa: S608 (names of ours)


class Pair:
    """Two acts of a state, at once. first, then: their names."""

    def __init__(self, scene: Scene, url: str, first: str, then: str) -> None:
        self.scene, self.first, self.then = scene, first, then
        state = STATES[scene.state]
        self.late = "clock" in (first, then)
        ahead = scene.ahead + timedelta(hours=state.late if self.late else 0)
        self.sides = [Side(scene, url, ahead=ahead) for _ in range(2)]
        self.acts = state.acts

    def close(self) -> None:
        for side in self.sides:
            side.ledger.close()

    def run(self, *, between: bool) -> None:
        """between: the second comes right before the first's first write to MLflow, if it writes."""
        one, other = self.sides
        if between and not self.acts[self.first].outside:
            once = threading.Lock()
            one.trouble.first_write = other.trouble.first_write = self._once(once, lambda: self.do(other, self.then))
            self.do(one, self.first)
            self._work()
            if late := one.trouble.taken():
                late()
        else:
            self.do(one, self.first)
            self.do(other, self.then)
        self._work()
        if "move by hand" in (self.first, self.then):
            one.accept("registry.reconcile", by=ADA)
            self._work()

    def _once(self, lock: threading.Lock, what: Callable[[], None]) -> Callable[[], None]:
        def do() -> None:
            if lock.acquire(blocking=False):
                what()

        return do

    def do(self, side: Side, name: str) -> None:
        match name:
            case "move by hand":
                side.registry.set_stage(self.scene.model, self.acts[name].version, "Production")
            case "policy change":
                for each in self.sides:
                    each.harness.policy(policy(self.scene.state, changed=True))
            case "clock":
                side.tick()
            case "retry":
                self._retry(side)
            case "replay":
                self._replay(side)
            case _:
                type_, by, data = EVENTS[name]
                runs = {"run_id": self.scene.runs[3]} if type_ == "evaluation_run.finished" else {}
                side.accept(type_, by=by, **data, **runs)

    def _retry(self, side: Side) -> None:
        types = {"promoted": "model.rollback", "rolled back": "quarantine.lift"}
        _, task = side.earlier(types.get(self.scene.state, "promotion.approve"), "failed")
        side.accept("task.retry", by=CYD, task_id=task)

    def _replay(self, side: Side) -> None:
        said = {"rolled back": ("promotion.request", "refused")}  # it was quarantined by then
        event, _ = side.earlier(*said.get(self.scene.state, ("promotion.approve", "succeeded")))
        side.accept("event.replay", by=CYD, event_id=event)

    def _work(self) -> None:
        """Both workers, until nothing is open; what is to be tried again is, at its time."""
        until = time.monotonic() + SETTLED
        while self._open():
            assert time.monotonic() < until, "never done"
            with ThreadPoolExecutor(2) as threads:
                list(threads.map(self._hear_all, self.sides))
            if self._open():
                for side in self.sides:
                    side.harness.jump(timedelta(seconds=61))

    def _hear_all(self, side: Side) -> None:
        """Until nothing is due. What the other has in hand is waited for."""
        while task_messages := side.harness.due():
            before = len(task_messages)
            side.hear(task_messages)
            if len(side.harness.due()) == before:
                time.sleep(0.02)

    def _open(self) -> int:
        with self.sides[0].ledger.read() as connection:
            return tasks_of.unfinished(connection)

    # What came of it.
    def end(self) -> Mapping[str, Any]:
        model, side = self.scene.model, self.sides[0]
        ours = promotions.c.model == model, promotions.c.version == CANDIDATE, promotions.c.target == "Production"
        shown = {one.version: one for one in side.registry.versions(model)}
        with side.ledger.read() as connection:
            asked = connection.execute(select(promotions).where(*ours).order_by(promotions.c.created_at)).all()
            deployed = select(deployments.c.state).where(
                deployments.c.model == model, deployments.c.version == CANDIDATE
            )
            found = states(connection, model)
            return {
                "promotion": asked[-1].state.replace("_", " "),
                "request": len(asked),
                "deployment": (connection.execute(deployed).scalars().all() or ["none"])[-1].replace("_", " "),
                "place": tuple(shown[number].stage for number in sorted(shown)),
                "quarantined": frozenset(
                    number for number, one in shown.items() if Key.QUARANTINED in current(found, number, one.created_at)
                ),
            }

    def assert_sound(self) -> None:
        """One holder in the record and in MLflow, nothing quarantined in a target, each vote for what was shown."""
        model, side = self.scene.model, self.sides[0]
        end = self.end()
        aliases = dict(side.registry.model(model).aliases)
        with side.ledger.read() as connection:
            stages = [(one.key, one.version) for one in held_now(connection, model, "stage")]
            recorded = {one.key: one.version for one in held_now(connection, model, "alias")}
            votes_ = connection.execute(self._votes()).all()
        with side.ledger.read() as connection:
            verify(connection)
        places = {(place, number) for number, place in enumerate(end["place"], 1) if place != "None"}
        assert sorted(stages) == sorted(places), f"the record has {stages}, MLflow {places}"
        assert recorded == aliases, f"the record has {recorded}, MLflow {aliases}"
        for target in ("Staging", "Production"):
            holders = {number for place, number in places if place == target}
            assert len(holders) < 2, f"{target} has {holders}"
            assert not holders & end["quarantined"], f"{holders} of {target} is quarantined"
        for vote in votes_:
            shown = vote.args[act_subjects.KEY]
            promotion = Promotion(**{name: vote._mapping[name] for name in Promotion.__dataclass_fields__})
            assert shown["promotion"] == vote.promotion_id, f"the vote of {vote.event_id} counts for another request"
            assert shown["evidence"] == promotion.digest, f"the vote of {vote.event_id} counts for other evidence"

    def _votes(self) -> Any:
        joined = votes.join(tasks, votes.c.event_id == tasks.c.event_id)
        joined = joined.join(promotions, promotions.c.id == votes.c.promotion_id)
        columns = (votes.c.event_id.label("vote_event"), votes.c.promotion_id, tasks.c.args, *promotions.c)
        return select(*columns).select_from(joined).where(votes.c.counted, tasks.c.name == "worker.vote")


def expected(end: World) -> dict[str, Any]:
    """Of a world of the model, what can be seen."""
    names = ("promotion", "request", "deployment", "place", "quarantined")
    return {name: getattr(end, name) for name in names}
