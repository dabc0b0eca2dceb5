"""Compares the holders of targets in MLflow with the record, for `registrar doctor`, and leaves out work under way.

The first comparison asks for all models at once: aliases, the newest version in each stage, and the versions that
changed last (one that came to a stage has changed). Archived versions are not asked for: there may be any number, and
`registrar audit verify` asks for everything. Ledger and MLflow can't be read at the same moment, so a model that seems
to differ is compared again, by itself and the ledger first. It is reported where both comparisons found the same and no
task was running for it.
"""

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from registrar.doctor.ledger_access import open_ledger
from registrar.doctor.registry_snapshot import ModelSnapshot, incarnation, snapshot_model, snapshot_models
from registrar.http.mlflow_server import MlflowServer
from registrar.http.probe import Silence
from registrar.ledger.disputes import disputed
from registrar.ledger.holders import models_held
from registrar.ledger.open_records import Open, open_records
from registrar.ledger.queries.models import stages_ever_held
from registrar.ledger.queries.queue import has_begun_task

AT_ONCE = 8  # questions; MLflow answers others meanwhile
SECONDS = 8.0  # for all models together
AGAIN_AFTER = 1.0  # second: a worker writes to MLflow, and then to the ledger


@dataclass(frozen=True)
class Recorded:
    """A model by the record. held: its targets' holders. stages: those that ever had a holder.

    at_work: a task of it is running, or was begun and is tried again.
    """

    held: Sequence[Open] = ()
    stages: frozenset[str] = frozenset()
    at_work: bool = False


@dataclass(frozen=True)
class Differences:
    """moved, others: sentences by model, about holders that moved, and about versions that are not the record's.

    places: how many were compared. at_work: models that seem to differ and have a running task. left: models that were
    not compared in time. shown: what MLflow has, by model.
    """

    moved: Mapping[str, Sequence[str]]
    others: Mapping[str, Sequence[str]]
    places: int
    at_work: Sequence[str]
    left: Sequence[str]
    shown: Mapping[str, ModelSnapshot]


def differences(ledger_url: str, server: MlflowServer, *, sleep: Callable[[float], None] = time.sleep) -> Differences:
    """Compare all models that the record has holders of. Raises Unopened, and Silence where MLflow answers for none."""
    until = time.monotonic() + SECONDS
    recorded = _load_records(ledger_url)
    known = snapshot_models(server, recorded.keys(), until) if recorded else {}
    before = _Comparison(server, recorded, until, known=known)
    again = _Comparison(server, {}, until)
    if suspects := before.suspects():
        sleep(AGAIN_AFTER)
        again = _Comparison(server, _load_records(ledger_url, suspects), until + SECONDS, also=before)
    at_work = [model for model in again.shown if before.recorded[model].at_work or again.recorded[model].at_work]
    sure = [model for model in again.shown if model not in at_work]
    return Differences(
        moved={model: both for model in sure if (both := _in_both(before.moved(model), again.moved(model)))},
        others={model: both for model in sure if (both := _in_both(before.others(model), again.others(model)))},
        places=sum(len(before.recorded[model].held) for model in before.shown),
        at_work=at_work,
        left=[model for model in before.recorded if model not in before.shown],
        shown={**before.shown, **again.shown},
    )


def _in_both(before: Sequence[str], now: Sequence[str]) -> list[str]:
    return [text for text in now if text in before]


class _Comparison:
    """Compares records with MLflow, as far as it answers in time. Raises Silence where it answers for no model.

    known: what MLflow said of all models at once; a model or holder that is not in it is asked for. also: the
    comparison before, whose versions are asked for again.
    """

    def __init__(
        self,
        server: MlflowServer,
        recorded: Mapping[str, Recorded],
        until: float,
        *,
        known: Mapping[str, ModelSnapshot] | None = None,
        also: "_Comparison | None" = None,
    ) -> None:
        self.recorded, self._server, self._until = recorded, server, until
        self._known, self._also = known or {}, also
        self._silence: Silence | None = None
        with ThreadPoolExecutor(AT_ONCE) as pool:
            found = {model: pool.submit(self._fetch, model) for model in recorded}
        self.shown = {model: seen for model, one in found.items() if (seen := one.result()) is not None}
        if self._silence and not self.shown:
            raise self._silence

    def suspects(self) -> list[str]:
        return [model for model in self.shown if self.moved(model) or self.others(model)]

    def moved(self, model: str) -> list[str]:
        """Return sentences about holders that are elsewhere."""
        return [
            *_describe_missing(model, self.recorded[model], self.shown[model]),
            *_describe_unrecorded(model, self.recorded[model], self.shown[model]),
        ]

    def others(self, model: str) -> list[str]:
        """Return sentences about versions that are not those of the record."""
        return list(_describe_replaced(self.recorded[model], self.shown[model], self._server.root))

    def _fetch(self, model: str) -> ModelSnapshot | None:
        """Return None where MLflow does not answer in time."""
        held = {one.version for one in self.recorded[model].held}
        known = self._known.get(model, ModelSnapshot())
        if model in self._known and held <= known.versions.keys():
            return known
        if time.monotonic() > self._until:
            return None
        seen = self._also.shown[model] if self._also else known
        there = {number for stage in self.recorded[model].stages for number in seen.holders("stage", stage)}
        try:
            return snapshot_model(self._server, model, held | there)
        except Silence as silence:
            self._silence = silence
            return None


def _load_records(ledger_url: str, models: Collection[str] | None = None) -> dict[str, Recorded]:
    """Return records by model, of these models or of all, without those in dispute: these are known to differ."""
    with open_ledger(ledger_url) as ledger, ledger.read() as connection:
        unsettled, stages = set(disputed(connection)), stages_ever_held(connection)
        return {
            model: Recorded(
                [one for one in open_records(connection, model, about=()) if one.kind in ("stage", "alias")],
                stages.get(model, frozenset()),
                has_begun_task(connection, model),
            )
            for model in models_held(connection)
            if model not in unsettled and (models is None or model in models)
        }


def _describe_missing(model: str, recorded: Recorded, shown: ModelSnapshot) -> Iterator[str]:
    for one in recorded.held:
        stage = shown.versions.get(one.version, {}).get("current_stage")
        if one.kind == "alias" and shown.aliases.get(one.key) != one.version:
            yield f"{model} version {one.version} is not @{one.key}"
        if one.kind == "stage" and stage != one.key:
            yield f"{model} version {one.version} is not in {one.key}"


def _describe_unrecorded(model: str, recorded: Recorded, shown: ModelSnapshot) -> Iterator[str]:
    for stage in sorted(recorded.stages):
        by_record = {one.version for one in recorded.held if (one.kind, one.key) == ("stage", stage)}
        beside = ", ".join(f"version {number}" for number in sorted(by_record)) or "nobody"
        for number in sorted(shown.holders("stage", stage) - by_record):
            yield f"{model} version {number} is in {stage}, where the record has {beside}"


def _describe_replaced(recorded: Recorded, shown: ModelSnapshot, root: str) -> Iterator[str]:
    for one in recorded.held:
        there = incarnation(shown.versions.get(one.version, {}), root)
        if there and not one.is_of(there):
            yield f"{there}, is another one than the record has as {one.what}"
