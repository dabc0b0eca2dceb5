"""What goes wrong, one fault at a time, each over before the next begins."""

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

import redis

from registrar.embedded import Stack
from tests.chaos.proxy import Proxy

STOPPED = 20.0  # seconds that a worker is frozen: longer than a lease


class Faults:
    """strike() does one of them, chosen by the seed; struck counts them by kind."""

    def __init__(self, stack: Stack, proxy: Proxy, *, seed: int) -> None:
        self._stack, self._proxy = stack, proxy
        self._chance = random.Random(seed)  # noqa: S311 (a seed makes it repeatable)
        self.struck: Counter[str] = Counter()
        kills = {f"kill -9 {part}": self._kill(part) for part in ("worker", "receiver", "beat", "redis")}
        moods = {f"MLflow {mood}": self._mood(mood) for mood in ("refuse", "unavailable", "cut", "hang")}
        self._kinds: dict[str, Callable[[], None]] = {
            **kills,
            **moods,
            "redis flushed": self._flush,
            "worker frozen past its lease": self._freeze,
        }
        self._weights = [4, 2, 1, 2, 2, 2, 8, 1, 2, 1]

    def strike(self, *, patience: float) -> None:
        """patience: seconds left; what takes longer is not begun."""
        [kind] = self._chance.choices(list(self._kinds), self._weights)
        if kind == "worker frozen past its lease" and patience < STOPPED + 10:
            kind = "kill -9 worker"
        with suppress(KeyError, ProcessLookupError, redis.RedisError):  # the part is being restarted just now
            self._kinds[kind]()
            self.struck[kind] += 1

    def _kill(self, part: str) -> Callable[[], None]:
        return lambda: os.kill(self._stack.pid(part), signal.SIGKILL)

    def _mood(self, mood: str) -> Callable[[], None]:
        def act() -> None:
            self._proxy.mood = mood
            time.sleep(self._chance.uniform(1, 12 if mood == "hang" else 4))
            self._proxy.mood = "pass"

        return act

    def _flush(self) -> None:
        redis.Redis.from_url(self._stack.addresses.broker_url, socket_timeout=2).flushall()

    def _freeze(self) -> None:
        worker = self._stack.pid("worker")
        os.kill(worker, signal.SIGSTOP)
        time.sleep(STOPPED)
        os.kill(worker, signal.SIGCONT)
