"""Each fault of the table in docs/operations.md is brought about, and each cell says the right thing in two minutes.

Everything that watches goes SCALE times as fast (installation.py), so within a SCALEth of that. Faults that keep out of
each other's way are brought about together.
"""

import re
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from html import unescape
from pathlib import Path

import pytest
import requests

from registrar.keys import new_key
from tests import postgres_server
from tests.mlflow_server import free_port
from tests.slow.ops.installation import POLICY, REPOSITORY, WORKERS, Installation, Prometheus, until
from tests.slow.ops.scaled import FREE, SCALE

WITHIN = 120 / SCALE
_DOC = (REPOSITORY / "docs/operations.md").read_text()
_CODE = re.compile(r"`([^`]+)`")


@dataclass(frozen=True)
class Row:
    """Of the table."""

    fault: str
    readyz: str
    doctor: str
    alerts: frozenset[str]
    overview: tuple[str, ...]
    log: str

    def ready(self, said: str) -> bool:
        wanted = "none" if self.readyz == "no answer" else self.readyz.partition(" ")[0]
        return said.startswith(wanted) and all(code in said for code in _CODE.findall(self.readyz))

    def examined(self, said: str) -> bool:
        level, part = self.doctor.partition(":")[0].split()
        lines = [line for line in said.splitlines() if line.startswith(f"{level:<4}  {part:<8}")]
        return any(code in line for code in _CODE.findall(self.doctor) for line in lines)

    def overviewed(self, said: str) -> bool:
        return all(code in said for code in self.overview)

    def logged(self, log_of: Callable[[str], str]) -> bool:
        part, _, said = self.log.partition(": ")
        return said == "" or all(code in log_of(part) for code in _CODE.findall(said))


def table() -> dict[str, Row]:
    text = _DOC.partition("## What a fault looks like")[2].partition("\n## ")[0]
    rows = [
        [cell.strip() for cell in line.strip("| ").split(" | ")] for line in text.splitlines() if line.startswith("| ")
    ]
    _, *found = rows
    return {
        fault: Row(fault, readyz, doctor, frozenset(_CODE.findall(alerts)), tuple(_CODE.findall(overview)), log)
        for fault, readyz, doctor, alerts, overview, log in found
    }


ROWS = table()
# Those that are brought about together.
TOGETHER = (
    ("MLflow is down", "One of two workers is frozen", "A worker's clock is 60 s ahead"),
    (
        "MLflow hangs",
        "One of two workers is dead",
        "A worker's clock is 60 s behind",
        "A worker has another secret key",
        "A worker has another registrar.yml",
    ),
    ("Redis is down",),
    ("All workers are frozen", "Beat is frozen"),
    ("All workers are dead", "Beat is dead"),
    ("PostgreSQL is down",),
    ("The receiver is frozen",),
    ("The receiver is dead",),
)
# What `registrar alive` says of which parts; else that all are alive: it is of them, and not of what they wait for.
LIFELESS = {
    "One of two workers is frozen": ("worker", "it is frozen"),
    "All workers are frozen": ("worker", "it is frozen"),
    "All workers are dead": ("worker", "no worker of this installation runs here"),
    "Beat is frozen": ("beat", "it is frozen"),
    "Beat is dead": ("beat", "no beat of this installation runs here"),
    "The receiver is frozen": ("receiver", "it is frozen"),
    "The receiver is dead": ("receiver", "no receiver of this installation runs here"),
}
ALONE = "The ledger's disk is full (SQLite)"


def test_each_row_of_the_table_is_walked():
    assert sorted(ROWS) == sorted([ALONE, *(fault for faults in TOGETHER for fault in faults)])


class Faults:
    """Each by its name in the table: a block in which it is so."""

    def __init__(self, house: Installation) -> None:
        self._house = house
        self.named = {
            "MLflow is down": lambda: self._mood("refuse"),
            "MLflow hangs": lambda: self._mood("hang"),
            "Redis is down": self._cut,
            "PostgreSQL is down": self._no_database,
            "One of two workers is frozen": lambda: self._frozen(WORKERS[1]),
            "One of two workers is dead": lambda: self._dead(WORKERS[1]),
            "All workers are frozen": lambda: self._frozen(*WORKERS),
            "All workers are dead": lambda: self._dead(*WORKERS),
            "Beat is frozen": lambda: self._frozen("beat"),
            "Beat is dead": lambda: self._dead("beat"),
            "The receiver is frozen": lambda: self._frozen("receiver"),
            "The receiver is dead": lambda: self._dead("receiver"),
            "A worker's clock is 60 s ahead": lambda: self._clock(60),
            "A worker's clock is 60 s behind": lambda: self._clock(-60),
            "A worker has another secret key": lambda: self._beside("key", REGISTRAR_SECRET_KEY=new_key()),
            "A worker has another registrar.yml": lambda: self._beside("file", REGISTRAR_CONFIG=self._other_file()),
        }

    @contextmanager
    def _mood(self, mood: str) -> Iterator[None]:
        self._house.mlflow.mood = mood
        try:
            yield
        finally:
            self._house.mlflow.mood = "pass"

    @contextmanager
    def _cut(self) -> Iterator[None]:
        self._house.redis.mode = "cut"
        try:
            yield
        finally:
            self._house.redis.mode = "pass"

    @contextmanager
    def _no_database(self) -> Iterator[None]:
        postgres_server.stop(self._house.cluster)
        try:
            yield
        finally:
            postgres_server.start(self._house.cluster)

    @contextmanager
    def _frozen(self, *parts: str) -> Iterator[None]:
        for part in parts:
            self._house.signal(part, signal.SIGSTOP)
        try:
            yield
        finally:
            for part in parts:
                self._house.signal(part, signal.SIGCONT)

    @contextmanager
    def _dead(self, *parts: str) -> Iterator[None]:
        for part in parts:
            self._house.signal(part, signal.SIGKILL)
        try:
            yield
        finally:
            assert until(60, self._all_run)

    def _all_run(self) -> bool:
        self._house.stack.watch()  # starts again what died
        try:
            return all(self._house.stack.pid(part) for part in ("receiver", *WORKERS, "beat"))
        except KeyError:
            return False

    @contextmanager
    def _clock(self, seconds: int) -> Iterator[None]:
        self._house.clock.jump(seconds)
        try:
            yield
        finally:
            self._house.clock.jump(0)

    @contextmanager
    def _beside(self, name: str, **environment: str) -> Iterator[None]:
        self._house.start(name, "worker", "run", **environment)
        try:
            yield
        finally:
            self._house.stop(name)

    def _other_file(self) -> str:
        path = self._house.folder / "other.yml"
        path.write_text(POLICY.replace("version: 1,", "version: 1, max_unfinished: 70,"))
        return str(path)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with Installation(tmp_path_factory.mktemp("ops")).run() as made:
        yield made


