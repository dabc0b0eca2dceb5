"""What `registrar compact` leaves of a year of main jobs, what it costs, and what whoever accepts beside it waits.

The year is a part of one: as many days, with fewer events a day. Sizes are those of what is in use: SQLite's pages less
the free ones, PostgreSQL's after VACUUM FULL.
"""

import tempfile
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import NamedTuple

from sqlalchemy import text

from registrar.compaction import run
from registrar.compaction.journal_files import check_files, whole_journal
from registrar.compaction.places import place
from registrar.events.event import Actor, Event
from registrar.events.types import parse
from registrar.ledger import Ledger
from registrar.ledger.deliveries import accept
from registrar.ledger.engine import now
from registrar.ledger.event_rows import Delivery
from registrar.ledger.journal.verify import verify
from registrar.ledger.migrate import migrate
from tests.bench.main_job_past import fill
from tests.bench.options import Options
from tests.bench.result import Plot, Result, Table, Target
from tests.ledger.counted import count_journal
from tests.postgres_server import database
from tests.postgres_server import serve as serve_postgres

TITLE = "Compaction: the ledger after a year of 1,000 main jobs a day, by the age given to --older-than"
EVENTS, DAYS, A_DAY = 40_000, 365, 1_000
# Events of a model in the year: seven a day.
_OF_A_MODEL = 2_600
# Ages beyond which things go, in days, one after the other in the same ledger; 365: nothing goes.
WHOLE = (365, 90, 30, 7)
AT_MOST = 1.0  # GB after a year
_AGE = "age given to --older-than, days"
_COLUMNS = ("ledger", _AGE, "KB an event", "GB after a year", "files, GB a year", "took, s", "audit verify, s")
_WAITS = ("an accept beside it, ms: median", "longest")
_GB = 1e9


class Figures(NamedTuple):
    """kb: of an event, in the ledger. gb: of a year, in the ledger. files: of a year, in files.

    took: the run, in seconds. verified: `audit verify`, in seconds. wait, longest: of accepts beside it, in ms.
    """

    kb: float
    gb: float
    files: float
    took: float
    verified: float
    wait: float
    longest: float


@dataclass(frozen=True)
class Year:
    """A ledger with a past, and the folder for the files. empty: its bytes before."""

    ledger: Ledger
    folder: Path
    events: int
    empty: float

    def compact(self, days: int) -> Figures:
        cutoff = now() - timedelta(days=days)
        count_journal(self.ledger)  # as a receiver has
        begun = time.monotonic()
        with _accepting(self.ledger) as waits:
            for _ in run.archive(self.ledger, cutoff=cutoff, where=place(str(self.folder))):
                pass
            took = time.monotonic() - begun
            time.sleep(max(0.0, 1 - took))
        begun = time.monotonic()
        with self.ledger.read() as connection:
            verify(connection, journal=whole_journal)
            assert not check_files(connection).lost
        verified = time.monotonic() - begun
        size, filed = _size(self.ledger) - self.empty, sum(file.stat().st_size for file in self.folder.glob("*"))
        year = DAYS * A_DAY / self.events / _GB
        each = (size / self.events / 1e3, size * year, filed * year)
        return Figures(*each, took, verified, median(waits) * 1e3, max(waits) * 1e3)


def measure(options: Options) -> Result:
    count = options.events or EVENTS
    found: dict[tuple[str, int], Figures] = {}
    for name in options.ledgers:
        with _past(name, count) as year:
            found |= {(name, days): year.compact(days) for days in WHOLE}
    return Result(
        table=Table((*_COLUMNS, *_WAITS), [(name, str(days), *figures) for (name, days), figures in found.items()]),
        targets=[
            Target(f"a year on {name}, --older-than {last}d", found[name, last].gb, at_most=AT_MOST, unit="GB")
            for name in options.ledgers
            for last in WHOLE[-1:]
        ],
        plots=[Plot("ledger after a year", "GB", [str(days) for days in WHOLE], _series(options.ledgers, found))],
        rounds={f"{name}, {days}": figures._asdict() for (name, days), figures in found.items()},
        machine={"events": count},
    )


def _series(ledgers: Sequence[str], found: dict[tuple[str, int], Figures]) -> dict[str, list[float | None]]:
    return {name: [found[name, days].gb for days in WHOLE] for name in ledgers}


@contextmanager
def _past(name: str, count: int) -> Iterator[Year]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        cluster = stack.enter_context(serve_postgres(durable=True)) if name == "postgresql" else None
        url = stack.enter_context(database(cluster)) if cluster else f"sqlite:///{folder}/ledger.db"
        ledger = Ledger(url)
        stack.callback(ledger.close)
        migrate(ledger)
        empty = _size(ledger)
        fill(ledger, count, models=max(1, count // _OF_A_MODEL), until=datetime.now(UTC), days=DAYS)
        yield Year(ledger, folder / "archive", count, empty)


def _size(ledger: Ledger) -> float:
    """Return the bytes that are in use."""
    if ledger.engine.dialect.name == "sqlite":
        with ledger.read() as connection:
            pages, free, each = (
                connection.execute(text(f"PRAGMA {what}")).scalar_one()
                for what in ("page_count", "freelist_count", "page_size")
            )
        return float((pages - free) * each)
    with ledger.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM FULL"))
        return float(connection.execute(text("SELECT pg_database_size(current_database())")).scalar_one())


@contextmanager
def _accepting(ledger: Ledger) -> Iterator[list[float]]:
    """Accept four events a second until the end of the block; afterwards the list has how long each took, in s."""
    over, waits = threading.Event(), []

    def work() -> None:
        while not over.wait(0.25):
            begun = time.perf_counter()
            _accept(ledger)
            waits.append(time.perf_counter() - begun)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield waits
    finally:
        over.set()
        thread.join()


def _accept(ledger: Ledger) -> None:
    event = Event(parse("training_run.finished", {"model": "new", "run_id": "r"}), Actor("source:ci", "ci"), now())
    with ledger.write() as connection:
        accept(connection, Delivery("ci", uuid.uuid4().hex, "0" * 64), [event], at=now())
