"""From a signed POST to its 202: how many a second, how long each waits, what it costs, beside what else one could run.

Each figure is of a receiver that was started for it, on empty stores of its own: one that has taken a thousand
deliveries before. No worker runs.
"""

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from registrar.config.key_generation import new_webhook_secret
from tests.bench import load, machine, processes
from tests.bench.contenders import Contender, Running, adnanh, bare, handwritten, ours
from tests.bench.options import Options
from tests.bench.result import Cell, Plot, Result, Table, Target
from tests.bench.rounds import Figures, alternate, medians, ratio
from tests.postgres_server import serve as serve_postgres
from webhooks.serve import WORKERS

TITLE = "Accepting: requests over kept connections, each with a 931-byte body, a signature and an id of its own"
CONNECTIONS = (1, 16, 64)
WARM_UP, WARM_UP_REQUESTS = 2.0, 48_000  # seconds
_SPARE = 2.0  # how much faster than in the warm-up a receiver may turn out to be
_LEAST = 1000.0  # requests a second that are ready, however slow the warm-up was: others have this machine, too
COLUMNS = (
    "receiver",
    "connections",
    "requests/s",
    "p50 ms",
    "p99 ms",
    "CPU ms/request",
    "of its stores",
    "memory MB",
)
Rounds = Mapping[tuple[str, int], Sequence[Figures]]  # by contender and connections


@dataclass(frozen=True)
class Case:
    contender: Contender
    connections: int


def measure(options: Options) -> Result:
    fsync = machine.fsync_ms(Path(tempfile.gettempdir()))
    by_hand = [handwritten(processes) for processes in sorted({WORKERS, os.cpu_count() or 1})]
    with ExitStack() as stack:
        on = [
            ours(stack.enter_context(serve_postgres(durable=True)) if one == "postgresql" else None)
            for one in options.ledgers
        ]
        contenders = [*on, ours(workers=2), bare(), *by_hand, adnanh(), adnanh(waits=True)]
        cases = [Case(one, connections) for connections in CONNECTIONS for one in contenders]
        found = alternate(cases, options.rounds, lambda case: once(case.contender, case.connections, options.seconds))
    by = {(case.contender.name, case.connections): rounds for case, rounds in zip(cases, found, strict=True)}
    return Result(
        table=Table(COLUMNS, [_row(case, medians(rounds)) for case, rounds in zip(cases, found, strict=True)]),
        targets=[
            *(target for one in on for target in _targets(one.name, [other.name for other in by_hand], by, fsync)),
            *(_memory(one.name, by) for one in (*on[:1], ours(workers=2))),
        ],
        plots=_plots([one.name for one in contenders], by),
        rounds={f"{name}, {connections}": rounds for (name, connections), rounds in by.items()},
    )


def once(contender: Contender, connections: int, seconds: float) -> Figures:
    """Raises LoadError."""
    secret = new_webhook_secret()
    with tempfile.TemporaryDirectory(prefix="bench-") as name, contender.serve(Path(name), secret) as running:

        def send(count: int, seconds: float) -> load.Load:
            ready = load.requests(count, secret=secret, path=running.path)
            return load.send(running.port, ready, connections=connections, seconds=seconds, folder=Path(name))

        try:
            return _figures(running, send, seconds)
        except load.LoadError as error:
            raise load.LoadError(f"{contender.name}, {connections} connections: {error}") from None


def _figures(running: Running, send: Callable[[int, float], load.Load], seconds: float) -> Figures:
    """send: so many requests at most, for so many seconds."""
    every = [*running.pids, *running.stores]
    warm = send(WARM_UP_REQUESTS, WARM_UP)
    processes.settle(every)
    own, stores = processes.cpu(running.pids), processes.cpu(running.stores)
    found = send(int(max(warm.rate, _LEAST) * seconds * _SPARE), seconds)
    processes.settle(every)
    _check(running, warm, found)
    return {
        "requests/s": found.rate,
        "p50 ms": found.p50 * 1000,
        "p99 ms": found.p99 * 1000,
        "CPU ms/request": (processes.cpu(running.pids) - own) / found.completed * 1000,
        "of its stores": (processes.cpu(running.stores) - stores) / found.completed * 1000,
        "memory MB": processes.memory(running.pids),
    }


def _check(running: Running, *loads: load.Load) -> None:
    """What was answered with 2xx is there; of what wrk still waited for when its time was over, it knows nothing."""
    answered, open_ = sum(one.completed for one in loads), sum(one.connections for one in loads)
    if running.accepted and not answered <= (accepted := running.accepted()) <= answered + open_:
        raise load.LoadError(f"{answered} were answered, and {accepted} are there")


def _row(case: Case, figures: Figures) -> list[Cell]:
    return [case.contender.name, str(case.connections), *(figures[name] for name in COLUMNS[2:])]


def _targets(name: str, by_hand: Sequence[str], by: Rounds, fsync: float) -> Iterator[Target]:
    """Against the hand-written receiver as it does best. fsync: ms."""

    def times(other: str, connections: int) -> float:
        return ratio(by[name, connections], by[other, connections], "requests/s")

    for connections, bound in ((64, 3.0), (16, 2.1)):
        best = min(times(other, connections) for other in by_hand)
        yield Target(f"{name}, {connections} connections: requests/s of the hand-written", best, at_least=bound)
    yield Target(f"{name}, 64 connections: requests/s of the bare route", times("bare route", 64), at_least=0.35)
    yield Target(f"{name}, 16 connections: requests/s of adnanh/webhook", times("adnanh/webhook", 16), at_least=1)
    yield Target(f"{name}, 64 connections: p99", medians(by[name, 64])["p99 ms"], at_most=80, unit="ms")
    over = medians(by[name, 1])["p50 ms"] - medians(by["bare route", 1])["p50 ms"]
    yield Target(f"{name}, 1 connection: p50 over the bare route's", over, at_most=round(1.5 + fsync, 1), unit="ms")


def _memory(name: str, by: Rounds) -> Target:
    return Target(f"{name}: memory after 64 connections", medians(by[name, 64])["memory MB"], at_most=190, unit="MB")


def _plots(names: Sequence[str], by: Rounds) -> list[Plot]:
    ticks = [f"{connections} connection{'s' * (connections > 1)}" for connections in CONNECTIONS]

    def series(figure: str) -> dict[str, list[float | None]]:
        return {name: [medians(by[name, connections])[figure] for connections in CONNECTIONS] for name in names}

    return [
        Plot("Deliveries accepted a second", "requests/s", ticks, series("requests/s")),
        Plot("The slowest of a hundred", "p99 in ms", ticks, series("p99 ms"), logarithmic=True),
    ]
