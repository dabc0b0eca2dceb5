"""Each fault of the table in docs/how-to/operations.md is brought about, and each cell is right in two minutes.

Everything that watches goes SCALE times as fast (installation.py), so within a SCALEth of that. Faults that keep out of
each other's way are brought about together.
"""

import re
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from html import unescape
from pathlib import Path

import pytest
import requests

from tests.mlflow_server import free_port
from tests.slow.ops.faults import Faults
from tests.slow.ops.installation import WORKERS, Installation, Prometheus, until
from tests.slow.ops.scaled import FREE, SCALE
from tests.slow.ops.table import Row, table

WITHIN = 120 / SCALE
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


@dataclass(frozen=True)
class Question:
    """right: whether what it says is. pause: seconds before it is asked again."""

    right: Callable[[str], bool]
    say: Callable[[], str]
    pause: float = 0.3

    def wrong(self, until: float) -> str | None:
        """What it says, where that is not right in time. until: by the monotonic clock."""
        while not self.right(said := self.say()):
            if time.monotonic() > until:
                return said
            time.sleep(self.pause)
        return None


def questions(house: Installation, prometheus: Prometheus, faults: Sequence[str]) -> dict[str, Question]:
    """Of each column. The log is what is written from now on."""
    rows, url = [ROWS[fault] for fault in faults], house.stack.addresses.receiver_url
    begun = {part: len(house.log_of(part)) for part in ("receiver", *WORKERS, "beat")}
    expected = str(sorted(set().union(*(row.alerts for row in rows))))

    def every(right: Callable[[Row, str], bool]) -> Callable[[str], bool]:
        return lambda said: all(right(row, said) for row in rows)

    def log_of(part: str) -> str:
        return house.log_of(part)[begun[part] :]

    return {
        "readyz": Question(every(Row.ready), house.ready),
        "doctor": Question(every(Row.examined), lambda: house.asked("doctor"), pause=1),
        "overview": Question(every(Row.overviewed), lambda: shown(url) + house.asked("overview"), pause=1),
        "alerts": Question(lambda said: said == expected, lambda: str(sorted(prometheus.firing()))),
        "log": Question(lambda _: all(row.logged(log_of) for row in rows), lambda: "it lacks a line"),
        **{f"alive --part {part}": alive(house, part, faults) for part in ("receiver", "worker", "beat")},
    }


def alive(house: Installation, part: str, faults: Sequence[str]) -> Question:
    right = dict(LIFELESS[fault] for fault in faults if fault in LIFELESS).get(part, "is alive: heard of")
    return Question(lambda said: right in said, lambda: house.asked("alive", "--part", part), pause=1)


@pytest.mark.parametrize("faults", TOGETHER, ids=", ".join)
def test_each_cell_says_the_right_thing_in_time(house: Installation, prometheus: Prometheus, faults: tuple[str, ...]):
    assert until(60, lambda: prometheus.quiet() and house.ready().startswith("200")), prometheus.firing()
    asked, named = questions(house, prometheus, faults), Faults(house).named
    with ExitStack() as stack, ThreadPoolExecutor(len(asked)) as pool:
        for fault in faults:
            stack.enter_context(named[fault]())
        began = time.monotonic()
        found = {name: pool.submit(one.wrong, began + WITHIN) for name, one in asked.items()}
        wrong = {name: said for name, one in found.items() if (said := one.result()) is not None}
        assert wrong == {}, f"{faults}, after {time.monotonic() - began:.0f} s"
        assert asked["alerts"].right(asked["alerts"].say()), "and no others fire meanwhile"


def test_a_full_disk_says_the_right_thing_in_time(house: Installation, blank: Path, tmp_path: Path):
    row, port, watched = ROWS[ALONE], free_port(), free_port()
    url = f"http://127.0.0.1:{port}"
    environment = {
        "REGISTRAR_LEDGER_URL": f"sqlite:///{tmp_path}/ledger.db",
        "REGISTRAR_PUBLIC_URL": url,
        "REGISTRAR_LOCAL_URL": url,
        "REGISTRAR_METRICS": f"127.0.0.1:{watched}",
        FREE: str(tmp_path / "free"),
    }
    shutil.copy(blank, tmp_path / "ledger.db")
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
