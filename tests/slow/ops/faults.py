"""Each fault of the table in docs/how-to/operations.md, as a block in which it is so."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

from registrar.config.key_generation import new_key
from tests import postgres_server
from tests.slow.ops.installation import POLICY, WORKERS, Installation, until


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
