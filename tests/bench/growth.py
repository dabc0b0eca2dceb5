"""What is done all the time, in a ledger of 1,000 events and in one of a million: one thread, one commit each.

In the process itself, without HTTP and Celery: they do not know how large the ledger is, and would hide it.
"""

import random
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median

from sqlalchemy import func, select

from registrar.events.event import Actor, Event
from registrar.events.outcome import Outcome
from registrar.events.types import parse
from registrar.ledger import Ledger, dead_letters, tasks
from registrar.ledger.deliveries import accept
from registrar.ledger.engine import now
from registrar.ledger.event_rows import Delivery
from registrar.ledger.migrate import migrate
from registrar.ledger.queries import event_status, holdings, queue
from registrar.ledger.tables import events
from tests.bench.filling import fill
from tests.bench.options import Options
from tests.bench.result import Plot, Result, Table, Target
from tests.bench.rounds import Figures, alternate, medians, ratio
from tests.postgres_server import database
from tests.postgres_server import serve as serve_postgres

TITLE = "Growth of the ledger: how long each takes, by how many events were done before"
SIZES = (1_000, 100_000, 1_000_000)
AT_MOST = 1.3
WHAT = ("accept", "claim and finish", "status of an event", "history of a model", "dead letters", "what is not done")
_EVENTS_OF_A_MODEL = 100
_SAMPLE = 500


@dataclass(frozen=True)
class Grown:
    """ids: of some past events."""

    ledger: Ledger
    size: int
    ids: Sequence[str]

    @property
    def name(self) -> str:
        return self.ledger.engine.dialect.name

    def model(self) -> str:
        return f"model-{random.randrange(_models(self.size))}"  # noqa: S311 (no secret)


def measure(options: Options) -> Result:
    found: dict[tuple[str, int], list[Figures]] = {}
    for name in options.ledgers:
        with _grown(name) as ledgers:
            rounds = alternate(ledgers, options.rounds, lambda grown: once(grown, options.seconds))
        found |= {(name, size): of_size for size, of_size in zip(SIZES, rounds, strict=True)}
    cases = [(name, what) for name in options.ledgers for what in WHAT]
    ratios = {case: ratio(found[case[0], SIZES[-1]], found[case[0], SIZES[0]], case[1]) for case in cases}
    figures = {key: medians(rounds) for key, rounds in found.items()}
    return Result(
        table=Table(
            ("ledger", "what", *(f"{size:,} events, ms" for size in SIZES), "largest to smallest"),
            [(name, what, *(figures[name, size][what] for size in SIZES), ratios[name, what]) for name, what in cases],
        ),
        targets=[
            Target(f"{what}, {SIZES[-1]:,} events to {SIZES[0]:,}, {name}", ratios[name, what], at_most=AT_MOST)
            for name, what in cases
        ],
        plots=[_plot(name, figures) for name in options.ledgers],
        rounds={f"{name}, {size}": rounds for (name, size), rounds in found.items()},
    )


@contextmanager
def _grown(name: str) -> Iterator[list[Grown]]:
    """Ledgers of all sizes."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        cluster = stack.enter_context(serve_postgres(durable=True)) if name == "postgresql" else None
        found = []
        for size in SIZES:
            url = stack.enter_context(database(cluster)) if cluster else f"sqlite:///{folder}/{size}.db"
            ledger = Ledger(url)
            stack.callback(ledger.close)
            migrate(ledger)
            fill(ledger, size, models=_models(size))
            found.append(Grown(ledger, size, _some(ledger, size)))
        yield found


def _models(size: int) -> int:
    return max(1, size // _EVENTS_OF_A_MODEL)


def _some(ledger: Ledger, size: int) -> list[str]:
    with ledger.read() as connection:
        assert connection.execute(select(func.count()).select_from(events)).scalar_one() == size
        seqs = random.sample(range(1, size + 1), min(size, _SAMPLE))
        return list(connection.execute(select(events.c.id).where(events.c.seq.in_(seqs))).scalars())


def once(grown: Grown, seconds: float) -> dict[str, float]:
    """The median of each, in ms, over a share of the seconds."""
    times: Mapping[str, list[float]] = {what: [] for what in WHAT}
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        task_message = _timed(times["accept"], partial(_accept, grown))
        _timed(times["claim and finish"], partial(_work, grown.ledger, task_message))
        with grown.ledger.read() as connection:
            id_, model = random.choice(grown.ids), grown.model()  # noqa: S311 (no secret)
            assert _timed(times["status of an event"], partial(event_status.event, connection, id_))
            _timed(times["history of a model"], partial(holdings.history, connection, model))
            assert _timed(times["dead letters"], partial(dead_letters.list_dead_letters, connection, limit=1))
            _timed(times["what is not done"], partial(queue.unfinished, connection))
    return {what: median(taken) * 1000 for what, taken in times.items()}


def _timed(times: list[float], act: Callable[[], object]) -> object:
    begun = time.perf_counter()
    found = act()
    times.append(time.perf_counter() - begun)
    return found


def _accept(grown: Grown) -> str:
    data = {"model": grown.model(), "run_id": uuid.uuid4().hex}
    event = Event(parse("training_run.finished", data), Actor("source:ci", "ci"), datetime.now(UTC))
    with grown.ledger.write() as connection:
        delivery = Delivery("ci", uuid.uuid4().hex, "0" * 64)
        return accept(connection, delivery, [event], at=now()).task_messages[0].task_id


def _work(ledger: Ledger, task_id: object) -> None:
    """As the worker does it: two commits."""
    with ledger.write() as connection:
        task = tasks.claim(connection, str(task_id), at=now())
    assert task
    with ledger.write() as connection:
        tasks.finish(connection, task, "succeeded", Outcome("done"), at=now())


def _plot(name: str, figures: Mapping[tuple[str, int], Figures]) -> Plot:
    series = {what: [figures[name, size][what] for size in SIZES] for what in WHAT}
    return Plot(name, "ms", [f"{size:,}" for size in SIZES], series, kind="lines", logarithmic=True)
