"""More at once than can be worked off for minutes, while somebody uses chat: nothing is lost, nobody is kept waiting.

An event replaces a version's description: of the events that change MLflow it is the one of the fewest calls (one to
read, one to write); and the description that stays says which event was the last.
"""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

from sqlalchemy import Row, select

from registrar.ledger.tables import events
from tests.bench import senders
from tests.bench.installation import CI, Installation, installation
from tests.bench.load import LoadError
from tests.bench.options import Options
from tests.bench.prepared import Prepared, prepared
from tests.bench.result import Cell, Plot, Result, Table, Target
from tests.bench.rounds import Figures
from tests.postgres_server import serve as serve_postgres

TITLE = "A burst: events as fast as they are taken, and chat meanwhile, until all are applied"
EVENTS, MODELS = 20_000, 1_000
CONNECTIONS = 16
TYPE, TASK = "model_version.describe", "worker.describe"
SLOWEST = 1000  # ms
COLUMNS = (
    "accepted",
    "in s",
    "accepted/s",
    "applied",
    "in s ",
    "applied/s",
    "chat requests",
    "chat p50 ms",
    "chat slowest ms",
)
_POINTS = 20


@dataclass(frozen=True)
class Burst:
    """times: of each acceptance and of each application, in seconds since the first event was sent."""

    figures: Figures
    times: Mapping[str, Sequence[float]]


def measure(options: Options) -> Result:
    count = options.events or EVENTS
    found: dict[str, Burst] = {}
    with ExitStack() as stack:
        mlflow = stack.enter_context(prepared(Path(stack.enter_context(tempfile.TemporaryDirectory()))))
        for name in options.ledgers:
            cluster = stack.enter_context(serve_postgres(durable=True)) if name == "postgresql" else None
            found[name] = once(mlflow, name, cluster, count=count, models=min(MODELS, count))
    return Result(
        Table(("ledger", *COLUMNS), [_row(name, burst.figures) for name, burst in found.items()]),
        targets=[target for name, burst in found.items() for target in _targets(name, burst.figures)],
        plots=[_plot(name, burst.times) for name, burst in found.items()],
        rounds={name: [burst.figures] for name, burst in found.items()},
    )


def once(mlflow: Prepared, prefix: str, cluster: str | None, *, count: int, models: int) -> Burst:
    with installation(mlflow.address, cluster=cluster) as ours:
        return bear(mlflow, ours, prefix, count=count, models=models)


def bear(mlflow: Prepared, ours: Installation, prefix: str, *, count: int, models: int) -> Burst:
    """Raises LoadError where anything but a 2xx was answered, or a model's last event is not the last applied."""
    names, before = mlflow.models(prefix, models), ours.newest()

    def make(number: int) -> tuple[bytes, dict[str, str]]:
        about = {"model": names[number % models], "version": 1, "description": f"of event {number}"}
        return ours.request(TYPE, about)

    with senders.Person(ours.port, ours.secrets["slack"], names[0]) as person:
        taken = senders.pour(ours.port, CI, make, count=count, connections=CONNECTIONS)
        ours.until_done(TASK, poll=0.5)
    accepted, applied = _accepted(ours, before), ours.finished(TASK, after=before)
    if len(applied) == len(accepted):
        _check(mlflow, prefix, {each.model: each.data["description"] for each in accepted})
    return _found([each.accepted_at for each in accepted], applied, taken, person.times)


def _accepted(ours: Installation, before: int) -> Sequence[Row[Any]]:
    """In the ledger's order. before: the newest event then."""
    query = select(events.c.model, events.c.data, events.c.accepted_at).order_by(events.c.seq)
    with ours.ledger.read() as connection:
        return connection.execute(query.where(events.c.type == TYPE, events.c.seq > before)).all()


def _check(mlflow: Prepared, prefix: str, last: Mapping[str, str]) -> None:
    search = mlflow.client.search_model_versions
    page = search(f"name LIKE '{prefix}-%'", max_results=MODELS)
    there = {version.name: version.description for version in page}
    if wrong := [model for model, said in last.items() if there.get(model) != said]:
        raise LoadError(f"{len(wrong)} of {len(last)} models are not as their last event says, {wrong[0]} is one")


def _found(accepted: Sequence[datetime], applied: Sequence[datetime], taken: float, chat: Sequence[float]) -> Burst:
    begun = min(accepted)
    times = {
        "accepted": sorted((at - begun).total_seconds() for at in accepted),
        "applied": [(at - begun).total_seconds() for at in applied],
    }
    done = times["applied"][-1] if applied else float("nan")
    each = (
        *(len(accepted), taken, len(accepted) / taken),
        *(len(applied), done, len(applied) / done),
        *(len(chat), median(chat) * 1000, max(chat) * 1000),
    )
    return Burst(dict(zip(COLUMNS, map(float, each), strict=True)), times)


def _row(name: str, figures: Figures) -> list[Cell]:
    whole = ("accepted", "applied", "chat requests")
    return [name, *(f"{figures[column]:,.0f}" if column in whole else figures[column] for column in COLUMNS)]


def _targets(name: str, figures: Figures) -> Iterator[Target]:
    yield Target(f"{name}: applied, of what was accepted", figures["applied"] / figures["accepted"], at_least=1)
    yield Target(f"{name}: the slowest request of chat", figures["chat slowest ms"], at_most=SLOWEST, unit="ms")


def _plot(name: str, times: Mapping[str, Sequence[float]]) -> Plot:
    end = max(each[-1] for each in times.values() if each)
    points = [end * (number / _POINTS) for number in range(_POINTS + 1)]
    series = {what: [float(sum(at <= point for at in each)) for point in points] for what, each in times.items()}
    ticks = [f"{point:.0f}" if number % 5 == 0 else "" for number, point in enumerate(points)]
    return Plot(f"{name}: events, by seconds since the first", "events", ticks, series, kind="lines")
