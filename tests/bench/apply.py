"""From events to versions, beside a plain loop of the same calls to MLflow; and which pool, how many at a time.

The plain loop asks through the same client, from as many threads: it has no queue, no record and no order, and what it
is in the middle of when it dies is lost. Runs are ready before, with a model each; every one is registered once.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import TypeAlias

from registrar.local import services as usual
from tests.bench import processes
from tests.bench.installation import WITHOUT_WORKER, Installation, installation
from tests.bench.load import LoadError
from tests.bench.machine import ROOT
from tests.bench.options import Options
from tests.bench.prepared import Prepared, prepared
from tests.bench.result import Cell, Plot, Result, Table, Target
from tests.bench.rounds import Figures, alternate, medians, ratio
from tests.postgres_server import serve as serve_postgres
from worker.app import CONCURRENCY
from worker.registry.mlflow import MlflowRegistry, configure_client

TITLE = "Applying: runs registered a second by events that wait; and from one POST to its version"
EVENTS, MODELS = 100, 100
ALONE = 20  # posted one after another
TYPE, TASK = "training_run.finished", "worker.register"
POOLS = (("threads", 1), ("threads", 2), ("threads", 4), ("threads", 8), ("prefork", 2), ("prefork", 4))
AT_LEAST, WITHIN = 0.9, 150.0  # times; ms
COLUMNS = ("events/s", "CPU ms/event", "memory MB", "one alone, p50 ms")
_LOOP = "plain loop"
_DESCRIPTION = "registered from run {0} ({0}) by ci"  # and tags, as ours: they are in the same call
_TAGS = ("registrar.run", "registrar.event", "registrar.task", "registrar.by", "registrar.commit")
Pairs: TypeAlias = Sequence[tuple[str, str]]  # a registered model and a run each


@dataclass(frozen=True)
class Case:
    """who: the plain loop, or the ledger."""

    who: str
    pool: str
    at_once: int


@dataclass(frozen=True)
class Place:
    """What all cases share. ours: by ledger."""

    mlflow: Prepared
    models: Sequence[str]
    ours: Mapping[str, Installation]

    def pairs(self, count: int) -> Pairs:
        """New runs, spread over the models."""
        runs = self.mlflow.runs(count)
        return [(self.models[number % len(self.models)], run) for number, run in enumerate(runs)]


def measure(options: Options) -> Result:
    with tempfile.TemporaryDirectory() as folder, prepared(Path(folder)) as mlflow:
        return compare(mlflow, options)


def compare(mlflow: Prepared, options: Options) -> Result:
    configure_client()
    count = options.events or EVENTS
    every = list(cases(options))
    with ExitStack() as stack:
        ours = {}
        for name in options.ledgers:
            cluster = stack.enter_context(serve_postgres(durable=True)) if name == "postgresql" else None
            ours[name] = stack.enter_context(installation(mlflow.address, cluster=cluster, parts=WITHOUT_WORKER))
        place = Place(mlflow, mlflow.models("model", MODELS), ours)
        found = dict(
            zip(every, alternate(every, options.rounds, lambda case: once(place, case, count=count)), strict=True)
        )
    return Result(
        Table(("who", "pool", "at a time", *COLUMNS[:1], "of the loop's", *COLUMNS[1:]), list(_rows(found))),
        targets=[target for name in options.ledgers for target in _targets(name, found)],
        plots=[_plot(found, options.ledgers[0])],
        rounds={f"{case.who}, {case.pool} {case.at_once}": rounds for case, rounds in found.items()},
    )


def cases(options: Options) -> Iterator[Case]:
    """The loop as often at a time as any of ours; all pools on one ledger, the one in use on the others."""
    numbers = sorted({at_once for _, at_once in POOLS} | {1, CONCURRENCY})
    yield from (Case(_LOOP, "threads", at_once) for at_once in numbers)
    yield from (Case(options.ledgers[0], pool, at_once) for pool, at_once in POOLS)
    yield from (Case(name, "threads", CONCURRENCY) for name in options.ledgers[1:])


def once(place: Place, case: Case, *, count: int) -> Figures:
    """Raises LoadError where a run did not become a version."""
    many, single = place.pairs(count), place.pairs(ALONE)
    figures = _loop(place, case, many, single) if case.who == _LOOP else _ours(place, case, many, single)
    _check(place, [*many, *single])
    return figures


def _loop(place: Place, case: Case, many: Pairs, single: Pairs) -> Figures:
    registry = MlflowRegistry(place.mlflow.address)
    begun, cpu = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(case.at_once) as threads:
        list(threads.map(lambda pair: register(registry, *pair), many))
    seconds, used = time.perf_counter() - begun, time.process_time() - cpu
    alone = [_timed(lambda pair=pair: register(registry, *pair)) for pair in single]  # type: ignore[misc]
    return _figures(len(many) / seconds, used / len(many), 0.0, alone)


def register(registry: MlflowRegistry, model: str, run_id: str) -> None:
    """What one does by hand with care: look whether the run and its model are there, and not registered before."""
    run = registry.run(run_id)
    source = registry.source_of(run, "model")
    if not registry.versions(model, run_id=run_id):
        tags, description = dict.fromkeys(_TAGS, run_id), _DESCRIPTION.format(run_id)
        registry.create_version(model, source, run_id=run_id, description=description, tags=tags)


def _ours(place: Place, case: Case, many: Pairs, single: Pairs) -> Figures:
    ours = place.ours[case.who]
    command = (sys.executable, "-m", "tests.bench.peers.worker", case.pool, str(case.at_once))
    part = usual.worker()
    part = replace(part, command=command, environment={**part.environment, "PYTHONPATH": str(ROOT)})
    with ours.running(part) as worker:
        alone = [ours.delay(TYPE, _data(pair)) for pair in single]  # first: the worker has loaded all then
        before, ring = ours.newest(), ours.queue(TYPE, [_data(pair) for pair in many])
        cpu, begun = processes.cpu([worker.pid]), time.time()
        ring()
        ours.until_done(TASK, poll=0.2)
        finished = ours.finished(TASK, after=before)
        if len(finished) != len(many):
            raise LoadError(f"{case}: {len(finished)} of {len(many)} were done")
        seconds, used = finished[-1].timestamp() - begun, processes.cpu([worker.pid]) - cpu
        return _figures(len(many) / seconds, used / len(many), processes.memory([worker.pid]), alone)


def _data(pair: tuple[str, str]) -> dict[str, str]:
    return {"model": pair[0], "run_id": pair[1]}


def _timed(act: Callable[[], object]) -> float:
    begun = time.perf_counter()
    act()
    return time.perf_counter() - begun


def _figures(rate: float, cpu: float, memory: float, alone: Sequence[float]) -> Figures:
    return dict(zip(COLUMNS, (rate, cpu * 1000, memory, median(alone) * 1000), strict=True))


def _check(place: Place, pairs: Pairs) -> None:
    """Each run is one version."""
    runs = {run for _, run in pairs}
    registry = MlflowRegistry(place.mlflow.address)
    made = [version for model in {model for model, _ in pairs} for version in registry.versions(model)]
    if sorted(version.run_id or "" for version in made if version.run_id in runs) != sorted(runs):
        raise LoadError("not every run became one version")


def _of_the_loop(case: Case, found: Mapping[Case, Sequence[Figures]]) -> float:
    return ratio(found[case], found[Case(_LOOP, "threads", case.at_once)], "events/s")


def _rows(found: Mapping[Case, Sequence[Figures]]) -> Iterator[list[Cell]]:
    for case, rounds in found.items():
        rate, cpu, memory, alone = (medians(rounds)[column] for column in COLUMNS)
        ours = case.who != _LOOP
        share = _of_the_loop(case, found) if ours else None
        yield [case.who, case.pool, str(case.at_once), rate, share, cpu, memory if ours else None, alone]


def _targets(name: str, found: Mapping[Case, Sequence[Figures]]) -> Iterator[Target]:
    case, beside = Case(name, "threads", CONCURRENCY), found[Case(_LOOP, "threads", 1)]
    share = _of_the_loop(case, found)
    yield Target(f"{name}, {CONCURRENCY} threads: events/s of the plain loop's", share, at_least=AT_LEAST)
    column = COLUMNS[-1]
    over = median(one[column] - other[column] for one, other in zip(found[case], beside, strict=True))
    yield Target(f"{name}: from POST to version, over the plain calls", over, at_most=WITHIN, unit="ms")


def _plot(found: Mapping[Case, Sequence[Figures]], ledger: str) -> Plot:
    numbers = sorted({case.at_once for case in found})
    kinds = dict.fromkeys((case.who, case.pool) for case in found if case.who in (_LOOP, ledger))

    def rate(kind: tuple[str, str], at_once: int) -> float | None:
        rounds = found.get(Case(*kind, at_once))
        return medians(rounds)["events/s"] if rounds else None

    series = {f"{who}, {pool}": [rate((who, pool), number) for number in numbers] for who, pool in kinds}
    return Plot("Registered a second, by how many at a time", "events/s", [str(n) for n in numbers], series)
