"""What MLflow should show, from what was written there: by the worker through its door, and by hand."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from mlflow import MlflowClient

from tests.mlflow_server import train, train_logged_model
from tests.slow.promotions.rules import ACCOUNTS, ALIASES
from worker.registry.entities import Version

RMSES = [3.0, 4.0, 6.0, 9.0]
USERS = ["ada.l", "dan"]


class Runs:
    """A few real runs, made once and used by every example; their metric changes."""

    def __init__(self, client: MlflowClient, count: int = 6) -> None:
        self._client = client
        self.users = [USERS[number % len(USERS)] for number in range(count)]
        # Reading the digest of a model of MLflow 2 takes several calls: two of these are enough.
        made = [train, train, *[train_logged_model] * (count - 2)]
        self.ids = [
            how(client, experiment="machine", rmse=RMSES[0], user=user)
            for how, user in zip(reversed(made), self.users, strict=True)
        ]
        self.rmse = dict.fromkeys(self.ids, RMSES[0])
        self.files = dict.fromkeys(self.ids, 0)
        self._steps = 0

    def measure(self, run: str, rmse: float) -> None:
        """The newest step is what MLflow shows as the metric."""
        if self.rmse[run] != rmse:
            self._steps += 1
            self._client.log_metric(run, "rmse", rmse, step=self._steps)
            self.rmse[run] = rmse

    def judge(self, model: str, version: int, rmse: float, at: datetime) -> str:
        """A run that evaluated a version, and says so; its id."""
        experiment = self._client.get_run(self.ids[0]).info.experiment_id
        tags, began = {"evaluated_model": f"models:/{model}/{version}"}, int(at.timestamp() * 1000)
        run = str(self._client.create_run(experiment, start_time=began, tags=tags).info.run_id)
        self._client.log_metric(run, "rmse", rmse, step=0)
        self._client.set_terminated(run)
        self.rmse[run] = rmse
        return run

    def overwrite(self, run: str) -> None:
        """A file of the model that this run logged, by another of the same size."""
        self.files[run] += 1
        outputs = self._client.get_run(run).outputs.model_outputs
        if not outputs:
            self._client.log_text(run, f"{self.files[run]:07}", "model/data/weights.txt")
            return
        logged = self._client.get_logged_model(outputs[0].model_id)
        Path(logged.artifact_location.removeprefix("file://"), "MLmodel").write_text(f"flavors: {self.files[run]:07}\n")

    def registrant(self, run: str) -> str:
        """Who registered a version by hand, as MLflow has it."""
        return self.author(run) or f"mlflow:{self.users[self.ids.index(run)]}"

    def author(self, run: str) -> str | None:
        return ACCOUNTS.get(self.users[self.ids.index(run)])


@dataclass
class World:
    """One model. extra: by target, who holds it with nobody's claim that it be alone there: put there by hand, or while
    the policy took any number. ever: by target, who has ever held it, or its alias. since: when a version came to where
    it is. touched: by somebody's hand, so that the record may not know since when. tagged: as quarantined, by hand.
    evaluated: the run that an accepted event named last, and which of the events posted that was. came: by hand, while
    a task was being done. made: when MLflow made what was taken in.
    """

    clock: Callable[[], datetime]
    stages: dict[int, str] = field(default_factory=dict)
    aliases: dict[str, int] = field(default_factory=dict)
    runs: dict[int, str] = field(default_factory=dict)
    quarantined: set[int] = field(default_factory=set)
    tagged: set[int] = field(default_factory=set)
    evaluated: dict[int, tuple[int, str]] = field(default_factory=dict)
    came: set[int] = field(default_factory=set)
    since: dict[int, datetime] = field(default_factory=dict)
    touched: set[int] = field(default_factory=set)
    made: dict[int, str] = field(default_factory=dict)
    extra: dict[str, set[int]] = field(default_factory=lambda: {target: set() for target in ALIASES})
    ever: dict[str, set[int]] = field(default_factory=lambda: {target: set() for target in ALIASES})

    def wrote(self, call: str, *given: Any, came: Any) -> None:
        """A call through the door, done."""
        match call, given:
            case "create_version", _:
                self.created(came)
            case "set_stage", (_, number, stage):
                self.moved(number, stage)
            case "set_alias", (_, alias, number):
                self.named(alias, number)
            case "drop_alias", (_, alias):
                self.aliases.pop(alias, None)
            case "set_tag", (_, number, "registrar.quarantined", _):
                self.quarantined.add(number)
            case "take_back", (_, number):
                self.deleted(number)
            case "drop_tag", (_, number, "registrar.quarantined"):
                self.quarantined.discard(number)
                self.tagged.discard(number)

    @property
    def held(self) -> set[int]:
        """Who goes nowhere: rolled back, or marked so by hand."""
        return self.quarantined | self.tagged

    def created(self, version: Version) -> None:
        self.made.pop(version.version, None)
        self.stages[version.version] = version.stage
        self.runs[version.version] = version.run_id or ""

    def named(self, alias: str, number: int) -> None:
        self.aliases[alias] = number
        for target, own in ALIASES.items():
            if alias == own:
                self.ever[target].add(number)
                self.since[number] = self.clock()

    def aliases_of(self, number: int) -> list[str]:
        return [alias for alias, holder in self.aliases.items() if holder == number]

    def moved(self, number: int, stage: str) -> None:
        self.stages[number] = stage
        self.since[number] = self.clock()
        for target in ALIASES:
            self.extra[target].discard(number)
        if stage in self.ever:
            self.ever[stage].add(number)

    def moved_by_hand(self, number: int, stage: str) -> None:
        self.moved(number, stage)
        self.touched.add(number)
        self.came.add(number)
        if stage in self.extra:
            self.extra[stage].add(number)

    def deleted(self, number: int) -> None:
        del self.stages[number]
        self.aliases = {alias: holder for alias, holder in self.aliases.items() if holder != number}
        for target in ALIASES:
            self.extra[target].discard(number)

    def holders(self, target: str) -> set[int]:
        return {number for number, stage in self.stages.items() if stage == target}

    def taken(self, target: str, *, exclusive: bool) -> None:
        """A version took it by its policy: where that says alone, whoever else is there must leave."""
        self.extra[target] = self.came & self.holders(target) if exclusive else self.holders(target)

    def begun_anew(self) -> None:
        """The model was deleted, and all that it had: numbers begin at 1 again."""
        self.stages, self.aliases, self.runs, self.since, self.evaluated = {}, {}, {}, {}, {}
        self.quarantined, self.tagged, self.touched, self.made = set(), set(), set(), {}
        self.extra = {target: set() for target in ALIASES}
        self.ever = {target: set() for target in ALIASES}
