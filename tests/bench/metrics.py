"""How long until /metrics shows all of a journal's counts, from the start of a receiver's process.

Scraped five times a second, while another process commits all the time: neither must wait for the counting.
"""

import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from http.client import HTTPConnection

from prometheus_client.parser import text_string_to_metric_families

from registrar.ledger import Ledger, metrics_checkpoint
from registrar.ledger.engine import now
from registrar.ledger.used_nonces import spend
from registrar.local import services as usual
from registrar.local.installation import LOOPBACK, Installation
from registrar.local.services import Started
from tests.bench import processes
from tests.bench.lives import REGISTRAR_YML, fill_journal
from tests.bench.options import Options
from tests.bench.result import Plot, Result, Table, Target
from tests.bench.rounds import Figures, medians
from tests.bench.start import House, house
from tests.postgres_server import database
from tests.postgres_server import serve as serve_postgres

TITLE = "Metrics of the journal: seconds from a receiver's start until /metrics shows all of it"
SIZE = 1_000_000
AT_MOST = 5.0
MODELS = 1_000
FIRST, LATER = "the first after an upgrade", "with a checkpoint"
COMPLETE, CPU, SCRAPE, COMMIT = "complete after s", "CPU s", "slowest scrape, ms", "slowest commit beside it, ms"
COLUMNS = (COMPLETE, CPU, SCRAPE, COMMIT)
_SCRAPE_EVERY = 0.2  # seconds
_COMMIT_EVERY = 0.02  # seconds
_PATIENCE = 1800.0  # seconds
_CONFIG = REGISTRAR_YML.replace("env:CI", "file:ci.whsec")


@dataclass
class Complete:
    """Ready when a scrape shows all entries."""

    port: int
    entries: int
    slowest: float = 0.0

    def __call__(self, started: Started) -> bool:
        time.sleep(_SCRAPE_EVERY)
        begun = time.perf_counter()
        try:
            shown = self._scrape()
        except OSError:  # it does not listen yet
            return False
        self.slowest = max(self.slowest, time.perf_counter() - begun)
        return shown == self.entries

    def _scrape(self) -> float:
        connection = HTTPConnection(LOOPBACK, self.port, timeout=60)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        connection.close()
        families = (one for one in text_string_to_metric_families(text) if one.name == "registrar_journal_entries")
        return sum(sample.value for family in families for sample in family.samples)


@dataclass
class Writer:
    """A thread that commits all the time. slowest: in seconds."""

    ledger: Ledger
    slowest: float = 0.0
    _done: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def writing(self) -> Iterator[None]:
        thread = threading.Thread(target=self._write)
        thread.start()
        try:
            yield
        finally:
            self._done.set()
            thread.join()

    def _write(self) -> None:
        while not self._done.wait(_COMMIT_EVERY):
            begun = time.perf_counter()
            with self.ledger.write() as connection:
                spend(connection, uuid.uuid4().hex, until=now() + timedelta(hours=1), at=now())
            self.slowest = max(self.slowest, time.perf_counter() - begun)


def measure(options: Options) -> Result:
    count = options.events or SIZE
    rounds: dict[tuple[str, str], list[Figures]] = {}
    for name in options.ledgers:
        with filled(name, count) as (home, site, ledger, entries):
            for _ in range(options.rounds):
                with ledger.write() as connection:
                    metrics_checkpoint.restart(connection, metrics_checkpoint.current(connection))
                for start in (FIRST, LATER):
                    rounds.setdefault((name, start), []).append(once(home, site, ledger, entries))
    figures = {key: medians(of_it) for key, of_it in rounds.items()}
    return Result(
        Table(
            ("ledger", "start", *COLUMNS),
            [(name, start, *(found[column] for column in COLUMNS)) for (name, start), found in figures.items()],
        ),
        targets=[
            Target(f"{name}, {start}, {count:,} entries", found[COMPLETE], at_most=AT_MOST, unit="s")
            for (name, start), found in figures.items()
            if start == LATER
        ],
        plots=[
            Plot(
                "Complete after",
                "s",
                list(options.ledgers),
                {start: [figures[name, start][COMPLETE] for name in options.ledgers] for start in (FIRST, LATER)},
                logarithmic=True,
            )
        ],
        rounds={f"{name}, {start}": of_it for (name, start), of_it in rounds.items()},
    )


@contextmanager
def filled(name: str, count: int) -> Iterator[tuple[House, Installation, Ledger, int]]:
    """An installation whose receiver is not started, its ledger, and how many entries its journal has."""
    with ExitStack() as stack:
        cluster = stack.enter_context(serve_postgres(durable=True)) if name == "postgresql" else None
        url = stack.enter_context(database(cluster)) if cluster else None
        home, site = stack.enter_context(house(_CONFIG, url))
        ledger = Ledger(site.addresses.ledger_url)
        stack.callback(ledger.close)
        yield home, site, ledger, fill_journal(ledger, count, models=MODELS)


def once(home: House, site: Installation, ledger: Ledger, entries: int) -> Figures:
    """Start a receiver and scrape it until it shows all entries."""
    complete, writer = Complete(site.ports["receiver"], entries), Writer(ledger)
    receiver = replace(usual.receiver(site), ready=complete, start_timeout=_PATIENCE)
    with writer.writing(), home.running(receiver) as running:
        seconds, cpu = running.age, processes.cpu([running.pid])
    return {COMPLETE: seconds, CPU: cpu, SCRAPE: complete.slowest * 1000, COMMIT: writer.slowest * 1000}
