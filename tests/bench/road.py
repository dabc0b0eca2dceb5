"""The main job by the starter's registrar.yml, from event to Staging and from approval to Production, beside a script.

The script makes the same checks by hand (peers/road.py), from as many threads as the workers have together. Each model
has a version in Production before, which the approval replaces. MLflow runs as one process on SQLite, and as two on
PostgreSQL.
"""

import re
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy import Connection, func, select, text

from registrar.events.event import Actor
from registrar.ledger import Ledger
from registrar.ledger.predicates import is_open
from registrar.ledger.tables import tasks
from registrar.local import services as usual
from tests.bench import processes
from tests.bench.installation import WITHOUT_WORKER, Installation, installation
from tests.bench.load import LoadError
from tests.bench.options import Options
from tests.bench.peers.road import Staged, to_production, to_staging
from tests.bench.prepared import Prepared, prepared
from tests.bench.result import Cell, Plot, Result, Table, Target
from tests.bench.rounds import Figures, alternate, medians, ratio
from tests.mlflow_server import tracking_uri
from tests.postgres_server import database, postmaster
from tests.postgres_server import serve as serve_postgres
from worker.app import CONCURRENCY
from worker.registry.mlflow import configure_client

TITLE = "The main job: events to Staging and approvals to Production a second, by the starter's policy, beside a script"
MODELS = 40  # and as many events and approvals in each round
WORKERS = (1, 2, 3)
REGISTRIES = (("sqlite", 1), ("postgresql", 2))  # MLflow's database and its number of processes
SCRIPT = "script"
LEGS = ("to Staging", "to Production")
AT_LEAST, SCALES, CALLS = 0.9, 1.6, (12, 10)
_ADA = Actor("ada", "Ada")
_STALLED = 120.0  # seconds in which no task ends
_REQUEST = re.compile(rb'"(GET|POST|PATCH|DELETE) /api/2\.0/')
_SOURCES = """sources:
  ci:
    kind: standard
    secrets: ["file:ci.whsec"]
    rate_limit: 999999/second
    may: [{events: ["*"], models: ["*"]}]
  slack:
    kind: slack
    secrets: ["file:slack.secret"]
    may: [{events: [promotion.*], models: ["*"]}]

people:
  ada: {name: Ada, accounts: {slack: T0/U0}}
groups:
  approvers: [ada]
"""


def config() -> str:
    """The starter's registrar.yml with its commented gate, and with people and sources of the bench."""
    starter = files("registrar.local").joinpath("starter.yml").read_text(encoding="utf-8")
    before, _, rest = starter.partition("sources:\n")
    models = rest[rest.index("\nmodels:\n") :]
    if "# gates: " not in models:
        raise LoadError("the starter has another gate than this bench takes the comment from")
    return before + _SOURCES + models.replace("# gates: ", "gates: ")


@dataclass(frozen=True)
class Case:
    """who: the script, or the ledger of an installation. registry: MLflow's database and its number of processes."""

    who: str
    workers: int
    registry: tuple[str, int]

    @property
    def threads(self) -> int:
        return self.workers * CONCURRENCY

    @property
    def beside(self) -> "Case":
        """The script from as many threads, on the same MLflow."""
        return replace(self, who=SCRIPT)


@dataclass(frozen=True)
class Site:
    """An MLflow server and the installations on it, by their ledger. cluster: of PostgreSQL, with its first process."""

    mlflow: Prepared
    ours: Mapping[str, Installation]
    cluster: str
    made: list[str] = field(default_factory=list)

    def models(self) -> list[str]:
        """Names of new models."""
        prefix = f"road-{len(self.made)}"
        self.made.append(prefix)
        return [f"{prefix}-{number}" for number in range(MODELS)]

    @property
    def requests(self) -> int:
        """How many MLflow has answered, by its access log."""
        return len(_REQUEST.findall((self.mlflow.folder / "mlflow.log").read_bytes()))

    @property
    def server(self) -> int:
        """The process that was started for it, whose descendants answer."""
        port = int(self.mlflow.address.rpartition(":")[2])
        listening = {one.pid for one in psutil.net_connections("tcp") if one.status == "LISTEN" and _port(one) == port}
        started = psutil.Process().children()
        return next(
            one.pid for one in started if listening & {each.pid for each in (one, *one.children(recursive=True))}
        )


def _port(connection: Any) -> int | None:
    """Of the address that a connection of psutil has here, if it has one."""
    return connection.laddr.port if connection.laddr else None


