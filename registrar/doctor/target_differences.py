"""Whether MLflow shows the holders of targets that the record has, and the same versions; nobody is accused of what is
under way.

The first look asks for all models at once: who has which alias, the newest version in each stage, and what was changed
last, for whoever came to a stage has changed. What is archived is without number, and not asked for; `registrar audit
verify` asks for everything. Ledger and MLflow can't be read at once. So a model that seems to differ is looked at
again, by itself and the ledger first, and is told where the same was seen twice and no work was under way at it.
"""

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from sqlalchemy import Connection, and_, or_, select

from registrar.doctor.ledger_access import opened
from registrar.doctor.registry_snapshot import Shown, incarnation, of_all, of_one
from registrar.http.mlflow_server import MlflowServer
from registrar.http.probe import Silence
from registrar.ledger.disputes import disputed
from registrar.ledger.holders import models_held
from registrar.ledger.open_records import ARCHIVED, Open, open_records
from registrar.ledger.predicates import RUNNING, is_open
from registrar.ledger.tables import holders, tasks

AT_ONCE = 8  # questions; MLflow answers others meanwhile
SECONDS = 8.0  # for all models together
AGAIN_AFTER = 1.0  # second: a worker writes to MLflow, and then to the ledger


@dataclass(frozen=True)
class Recorded:
    """Of a model. held: its targets' holders. stages: those that it ever had a holder in. at_work: something of it is
    being done, or was begun and is tried again.
    """

    held: Sequence[Open] = ()
    stages: frozenset[str] = frozenset()
    at_work: bool = False


@dataclass(frozen=True)
class Differences:
    """moved, others: by model, sentences: of who is elsewhere, and of versions that are others than the record's.

    places: that were looked at. at_work: models where something seems to differ, and is under way. left: models that
    were not looked at in time. shown: by model.
    """

    moved: Mapping[str, Sequence[str]]
    others: Mapping[str, Sequence[str]]
    places: int
    at_work: Sequence[str]
    left: Sequence[str]
    shown: Mapping[str, Shown]


def differences(ledger_url: str, server: MlflowServer, *, sleep: Callable[[float], None] = time.sleep) -> Differences:
    """Raises Unopened, and Silence where MLflow answers for no model."""
    until = time.monotonic() + SECONDS
    recorded = _recorded(ledger_url)
    before = _Look(server, recorded, until, known=of_all(server, recorded.keys(), until) if recorded else {})
    again = _Look(server, {}, until)
    if suspects := before.suspects():
        sleep(AGAIN_AFTER)
        again = _Look(server, _recorded(ledger_url, suspects), until + SECONDS, also=before)
    at_work = [model for model in again.shown if before.recorded[model].at_work or again.recorded[model].at_work]
    sure = [model for model in again.shown if model not in at_work]
    return Differences(
        moved={model: both for model in sure if (both := _both(before.moved(model), again.moved(model)))},
        others={model: both for model in sure if (both := _both(before.others(model), again.others(model)))},
        places=sum(len(before.recorded[model].held) for model in before.shown),
        at_work=at_work,
        left=[model for model in before.recorded if model not in before.shown],
        shown={**before.shown, **again.shown},
    )


def _both(before: Sequence[str], now: Sequence[str]) -> list[str]:
    return [text for text in now if text in before]


