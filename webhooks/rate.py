"""How many requests are heard: counted on Redis for all receivers together, and here while Redis does not answer.

`limits` counts; flask-limiter, which wraps it, has no place between the content type and the size of a body, and lets
the requests that are under way when its Redis dies fail with a 500 (flask_limiter/_extension.py, _check_request_limit).
"""

import math
import threading
import time
from collections.abc import Callable
from functools import cache
from ipaddress import IPv6Address, ip_address
from typing import Any, Protocol, TypeVar

from limits import RateLimitItem, parse
from limits.storage import MemoryStorage, RedisSentinelStorage, RedisStorage
from limits.strategies import RateLimiter, SlidingWindowCounterRateLimiter

from registrar.broker import Broker, patience
from webhooks.ahead import Ahead
from webhooks.crew import aside
from webhooks.errors import TooMany

TIMEOUT = 0.5  # seconds
PAUSE = 5.0  # after a failure, before Redis is asked again, by one request alone
REFUSED_FOR = 1.0  # second, after a count that was refused
LONGEST_WAIT = 60  # far below the 300 s after which a sender's retry with the same signature would be stale
# Of requests without a good signature, per address. Also what an honest sender with a wrong secret comes to in an hour.
REFUSALS = "300/minute"
PREFIX = "registrar:rate"
Answer = TypeVar("Answer")


class Limits(Protocol):
    """What the door asks. limit: such as 600/minute. key: whose."""

    def check(self, limit: str, *key: str) -> None: ...

    def count(self, limit: str, *key: str, ahead: bool = False) -> None: ...


class Rate:
    """A sliding window for each key, of this installation and all its receivers. Raises TooMany."""

    def __init__(self, broker_url: str) -> None:
        self._own: RateLimiter = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._redis = _redis(broker_url)
        self._shared: RateLimiter = SlidingWindowCounterRateLimiter(self._redis) if self._redis else self._own
        self._silent_until = 0.0
        self._refused: dict[tuple[str, ...], float] = {}  # until when
        self._ahead = Ahead()
        self._lock = threading.Lock()

    def check(self, limit: str, *key: str) -> None:
        """Whether there was room for one more a moment ago, for who must not be counted yet. Redis is not asked."""
        if time.monotonic() < self._refused.get(key, 0.0):
            raise self._too_many(limit, *key)

    def count(self, limit: str, *key: str, ahead: bool = False) -> None:
        """One more. What is one too many is not counted. ahead: of keys that are few, while they are busy, some are
        counted together.
        """
        if ahead and self._ahead.take(key):
            return
        size = self._ahead.next(key, _item(limit).amount) if ahead else 1
        if size > 1 and self._hit(limit, key, size):
            self._ahead.counted(key, size)
        elif self._hit(limit, key, 1):
            if ahead:
                self._ahead.counted(key, 1)
        else:
            self._remember(key)
            raise self._too_many(limit, *key)

    def _hit(self, limit: str, key: tuple[str, ...], size: int) -> bool:
        return self._ask(lambda limiter: limiter.hit(_item(limit), *key, cost=size))

    def _remember(self, key: tuple[str, ...]) -> None:
        now = time.monotonic()
        with self._lock:
            kept = {other: until for other, until in self._refused.items() if until > now}
            self._refused = {**kept, key: now + REFUSED_FOR}

    def _too_many(self, limit: str, *key: str) -> TooMany:
        free_at = self._ask(lambda limiter: limiter.get_window_stats(_item(limit), *key).reset_time)
        seconds = min(LONGEST_WAIT, max(1, math.ceil(free_at - time.time())))
        return TooMany(f"more than {limit}; send it again in {seconds} s", retry_after=seconds)

    def _ask(self, question: Callable[[RateLimiter], Answer]) -> Answer:
        if self._redis and self._may_try():
            try:
                answer = aside(lambda: question(self._shared)) if self._silent_until else question(self._shared)
            except self._redis.base_exceptions:
                self._silent_until = time.monotonic() + PAUSE
            else:
                self._silent_until = 0.0
                return answer
        return question(self._own)

    def _may_try(self) -> bool:
        """While Redis is silent, one request in PAUSE tries again; the others do not wait for what it learns."""
        if not self._silent_until:
            return True
        with self._lock:
            if time.monotonic() < self._silent_until:
                return False
            self._silent_until = time.monotonic() + PAUSE
            return True


def address_key(remote: str | None) -> str:
    """Whom an address stands for: of IPv6 the /64, of which one host has all; a Unix socket has none."""
    try:
        address = ip_address((remote or "").partition("%")[0])
    except ValueError:
        return "-"
    if isinstance(address, IPv6Address):
        return str(address.ipv4_mapped or IPv6Address(int(address) >> 64 << 64))
    return str(address)


@cache
def _item(limit: str) -> RateLimitItem:
    return parse(limit)


def _redis(broker_url: str) -> RedisStorage | None:
    """The broker's Redis, or None where the broker is none: then each receiver counts for itself."""
    broker = Broker.parse(broker_url)
    if broker.rate_url is None:
        return None
    options: dict[str, Any] = {"key_prefix": PREFIX, **patience(TIMEOUT), **broker.rate_options}
    if broker.kind == "sentinel":
        asking: dict[str, Any] = {**patience(TIMEOUT), "retry": None, "username": None, "password": None}
        storage: RedisStorage = RedisSentinelStorage(
            broker.rate_url, use_replicas=False, sentinel_kwargs=asking, **options
        )
    else:
        storage = RedisStorage(broker.rate_url, **options)
    # redis-py tries three times, and sleeps in between for seconds; here somebody is waiting.
    redis = storage.dependencies["redis"].module
    storage.storage.set_retry(redis.retry.Retry(redis.backoff.NoBackoff(), 0))
    return storage
