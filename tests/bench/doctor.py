"""`registrar doctor` with 50 models of 50 versions each, on parts at rest and beside a queue that the worker works off.

Its peer asks MLflow by hand who is in each target: one client, one question per stage and per alias.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from registrar.ledger.engine import now
from tests.bench.installation import Installation, installation
from tests.bench.load import LoadError
from tests.bench.options import Options
from tests.bench.prepared import Prepared, prepared
from tests.bench.result import Result, Table, Target
from tests.bench.rounds import Figures, alternate, medians, ratio
from tests.bench.versions import grow
from tests.cli.conftest import approve

TITLE = "`registrar doctor` with 50 models of 50 versions: seconds"
MODELS, VERSIONS, HOLDER = 50, 50, 25
QUEUED = 400  # events, about 20 s of work
AT_MOST = 5.0  # seconds
TYPE, TASK = "model_version.describe", "worker.describe"
_BY_HAND = """
import sys
from mlflow import MlflowClient
client = MlflowClient(sys.argv[1])
for name in sys.argv[2:]:
    held = client.get_model_version_by_alias(name, "champion"), client.get_latest_versions(name, ["Production"])
    assert held[0].version == held[1][0].version
"""


@dataclass(frozen=True)
class Case:
    """queued: events that the worker begins with at the same moment."""

    name: str
    queued: int = 0


BY_HAND = Case("by hand")
OURS = (Case("doctor, at rest"), Case("doctor, beside a queue", QUEUED))
CASES = (*OURS, BY_HAND)


def measure(options: Options) -> Result:
    with (
        tempfile.TemporaryDirectory() as folder,
        prepared(Path(folder)) as mlflow,
        installation(mlflow.address) as ours,
    ):
        models = fill(mlflow, ours)
        rounds = alternate(CASES, options.rounds, lambda case: once(ours, mlflow, models, case))
    by_name = {case.name: figures for case, figures in zip(CASES, rounds, strict=True)}
    found = {name: medians(figures) for name, figures in by_name.items()}
    columns = ("s", "tasks before", "after")
    return Result(
        Table(
            ("what", *columns, "of by hand"),
            [
                [name, *(figures[column] for column in columns), ratio(by_name[name], by_name[BY_HAND.name], "s")]
                for name, figures in found.items()
            ],
        ),
        targets=[Target(case.name, found[case.name]["s"], at_most=AT_MOST, unit="s") for case in OURS],
        rounds=by_name,
    )


def fill(mlflow: Prepared, ours: Installation) -> list[str]:
    """Make the models, each with a holder that MLflow and the record agree about; return their names."""
    models = mlflow.models("held", MODELS)
    for model in models:
        grow(mlflow.folder / "mlflow.db", model, VERSIONS)
        mlflow.client.transition_model_version_stage(model, str(HOLDER), "Production")
        mlflow.client.set_registered_model_alias(model, "champion", str(HOLDER))
        approve(ours.ledger, HOLDER, now(), model=model)
    return models


def once(ours: Installation, mlflow: Prepared, models: Sequence[str], case: Case) -> Figures:
    """Raises LoadError where doctor finds the holders of another number of targets, or a difference."""
    if case.queued:
        each = [
            {"model": models[number % len(models)], "version": HOLDER, "description": f"round {number} of the queue"}
            for number in range(case.queued)
        ]
        ours.queue(TYPE, each)()
    before, begun = ours.open(TASK), time.perf_counter()
    if case is BY_HAND:
        subprocess.run([sys.executable, "-c", _BY_HAND, mlflow.address, *models], check=True, capture_output=True)
    else:
        _doctor(ours)
    figures = {"s": time.perf_counter() - begun, "tasks before": float(before), "after": float(ours.open(TASK))}
    ours.until_done(TASK, poll=0.2)
    return figures


def _doctor(ours: Installation) -> None:
    command = [Path(sys.executable).parent / "registrar", "--data", ours.folder / "data", "doctor"]
    ended = subprocess.run(command, check=False, env=ours.environ, capture_output=True, text=True)
    if f"agrees with the record about {2 * MODELS} holders" not in ended.stdout:
        raise LoadError(f"doctor said:\n{ended.stdout}{ended.stderr}")
