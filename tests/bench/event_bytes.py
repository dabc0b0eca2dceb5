"""Bytes of the main job, by table: rows, heap and indexes of an event on its way to Staging, and to Production.

On PostgreSQL, by one worker, as road.py. The server writes no full pages to its WAL (full_page_writes=off): how many it
would write depends on when it last made a checkpoint; the figures of road.py have them.
"""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import text

from registrar.ledger import Ledger
from registrar.local import services as usual
from tests.bench import road
from tests.bench.installation import WITHOUT_WORKER, Installation, installation
from tests.bench.options import Options
from tests.bench.prepared import Prepared, prepared
from tests.bench.result import Cell, Result, Table, Target
from tests.postgres_server import serve as serve_postgres
from worker.registry.mlflow import configure_client

TITLE = "Bytes of an event on PostgreSQL, by table: rows, KB of heap and of indexes, KB of WAL without full pages"
MODELS = 100  # and as many events and approvals
LEDGER, WAL = 8, 20  # KB
_SIZES = text("""
SELECT coalesce(owner.relname, own.relname), own.relkind = 'i', sum(pg_relation_size(own.oid))
FROM pg_class AS own LEFT JOIN pg_index ON indexrelid = own.oid LEFT JOIN pg_class AS owner ON owner.oid = indrelid
WHERE own.relnamespace = 'public'::regnamespace AND own.relkind IN ('r', 'i') GROUP BY 1, 2
""")
_LSN = text("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn")


class Leg(NamedTuple):
    """What an event adds. By table: rows, bytes of the heap, bytes of the indexes."""

    rows: Mapping[str, float]
    heap: Mapping[str, float]
    indexes: Mapping[str, float]
    wal: float


def measure(options: Options) -> Result:
    configure_client()
    with ExitStack() as stack:
        cluster = stack.enter_context(serve_postgres("-c full_page_writes=off", durable=True))
        server = stack.enter_context(prepared(Path(stack.enter_context(tempfile.TemporaryDirectory()))))
        parts = {"cluster": cluster, "parts": WITHOUT_WORKER, "config": road.config()}
        ours = stack.enter_context(installation(server.address, **parts))  # type: ignore[arg-type]
        stack.enter_context(ours.running(usual.worker()))
        legs = _legs(ours, server, [f"bytes-{number}" for number in range(options.events or MODELS)])
    rows = [_row(name, legs) for name in sorted(set().union(*(leg.heap for leg in legs)))]
    total: list[Cell] = ["all"]
    targets = []
    for name, leg in zip(road.LEGS, legs, strict=True):
        heap, indexes = sum(leg.heap.values()) / 1024, sum(leg.indexes.values()) / 1024
        total += [sum(leg.rows.values()), heap, indexes]
        targets.append(Target(f"KB of ledger, {name}", heap + indexes, at_most=LEDGER, unit="KB"))
        targets.append(Target(f"KB of WAL, {name}", leg.wal / 1024, at_most=WAL, unit="KB"))
    columns = [f"{leg}: {what}" for leg in road.LEGS for what in ("rows", "heap KB", "indexes KB")]
    return Result(Table(("table", *columns), [*rows, total]), targets=targets)


def _legs(ours: Installation, server: Prepared, models: Sequence[str]) -> list[Leg]:
    def stage() -> None:
        events = [{"model": model, "run_id": run} for model, run in zip(models, runs, strict=True)]
        ours.queue("training_run.finished", events)()
        road._until_done(ours.ledger)

    def promote(version: int) -> None:
        ours.queue("promotion.approve", [{"model": model, "version": version} for model in models], by=road._ADA)()
        road._until_done(ours.ledger)

    runs = server.runs(len(models))
    stage()
    promote(1)
    runs = server.runs(len(models))
    return [_leg(ours.ledger, act, len(models)) for act in (stage, lambda: promote(2))]


def _leg(ledger: Ledger, act: Callable[[], None], count: int) -> Leg:
    before = _read(ledger)
    act()
    after = _read(ledger)
    rows, heap, indexes, wal = (
        {name: (new[name] - old.get(name, 0)) / count for name in new} for old, new in zip(before, after, strict=True)
    )
    return Leg(rows, heap, indexes, wal["wal"])


def _read(ledger: Ledger) -> list[dict[str, int]]:
    """Rows, bytes of heaps and of indexes by table, and the bytes of WAL that were ever written."""
    found: list[dict[str, int]] = [{} for _ in range(4)]
    with ledger.read() as connection:
        for name, is_index, bytes_ in connection.execute(_SIZES).all():
            found[1 + is_index][name] = int(bytes_)
            if not is_index:
                found[0][name] = connection.execute(text(f'SELECT count(*) FROM "{name}"')).scalar_one()  # noqa: S608 (names of our own)
        found[3]["wal"] = int(connection.execute(_LSN).scalar_one())
    return found


def _row(name: str, legs: Sequence[Leg]) -> list[Cell]:
    cells = [(leg.rows[name], leg.heap[name] / 1024, leg.indexes[name] / 1024) for leg in legs]
    return [name, *(figure for cell in cells for figure in cell)]