@pytest.fixture(scope="module")
def prometheus(house: Installation) -> Iterator[Prometheus]:
    ports = house.ports
    jobs = {"receiver": [ports["receiver"]], "worker": [ports[name] for name in WORKERS], "beat": [ports["beat"]]}
    with Prometheus(
        house.folder / "prometheus", {f"registrar-{name}": each for name, each in jobs.items()}
    ).run() as made:
        yield made


def shown(url: str) -> str:
    """The first page, as it is read; "" where nobody answers."""
    try:
        text = requests.get(url, timeout=5).text
    except requests.RequestException:
        return ""
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text)))


@pytest.mark.parametrize("faults", TOGETHER, ids=", ".join)
def test_each_cell_says_the_right_thing_in_time(house: Installation, prometheus: Prometheus, faults: tuple[str, ...]):
    assert until(60, lambda: prometheus.quiet() and house.ready().startswith("200")), prometheus.firing()
    rows, named = [ROWS[fault] for fault in faults], Faults(house).named
    begun = {part: len(house.log_of(part)) for part in ("receiver", *WORKERS, "beat")}
    expected = set().union(*(row.alerts for row in rows))
    with ExitStack() as stack, ThreadPoolExecutor() as pool:
        for fault in faults:
            stack.enter_context(named[fault]())
        began = time.monotonic()
        url = house.stack.addresses.receiver_url

        def log_of(part: str) -> str:
            return house.log_of(part)[begun.get(part, 0) :]

        def eventually(right: Callable[[str], bool], say: Callable[[], str]) -> str | None:
            """What it says, where that is not right in time."""
            while not right(said := say()):
                if time.monotonic() > began + WITHIN:
                    return said
                time.sleep(0.3)
            return None

        asked = {
            "readyz": (lambda said: all(row.ready(said) for row in rows), house.ready),
            "doctor": (lambda said: all(row.examined(said) for row in rows), lambda: house.asked("doctor")),
            "overview": (
                lambda said: all(row.overviewed(said) for row in rows),
                lambda: shown(url) + house.asked("overview"),
            ),
            "alerts": (lambda said: said == str(sorted(expected)), lambda: str(sorted(prometheus.firing()))),
            "log": (lambda _: all(row.logged(log_of) for row in rows), lambda: "it lacks a line"),
        }
        found = {name: pool.submit(eventually, *each) for name, each in asked.items()}
        wrong = {name: said for name, one in found.items() if (said := one.result()) is not None}
        assert wrong == {}, f"{faults}, after {time.monotonic() - began:.0f} s"
        lifeless = dict(LIFELESS[fault] for fault in faults if fault in LIFELESS)
        for part in ("receiver", "worker", "beat"):
            assert lifeless.get(part, "is alive: heard of") in house.asked("alive", "--part", part)
        assert prometheus.firing() <= expected


def test_a_full_disk_says_the_right_thing_in_time(house: Installation, tmp_path: Path):
    row, port, watched = ROWS[ALONE], free_port(), free_port()
    url = f"http://127.0.0.1:{port}"
    environment = {
        "REGISTRAR_LEDGER_URL": f"sqlite:///{tmp_path}/ledger.db",
        "REGISTRAR_PUBLIC_URL": url,
        "REGISTRAR_LOCAL_URL": url,
        "REGISTRAR_METRICS": f"127.0.0.1:{watched}",
        FREE: str(tmp_path / "free"),
    }
    house.asked("migrate", **environment)
    house.start("full", "webhooks.serve", "--port", str(port), **environment)
    jobs = {"registrar-receiver": [watched]}
    with Prometheus(tmp_path / "prometheus", jobs).run() as prometheus:
        others = {"RegistrarNoWorker", "RegistrarNoClock"}  # there is none
        assert until(60, lambda: prometheus.firing() == others and house.ready(url).startswith("200"))
        (tmp_path / "free").write_text(str(5 * 2**20))
        assert until(WITHIN, lambda: prometheus.firing() == others | row.alerts), prometheus.firing()
        assert row.ready(house.ready(url))
        assert row.examined(house.asked("doctor", **environment))
        assert row.overviewed(shown(url))
        assert row.logged(lambda _: house.log_of("full"))
    house.stop("full")
