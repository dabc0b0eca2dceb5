"""What Registrar does with a model of 10 versions and with one of 10,000, beside MLflow's own call for the same.

Over HTTP to a real server; all versions but the measured ones are written straight into its database, as its API would
have written them one every ten minutes (test_growth.py compares the two). Each model was looked at once before, by
registry.reconcile: that first look reads everything.
"""

import sqlite3
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TypeVar

from mlflow import MlflowClient

from registrar.ledger import Ledger
from registrar.ledger.engine import now
from registrar.ledger.migrate import migrate
from tests.bench.options import Options
from tests.bench.result import Plot, Result, Table, Target
from tests.bench.rounds import alternate, medians, ratio
from tests.mlflow_server import serve, train
from tests.worker.harness import WorkerHarness
from worker.promotions.plan import PlanContext, plan
from worker.registry.mlflow import MlflowRegistry, configure_client

Found = TypeVar("Found")
TITLE = "Growth of a model: register, transition and plan, by how many versions the model has"
SIZES = (10, 1_000, 10_000)
AT_MOST = 1.3
# Ours, and MLflow's own single call that does the core of it.
WHAT = {"register": "create_model_version", "transition": "transition_model_version_stage", "plan": "get_model_version"}
# What a plan's question "who is in Production?" takes of MLflow's client, which knows no search by stage.
PEER = "search_model_versions"
NAMES = [*(name for pair in WHAT.items() for name in pair), PEER]
EVERY_MS = 10 * 60 * 1000
POLICY = """
version: 1
models:
  "*":
    register: {from_mlflow: ignore}  # the versions that are written into MLflow's database
    targets:
      - stage: Production
        from: [Staging]
        request: on_request
        gates: [{metric: rmse, op: "<", threshold: 7}]
        approval: automatic
"""
_AGES = """UPDATE model_versions SET creation_time = creation_time - (:size - version) * :every,
last_updated_time = last_updated_time - (:size - version) * :every WHERE workspace = 'default' AND name = :name"""
_VERSION = """INSERT INTO model_versions (workspace, name, version, creation_time, last_updated_time, description,
user_id, current_stage, source, run_id, run_link, status, status_message, storage_location)
SELECT workspace, name, :version, creation_time, last_updated_time, description, user_id, 'None', :source, :run,
run_link, status, status_message, storage_location FROM model_versions
WHERE workspace = 'default' AND name = :name AND version = 1"""
_TAGS = """INSERT INTO model_version_tags (workspace, name, version, key, value)
SELECT workspace, name, :version, key, value FROM model_version_tags
WHERE workspace = 'default' AND name = :name AND version = 1"""


@dataclass(frozen=True)
class Model:
    """size: how many versions it had at first."""

    name: str
    size: int
    harness: WorkerHarness
    client: MlflowClient


def measure(options: Options) -> Result:
    configure_client()
    with _models() as models:
        rounds = alternate(models, options.rounds, lambda model: once(model, options.seconds))
    found = dict(zip(SIZES, rounds, strict=True))
    figures = {size: medians(of_size) for size, of_size in found.items()}
    grown = {name: ratio(found[SIZES[-1]], found[SIZES[0]], name) for name in NAMES}
    return Result(
        table=Table(
            ("what", *(f"{size:,} versions, ms" for size in SIZES), "largest to smallest"),
            [(_said(name), *(figures[size][name] for size in SIZES), grown[name]) for name in NAMES],
        ),
        targets=[
            Target(f"{ours}, {SIZES[-1]:,} versions to {SIZES[0]:,}, {say}", figure, at_most=AT_MOST)
            for ours, theirs in WHAT.items()
            for say, figure in (
                ("by itself", grown[ours]),
                (f"in times of what {theirs} grows", grown[ours] / grown[theirs]),
            )
        ]
        + [
            Target(
                f"plan in times of {_said(PEER)}, {SIZES[-1]:,} versions",
                figures[SIZES[-1]]["plan"] / figures[SIZES[-1]][PEER],
                at_most=1,
            )
        ],
        plots=[
            Plot(
                "versions of the model",
                "ms",
                [f"{size:,}" for size in SIZES],
                {_said(name): [figures[size][name] for size in SIZES] for name in NAMES},
                kind="lines",
                logarithmic=True,
            )
        ],
        rounds={str(size): of_size for size, of_size in found.items()},
    )