class _Look:
    """One look at the ledger and, after it, at MLflow: at those models that are answered in time. Raises Silence where
    none is.

    known: what MLflow said of all at once; of a model that it lacks, or a holder, MLflow is asked. also: the look
    before this, whose finds are looked at again.
    """

    def __init__(
        self,
        server: MlflowServer,
        recorded: Mapping[str, Recorded],
        until: float,
        *,
        known: Mapping[str, Shown] | None = None,
        also: "_Look | None" = None,
    ) -> None:
        self.recorded, self._server, self._until = recorded, server, until
        self._known, self._also = known or {}, also
        self._silence: Silence | None = None
        with ThreadPoolExecutor(AT_ONCE) as pool:
            found = {model: pool.submit(self._shown, model) for model in recorded}
        self.shown = {model: seen for model, one in found.items() if (seen := one.result()) is not None}
        if self._silence and not self.shown:
            raise self._silence

    def suspects(self) -> list[str]:
        return [model for model in self.shown if self.moved(model) or self.others(model)]

    def moved(self, model: str) -> list[str]:
        """Sentences: who is elsewhere."""
        return [
            *_gone(model, self.recorded[model], self.shown[model]),
            *_came(model, self.recorded[model], self.shown[model]),
        ]

    def others(self, model: str) -> list[str]:
        """Sentences: which versions are others than the record's."""
        return list(_others(self.recorded[model], self.shown[model], self._server.root))

    def _shown(self, model: str) -> Shown | None:
        """None: it was not answered in time."""
        held = {one.version for one in self.recorded[model].held}
        known = self._known.get(model, Shown())
        if model in self._known and held <= known.versions.keys():
            return known
        if time.monotonic() > self._until:
            return None
        seen = self._also.shown[model] if self._also else known
        there = {
            number for number, one in seen.versions.items() if one.get("current_stage") in self.recorded[model].stages
        }
        try:
            return of_one(self._server, model, held | there)
        except Silence as silence:
            self._silence = silence
            return None


def _recorded(ledger_url: str, models: Collection[str] | None = None) -> dict[str, Recorded]:
    """By model, of these or of all; without those in dispute, of which it is known that they differ."""
    with opened(ledger_url) as ledger, ledger.read() as connection:
        unsettled, stages = set(disputed(connection)), _stages(connection)
        return {
            model: Recorded(
                [one for one in open_records(connection, model, about=()) if one.kind in ("stage", "alias")],
                stages.get(model, frozenset()),
                _at_work(connection, model),
            )
            for model in models_held(connection)
            if model not in unsettled and (models is None or model in models)
        }


def _stages(connection: Connection) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    wanted = and_(holders.c.kind == "stage", holders.c.key != ARCHIVED)
    for model, stage in connection.execute(select(holders.c.model, holders.c.key).where(wanted).distinct()):
        found.setdefault(model, set()).add(stage)
    return {model: frozenset(stages) for model, stages in found.items()}


def _at_work(connection: Connection, model: str) -> bool:
    begun = or_(tasks.c.state == RUNNING, tasks.c.attempts > 0)
    query = select(tasks.c.seq).where(tasks.c.lane == f"model:{model}", is_open(), begun).limit(1)
    return connection.execute(query).first() is not None


def _gone(model: str, recorded: Recorded, shown: Shown) -> Iterator[str]:
    for one in recorded.held:
        stage = shown.versions.get(one.version, {}).get("current_stage")
        if one.kind == "alias" and shown.aliases.get(one.key) != one.version:
            yield f"{model} version {one.version} is not @{one.key}"
        if one.kind == "stage" and stage != one.key:
            yield f"{model} version {one.version} is not in {one.key}"


def _came(model: str, recorded: Recorded, shown: Shown) -> Iterator[str]:
    for stage in sorted(recorded.stages):
        there = {number for number, one in shown.versions.items() if one.get("current_stage") == stage}
        by_record = {one.version for one in recorded.held if (one.kind, one.key) == ("stage", stage)}
        beside = ", ".join(f"version {number}" for number in sorted(by_record)) or "nobody"
        for number in sorted(there - by_record):
            yield f"{model} version {number} is in {stage}, where the record has {beside}"


def _others(recorded: Recorded, shown: Shown, root: str) -> Iterator[str]:
    for one in recorded.held:
        there = incarnation(shown.versions.get(one.version, {}), root)
        if there and not one.is_of(there):
            yield f"{there}, is another one than the record has as {one.what}"
