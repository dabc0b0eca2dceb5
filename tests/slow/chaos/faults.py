"""What goes wrong, one fault at a time, each over before the next begins."""

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

import psutil
import redis

from registrar.local import Stack
from tests.slow.chaos.parts import CLIENTS, WORKERS, House
from tests.slow.chaos.proxy import CREATE, LOOK, WRITES, Proxy

FROZEN = 20.0  # seconds that a worker is frozen: longer than a lease
HANG = 30.0
AMBUSH = 15.0  # seconds that it is waited for a request to fall upon
_WEIGHTS = {
    "kill -9 worker": 4,
    "kill -9 receiver": 2,
    "kill -9 receiver's child": 1,
    "kill -9 beat": 1,
    "kill -9 redis": 2,
    "kill -9 mlflow": 1,
    "kill -9 worker after its write": 3,
    "MLflow refuse": 2,
    "MLflow unavailable": 2,
    "MLflow cut": 6,
    "MLflow hang": 1,
    "MLflow late": 2,
    "redis flushed": 2,
    "redis half-open": 2,
    "redis partitioned": 2,
    "worker frozen past its lease": 1,
    "worker frozen between look and write": 2,
    "clock of all parts off by a minute": 2,
    "clock of workers off by an hour": 2,
}


class Faults:
    """strike() does one of them, chosen by the seed: each kind once, then by weight. struck counts those that hit."""

    def __init__(self, stack: Stack, house: House, *, seed: int) -> None:
        self._stack, self._house = stack, house
        self._chance = random.Random(seed)  # noqa: S311 (a seed makes it repeatable)
        self._first = self._chance.sample(list(_WEIGHTS), len(_WEIGHTS))
        self.struck: Counter[str] = Counter()
        self._kinds: dict[str, Callable[[], bool]] = {
            **{f"kill -9 {part}": self._kill(part) for part in ("receiver", "beat", "redis")},
            "kill -9 worker": self._kill_worker,
            "kill -9 receiver's child": self._kill_child,
            "kill -9 mlflow": self._kill_mlflow,
            "kill -9 worker after its write": self._kill_after_write,
            **{f"MLflow {mood}": self._mood(mood) for mood in ("refuse", "unavailable", "cut", "hang", "late")},
            "redis flushed": self._flush,
            "redis half-open": lambda: self._part("silent", self._chance.uniform(2, 25)),
            "redis partitioned": lambda: self._part("hold", self._chance.uniform(0.2, 15), then="cut"),
            "worker frozen past its lease": self._freeze,
            "worker frozen between look and write": self._freeze_between,
            "clock of all parts off by a minute": lambda: self._jump(("working", "listening"), (-60, 60)),
            "clock of workers off by an hour": lambda: self._jump(("working",), (-3600, 3600)),
        }

    def strike(self) -> None:
        kind = self._first.pop() if self._first else self._chance.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0]
        # The part may be on its way up again just now.
        with suppress(KeyError, ProcessLookupError, psutil.NoSuchProcess, redis.RedisError):
            self.struck[kind] += self._kinds[kind]()

    def _worker(self) -> str:
        return self._chance.choice(WORKERS)

    def _kill(self, part: str) -> Callable[[], bool]:
        def act() -> bool:
            os.kill(self._stack.pid(part), signal.SIGKILL)
            return True

        return act

    def _kill_worker(self) -> bool:
        return self._kill(self._worker())()

    def _kill_child(self) -> bool:
        for child in psutil.Process(self._stack.pid("receiver")).children():
            child.kill()
            return True
        return False

    def _kill_mlflow(self) -> bool:
        """With its children: the server itself, not only the one that started it."""
        os.killpg(self._stack.pid("mlflow"), signal.SIGKILL)
        return True

    def _mood(self, mood: str) -> Callable[[], bool]:
        longest = {"hang": HANG, "late": 14}.get(mood, 4)
        return lambda: self._with_mood(mood, self._chance.uniform(longest / 3, longest))

    def _with_mood(self, mood: str, seconds: float) -> bool:
        for proxy in self._house.mlflow.values():
            proxy.mood = mood
        time.sleep(seconds)
        for proxy in self._house.mlflow.values():
            proxy.mood = "pass"
        return True

    def _flush(self) -> bool:
        redis.Redis.from_url(self._stack.addresses.broker_url, socket_timeout=2).flushall()
        return True

    def _part(self, mode: str, seconds: float, *, then: str = "pass") -> bool:
        """One part's links to Redis, or everybody's."""
        some = self._chance.choice([CLIENTS, *((name,) for name in CLIENTS)])
        for name in some:
            self._house.redis[name].mode = mode
        time.sleep(seconds)
        for next_mode in (then, "pass"):
            for name in some:
                self._house.redis[name].mode = next_mode
        return True

    def _freeze(self) -> bool:
        worker = self._stack.pid(self._worker())
        os.kill(worker, signal.SIGSTOP)
        time.sleep(FROZEN)
        os.kill(worker, signal.SIGCONT)
        return True

    def _freeze_between(self) -> bool:
        """It has seen that there is no such version, and makes one when it wakes: another has made it meanwhile."""
        name = self._worker()
        stopped: list[int] = []

        def stop() -> None:
            stopped.append(self._stack.pid(name))
            os.kill(stopped[0], signal.SIGSTOP)

        if not self._proxy(name).ambush((LOOK,), stop, within=AMBUSH) or not stopped:
            return False
        time.sleep(FROZEN)
        os.kill(stopped[0], signal.SIGCONT)
        return True

    def _kill_after_write(self) -> bool:
        """MLflow has done it, and nobody is left who knows."""
        name, calls = self._worker(), self._chance.choice([(CREATE,), WRITES])
        return self._proxy(name).ambush(calls, self._kill(name), within=AMBUSH)

    def _proxy(self, name: str) -> Proxy:
        return self._house.mlflow[name]

    def _jump(self, clocks: tuple[str, ...], choices: tuple[int, ...]) -> bool:
        seconds = self._chance.choice(choices)
        for name in clocks:
            self._house.clocks[name].jump(seconds)
        time.sleep(self._chance.uniform(4, 12))
        for name in clocks:
            self._house.clocks[name].jump(0)
        return True
