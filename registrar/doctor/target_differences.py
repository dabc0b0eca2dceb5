"""Compares the holders of targets in MLflow with the record, for `registrar doctor`, except where tasks are running.

The first comparison requests all models at once: aliases, the newest version in each stage, and the versions that
changed last (entering a stage is a change). Archived versions are left to `registrar audit verify`, because there may
be any number. The ledger and MLflow can't be read at the same moment, so a model that seems to differ is compared a
second time, ledger first. It is reported if both comparisons found the same difference and no task was running for it.
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

AT_ONCE = 8  # requests; more would slow MLflow down for others
SECONDS = 8.0  # for all models together
AGAIN_AFTER = 1.0  # second, between a worker's write to MLflow and its write to the ledger


@dataclass(frozen=True)
class Recorded:
    """A model in the record. held: the holders of its targets. stages: all that ever had a holder.

    at_work: one of its tasks is running or waits for a retry.
    """

    held: Sequence[Open] = ()
    stages: frozenset[str] = frozenset()
    at_work: bool = False


@dataclass(frozen=True)
class Differences:
    """moved, others: sentences by model, about holders that moved, and about versions that the record does not mean.

    holdings: how many were compared. at_work: models that seem to differ and have a running task. left: models that
    were not compared in time. shown: MLflow's models, by name.
    """

    moved: Mapping[str, Sequence[str]]
    others: Mapping[str, Sequence[str]]
    holdings: int
    at_work: Sequence[str]
    left: Sequence[str]
    shown: Mapping[str, ModelSnapshot]


def differences(ledger_url: str, server: MlflowServer, *, sleep: Callable[[float], None] = time.sleep) -> Differences:
    """Compare all models that have a holder in the record.

    Raises LedgerNotReadable, and Silence where MLflow answers for no model.
    """
    until = time.monotonic() + SECONDS
    recorded = _load_records(ledger_url)
    known = snapshot_models(server, recorded.keys(), until) if recorded else {}
    first = _Comparison(server, recorded, until, known=known)
    second = _Comparison(server, {}, until)
    if suspects := first.suspects():
        sleep(AGAIN_AFTER)
        second = _Comparison(server, _load_records(ledger_url, suspects), until + SECONDS, previous=first)
    at_work = [model for model in second.shown if first.recorded[model].at_work or second.recorded[model].at_work]
    sure = [model for model in second.shown if model not in at_work]
    return Differences(
        moved={model: both for model in sure if (both := _in_both(first.moved(model), second.moved(model)))},
        others={model: both for model in sure if (both := _in_both(first.others(model), second.others(model)))},
        holdings=sum(len(first.recorded[model].held) for model in first.shown),
        at_work=at_work,
        left=[model for model in first.recorded if model not in first.shown],
        shown={**first.shown, **second.shown},
    )


def _in_both(first: Sequence[str], second: Sequence[str]) -> list[str]:
    return [sentence for sentence in second if sentence in first]


class _Comparison:
    """Compares records with MLflow, as far as it answers in time. Raises Silence where it answers for no model.

    known: snapshots from the search of all models; other models and holders are requested one by one. previous: the
    first comparison, whose versions are requested again.
    """

    def __init__(
        self,
        server: MlflowServer,
        recorded: Mapping[str, Recorded],
        until: float,
        *,
        known: Mapping[str, ModelSnapshot] | None = None,
        previous: "_Comparison | None" = None,
    ) -> None:
        self.recorded, self._server, self._until = recorded, server, until
        self._known, self._previous = known or {}, previous
        self._silence: Silence | None = None
        with ThreadPoolExecutor(AT_ONCE) as pool:
            fetched = {model: pool.submit(self._fetch, model) for model in recorded}
        self.shown = {model: shown for model, future in fetched.items() if (shown := future.result()) is not None}
        if self._silence and not self.shown:
            raise self._silence

    def suspects(self) -> list[str]:
        return [model for model in self.shown if self.moved(model) or self.others(model)]

    def moved(self, model: str) -> list[str]:
        """Return sentences about holders that moved."""
        return [
            *_describe_missing(model, self.recorded[model], self.shown[model]),
            *_describe_unrecorded(model, self.recorded[model], self.shown[model]),
        ]

    def others(self, model: str) -> list[str]:
        """Return sentences about versions that the record does not mean."""
        return list(_describe_replaced(self.recorded[model], self.shown[model], self._server.root))

    def _fetch(self, model: str) -> ModelSnapshot | None:
        """Return None where MLflow does not answer in time."""
        held = {holding.version for holding in self.recorded[model].held}
        known = self._known.get(model, ModelSnapshot())
        if model in self._known and held <= known.versions.keys():
            return known
        if time.monotonic() > self._until:
            return None
        shown = self._previous.shown[model] if self._previous else known
        in_stages = {number for stage in self.recorded[model].stages for number in shown.holders("stage", stage)}
        try:
            return snapshot_model(self._server, model, held | in_stages)
        except Silence as silence:
            self._silence = silence
            return None


def _load_records(ledger_url: str, models: Collection[str] | None = None) -> dict[str, Recorded]:
    """Return the records of these models, or of all, without disputed models: those are known to differ."""
    with open_ledger(ledger_url) as ledger, ledger.read() as connection:
        unsettled, stages = set(disputed(connection)), stages_ever_held(connection)
        return {
            model: Recorded(
                [record for record in open_records(connection, model, about=()) if record.kind in ("stage", "alias")],
                stages.get(model, frozenset()),
                has_begun_task(connection, model),
            )
            for model in models_held(connection)
            if model not in unsettled and (models is None or model in models)
        }


def _describe_missing(model: str, recorded: Recorded, shown: ModelSnapshot) -> Iterator[str]:
    for holding in recorded.held:
        stage = shown.versions.get(holding.version, {}).get("current_stage")
        if holding.kind == "alias" and shown.aliases.get(holding.key) != holding.version:
            yield f"{model} version {holding.version} is not @{holding.key}"
        if holding.kind == "stage" and stage != holding.key:
            yield f"{model} version {holding.version} is not in {holding.key}"


def _describe_unrecorded(model: str, recorded: Recorded, shown: ModelSnapshot) -> Iterator[str]:
    for stage in sorted(recorded.stages):
        by_record = {holding.version for holding in recorded.held if (holding.kind, holding.key) == ("stage", stage)}
        expected = ", ".join(f"version {number}" for number in sorted(by_record)) or "no version"
        for number in sorted(shown.holders("stage", stage) - by_record):
            yield f"{model} version {number} is in {stage}, where the record has {expected}"


def _describe_replaced(recorded: Recorded, shown: ModelSnapshot, root: str) -> Iterator[str]:
    for holding in recorded.held:
        current = incarnation(shown.versions.get(holding.version, {}), root)
        if current and not holding.is_of(current):
            yield f"{current}, is another one than the record has as {holding.what}"
