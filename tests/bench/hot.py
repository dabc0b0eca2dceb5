"""One model with a long queue, and an event of another model in between: nobody stands behind what is not theirs."""

import itertools
import tempfile
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

from tests.bench.burst import TASK, TYPE
from tests.bench.installation import CI, Installation, installation
from tests.bench.load import LoadError
from tests.bench.options import Options
from tests.bench.prepared import prepared
from tests.bench.result import Plot, Result, Table, Target
from tests.bench.rounds import Figures, alternate, medians
from tests.bench.senders import pour
from tests.postgres_server import serve as serve_postgres

TITLE = "A hot model: how long another model's event takes from its POST until it is applied"
EVENTS = 2_000
SAMPLES = 10  # in each round, at rest and beside the hot model
AT_MOST = 3.0
CONNECTIONS = 16
REST, BESIDE, TIMES = "at rest, ms", "beside the hot model, ms", "times"
COLUMNS = (REST, "slowest, ms", BESIDE, "slowest, ms ", TIMES, "still waiting then")


def measure(options: Options) -> Result:
    count, peers = options.events or EVENTS, list(options.ledgers)
    with ExitStack() as stack:
        mlflow = stack.enter_context(prepared(Path(stack.enter_context(tempfile.TemporaryDirectory()))))
        clusters = {name: stack.enter_context(serve_postgres(durable=True)) for name in peers if name == "postgresql"}
        models = iter(mlflow.models("model", 2 * options.rounds * len(peers)))

        def measured(name: str) -> Figures:
            return once(mlflow.address, clusters.get(name), next(models), next(models), count=count)

        rounds = dict(zip(peers, alternate(peers, options.rounds, measured), strict=True))
    figures = {name: medians(of_ledger) for name, of_ledger in rounds.items()}
    return Result(
        Table(("ledger", *COLUMNS), [(name, *(of[column] for column in COLUMNS)) for name, of in figures.items()]),
        targets=[
            Target(f"{name}: beside {count:,} events of another model, to at rest", of[TIMES], at_most=AT_MOST)
            for name, of in figures.items()
        ],
        plots=[
            Plot(
                "Another model's event",
                "ms",
                peers,
                {column: [figures[name][column] for name in peers] for column in (REST, BESIDE)},
            )
        ],
        rounds=rounds,
    )


def once(address: str, cluster: str | None, hot: str, calm: str, *, count: int) -> Figures:
    with installation(address, cluster=cluster) as ours:
        return beside(ours, hot, calm, count=count)


def beside(ours: Installation, hot: str, calm: str, *, count: int) -> Figures:
    """Medians. Raises LoadError where the queue was empty before all was measured."""
    numbers = itertools.count()

    def said(model: str) -> dict[str, Any]:
        return {"model": model, "version": 1, "description": f"of event {next(numbers)}"}

    def delays() -> list[float]:
        return [ours.delay(TYPE, said(calm)) * 1000 for _ in range(SAMPLES)]

    delays()  # a process's first ones load what they need
    rest = delays()
    pour(ours.port, CI, lambda _: ours.request(TYPE, said(hot)), count=count, connections=CONNECTIONS)
    busy = delays()
    if not (left := ours.open(TASK)):
        raise LoadError(f"{count} events of one model were done before {SAMPLES} of another were measured")
    each = (median(rest), max(rest), median(busy), max(busy), median(busy) / median(rest), float(left))
    return dict(zip(COLUMNS, each, strict=True))