def measure(options: Options) -> Result:
    configure_client()
    every = list(cases(options))
    with sites(options) as found:
        rounds = alternate(every, options.rounds, lambda case: once(found[case.registry], case))
    by_case = dict(zip(every, rounds, strict=True))
    return Result(
        Table(("who", "workers", "MLflow", "leg", *_FIGURES), [row for case in every for row in _rows(case, by_case)]),
        targets=list(_targets(by_case)),
        plots=[_plot(by_case)],
        rounds={f"{case.who} {case.workers}, {_name(case.registry)}": of_case for case, of_case in by_case.items()},
    )


def cases(options: Options) -> Iterator[Case]:
    for registry in REGISTRIES:
        for who in (SCRIPT, *options.ledgers):
            yield from (Case(who, workers, registry) for workers in WORKERS)


@contextmanager
def sites(options: Options) -> Iterator[dict[tuple[str, int], Site]]:
    with ExitStack() as stack:
        cluster, found = stack.enter_context(serve_postgres(durable=True)), {}
        for registry in REGISTRIES:
            kind, workers = registry
            backend = stack.enter_context(database(cluster)) if kind == "postgresql" else None
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            server = stack.enter_context(prepared(folder, backend=backend, workers=workers))
            ours = {
                name: stack.enter_context(
                    installation(
                        server.address,
                        cluster=cluster if name == "postgresql" else None,
                        parts=WITHOUT_WORKER,
                        config=config(),
                    )
                )
                for name in options.ledgers
            }
            found[registry] = Site(server, ours, cluster)
        yield found


def once(site: Site, case: Case) -> Figures:
    """Raises LoadError where a version is not where it should be."""
    return _script(site, case) if case.who == SCRIPT else _ours(site, case)


def _script(site: Site, case: Case) -> Figures:
    client, models = site.mlflow.client, site.models()
    for model in models:
        client.create_registered_model(model)
    staged: list[Staged] = []

    def stage() -> None:
        pairs = zip(models, runs, strict=True)
        staged[:] = pool.map(lambda pair: to_staging(client, *pair), pairs)

    def promote() -> None:
        list(pool.map(lambda one: to_production(client, one), staged))

    with tracking_uri(site.mlflow.address), ThreadPoolExecutor(case.threads) as pool:
        runs = site.mlflow.runs(MODELS)
        stage()
        promote()
        runs = site.mlflow.runs(MODELS)
        first = _leg(site, stage, own=time.process_time)
        _check(site, models, "Staging", "challenger")
        second = _leg(site, promote, own=time.process_time)
    _check(site, models, "Production", "champion")
    return _figures(first, second)


def _ours(site: Site, case: Case) -> Figures:
    ours, models = site.ours[case.who], site.models()
    with ExitStack() as stack:
        pids = [stack.enter_context(ours.running(_worker(number))).pid for number in range(case.workers)]

        def stage() -> None:
            pairs = zip(models, runs, strict=True)
            ours.queue("training_run.finished", [{"model": model, "run_id": run} for model, run in pairs])()
            _until_done(ours.ledger)

        def promote(version: int) -> None:
            approvals = [{"model": model, "version": version} for model in models]
            ours.queue("promotion.approve", approvals, by=_ADA)()
            _until_done(ours.ledger)

        runs = site.mlflow.runs(MODELS)
        stage()
        promote(1)
        runs = site.mlflow.runs(MODELS)

        def own() -> float:
            return processes.cpu(pids)

        first = _leg(site, stage, own=own, ledger=ours.ledger)
        _check(site, models, "Staging", "challenger")
        second = _leg(site, lambda: promote(2), own=own, ledger=ours.ledger)
    _check(site, models, "Production", "champion")
    return _figures(first, second)


def _worker(number: int) -> usual.Service:
    return replace(usual.worker(), name=f"worker-{number}")


def _leg(site: Site, act: Callable[[], None], *, own: Callable[[], float], ledger: Ledger | None = None) -> Figures:
    """Each figure for one event. own: CPU seconds of the script or of the workers."""
    server, database_server = [site.server], [postmaster(site.cluster)]
    before = (own(), processes.cpu(server), processes.cpu(database_server), site.requests, *_sizes(ledger))
    begun = time.perf_counter()
    act()
    seconds = time.perf_counter() - begun
    after = (own(), processes.cpu(server), processes.cpu(database_server), site.requests, *_sizes(ledger))
    names = ("own CPU ms", "MLflow CPU ms", "PostgreSQL CPU ms", "calls", "ledger KB", "WAL KB")
    scales = (1000, 1000, 1000, 1, 1 / 1024, 1 / 1024)
    each = {
        name: (later - earlier) * scale / MODELS
        for name, earlier, later, scale in zip(names, before, after, scales, strict=True)
    }
    return {"events/s": MODELS / seconds, **each}