def _said(name: str) -> str:
    if name == PEER:
        return f"MLflow's {name}, all"
    return name if name in WHAT else f"MLflow's {name}"


@contextmanager
def _models() -> Iterator[list[Model]]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        address = stack.enter_context(serve(folder))
        ledger = Ledger(f"sqlite:///{folder}/ledger.db")
        stack.callback(ledger.close)
        migrate(ledger)
        harness = WorkerHarness(ledger, folder, MlflowRegistry(address), POLICY)
        client = MlflowClient(address)
        found = [Model(f"model-{size}", size, harness, client) for size in SIZES]
        for model in found:
            harness.post("training_run.finished", model=model.name, run_id=train(client))
            grow(folder / "mlflow.db", model.name, model.size)
            looked = harness.post("registry.reconcile", model=model.name)
            assert harness.tasks_of(looked) == [("reconcile", "succeeded")], (
                "MLflow took too long to be read as a whole"
            )
            assert client.get_model_version(model.name, str(model.size)).status == "READY"
        yield found


def grow(file: Path, name: str, size: int) -> None:
    """Versions 2 to size, each like version 1 with a run of its own; the newest is as old as version 1 was."""
    rows = []
    for version in range(2, size + 1):
        run = uuid.uuid4().hex
        source = f"mlflow-artifacts:/1/{run}/artifacts/model"
        rows.append({"name": name, "version": version, "run": run, "source": source})
    connection = sqlite3.connect(file, timeout=30)
    with connection:
        connection.executemany(_VERSION, rows)
        connection.executemany(_TAGS, rows)
        connection.execute(_AGES, {"name": name, "size": size, "every": EVERY_MS})
    connection.close()


def once(model: Model, seconds: float) -> dict[str, float]:
    """The median of each, in ms."""
    times: dict[str, list[float]] = {name: [] for name in NAMES}
    until = time.monotonic() + seconds
    while time.monotonic() < until or not times["plan"]:
        _round(model, times)
    return {name: median(taken) * 1000 for name, taken in times.items()}


def _round(model: Model, times: dict[str, list[float]]) -> None:
    client, harness, name = model.client, model.harness, model.name
    run, other = train(client), train(client)
    _timed(times["register"], lambda: harness.post("model_version.register", model=name, run_id=run))
    made = client.search_model_versions(f"run_id = '{run}'")[0]
    source = f"{client.get_run(other).info.artifact_uri}/model"
    theirs = times["create_model_version"]
    beside = _timed(theirs, lambda: client.create_model_version(name, source, other, await_creation_for=0))
    to = {"model": name, "version": int(made.version), "stage": "Staging"}
    _timed(times["transition"], lambda: harness.post("model_version.transition", **to))
    moved = client.get_model_version(name, made.version)
    assert moved.current_stage == "Staging", moved
    theirs = times["transition_model_version_stage"]
    _timed(theirs, lambda: client.transition_model_version_stage(name, beside.version, "Archived"))
    look = PlanContext(harness.registry, harness.context.policy, harness.ledger, now())
    planned = _timed(times["plan"], lambda: plan(look, name, int(made.version), "Production"))
    assert planned.state == "ready", planned
    _timed(times["get_model_version"], lambda: client.get_model_version(name, made.version))
    _timed(times[PEER], lambda: in_production(client, name))


def in_production(client: MlflowClient, name: str) -> list[str]:
    """As one finds it in scripts: all versions, 1,000 a page, and those of the stage among them."""
    found, token = [], None
    while True:
        page = client.search_model_versions(f"name = '{name}'", max_results=1000, page_token=token)
        found += [version.version for version in page if version.current_stage == "Production"]
        if not (token := page.token):
            return found


def _timed(times: list[float], act: Callable[[], Found]) -> Found:
    begun = time.perf_counter()
    found = act()
    times.append(time.perf_counter() - begun)
    return found