def _sizes(ledger: Ledger | None) -> tuple[float, float]:
    """Bytes of the ledger, and of WAL that its database ever wrote (PostgreSQL alone)."""
    if ledger is None:
        return 0.0, 0.0
    with ledger.write() as connection:
        if connection.dialect.name == "sqlite":
            pages = _scalar(connection, "PRAGMA page_count") - _scalar(connection, "PRAGMA freelist_count")
            return pages * _scalar(connection, "PRAGMA page_size"), 0.0
        return (
            _scalar(connection, "SELECT pg_database_size(current_database())"),
            _scalar(connection, "SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn"),
        )


def _scalar(connection: Connection, statement: str) -> float:
    return float(connection.execute(text(statement)).scalar_one())


def _until_done(ledger: Ledger) -> None:
    """Return when no task is open. Raises LoadError where none ends for long."""
    query = select(func.count()).select_from(tasks).where(is_open())
    left, since = -1, time.monotonic()
    while time.monotonic() - since < _STALLED:
        with ledger.read() as connection:
            still = int(connection.execute(query).scalar_one())
        if not still:
            return
        if still != left:
            left, since = still, time.monotonic()
        time.sleep(0.05)
    raise LoadError(f"{left} tasks are open, and none ends")


def _check(site: Site, models: Sequence[str], stage: str, alias: str) -> None:
    for model in models:
        found = site.mlflow.client.get_model_version_by_alias(model, alias)
        if (found.version, found.current_stage) != ("2", stage):
            raise LoadError(f"{model} version {found.version} has @{alias} and is in {found.current_stage}")


def _figures(first: Figures, second: Figures) -> Figures:
    return {
        f"{leg}: {name}": figure
        for leg, of_leg in zip(LEGS, (first, second), strict=True)
        for name, figure in of_leg.items()
    }


_FIGURES = (
    "events/s",
    "of the script's",
    "calls",
    "own CPU ms",
    "MLflow CPU ms",
    "PostgreSQL CPU ms",
    "ledger KB",
    "WAL KB",
)


def _rows(case: Case, found: Mapping[Case, Sequence[Figures]]) -> Iterator[list[Cell]]:
    """Yield a row for each leg."""
    none = {"script": ("of the script's", "ledger KB", "WAL KB"), "sqlite": ("WAL KB",)}.get(case.who, ())
    of_case = medians(found[case])
    for leg in LEGS:
        figures: dict[str, float | None] = {name: of_case.get(f"{leg}: {name}") for name in _FIGURES}
        figures["of the script's"] = ratio(found[case], found[case.beside], f"{leg}: events/s")
        figures |= dict.fromkeys(none)
        yield [case.who, str(case.workers), _name(case.registry), leg, *figures.values()]


def _name(registry: tuple[str, int]) -> str:
    return f"{registry[0]}, {registry[1]} process{'es' if registry[1] > 1 else ''}"


def _targets(found: Mapping[Case, Sequence[Figures]]) -> Iterator[Target]:
    name = f"{LEGS[0]}: events/s"
    for case, rounds in found.items():
        if case.who == SCRIPT:
            continue
        who = f"{case.who}, {case.workers} x {CONCURRENCY} threads, MLflow {_name(case.registry)}"
        yield Target(f"{who}: events/s of the script's", ratio(rounds, found[case.beside], name), at_least=AT_LEAST)
        if case.workers == 1 and case.who == "sqlite" and case.registry[1] == 1:
            for leg, calls in zip(LEGS, CALLS, strict=True):
                figure = medians(rounds)[f"{leg}: calls"]
                yield Target(f"{who}: calls, {leg}", figure, at_most=calls, unit="calls")
        if case.workers == 2 and case.registry[1] > 1:
            one = found[replace(case, workers=1)]
            yield Target(f"{who}: events/s of one worker's", ratio(rounds, one, name), at_least=SCALES)


def _plot(found: Mapping[Case, Sequence[Figures]]) -> Plot:
    series: dict[str, list[float | None]] = {}
    for case, rounds in found.items():
        series.setdefault(f"{case.who}, MLflow {_name(case.registry)}", []).append(
            medians(rounds)[f"{LEGS[0]}: events/s"]
        )
    ticks = [f"{workers} x {CONCURRENCY}" for workers in WORKERS]
    return Plot("Events a second to Staging, by workers x threads", "events/s", ticks, series)
