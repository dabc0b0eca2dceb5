"""Rate limits: a sliding window per key, over all receivers of an installation. No request ever waits for Redis.

Each request is decided in memory: by the quota that all receivers had left at the last report to Redis, less the
requests admitted here since. A thread reports admitted requests to Redis and reads the remaining quota every
REPORT_EVERY seconds, while there is something to report. So a limit is exceeded at most by what other receivers admit
between two reports. While Redis does not answer, each receiver counts for itself.

`limits` counts; flask-limiter, which wraps it, asks Redis while the request waits, and lets the requests that are under
way when Redis dies fail with a 500 (flask_limiter/_extension.py, _check_request_limit).
"""

import logging
import math
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from ipaddress import IPv6Address, ip_address
from typing import Any, Protocol

from limits import RateLimitItem, parse
from limits.storage import MemoryStorage, RedisSentinelStorage, RedisStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from registrar.broker.url import Broker, patience
from webhooks.ingress.errors import TooMany

log = logging.getLogger(__name__)

# Seconds that Redis may take to answer the reporting thread.
TIMEOUT = 0.5
# Seconds after a failure before Redis is asked again.
PAUSE = 5.0
# Seconds between two reports.
REPORT_EVERY = 0.05
# Seconds between two looks whether a key that is at its limit has room again.
LOOK_AGAIN = 0.5
# Seconds; far below the 300 s after which a sender's retry with the same signature would be stale.
LONGEST_WAIT = 60
# Requests without a valid signature, per address.
REFUSALS = "300/minute"
PREFIX = "registrar:rate"
# What the keys of sources begin with.
SOURCE = "source"
# Keys in memory; beyond that, the first of them is forgotten. Sources are few, and stay.
_MOST_KEYS = 5000
# Keys in one report, sources first: Redis takes some 0.7 ms for each.
_MOST_REPORTED = 100


class Limits(Protocol):
    """limit: such as 600/minute. key: whose budget. Both raise TooMany, and neither blocks."""

    def check(self, limit: str, *key: str) -> None:
        """Check for remaining quota without counting a request."""

    def count(self, limit: str, *key: str) -> None:
        """Count one request. A refused one is not counted."""


@dataclass
class _Window:
    """A key's quota as this process knows it. room: requests left at reported_at. admitted: requests since then.

    refused: a request was refused since. reset_at: Unix time.
    """

    limit: str
    room: int
    reported_at: float
    admitted: int = 0
    refused: bool = False
    reset_at: float = 0.0

    @property
    def full(self) -> bool:
        """Return whether the quota is used up. A sliding window gives a share of the limit back as time passes."""
        item = _item(self.limit)
        share = (time.monotonic() - self.reported_at) / item.get_expiry()
        return self.admitted >= min(item.amount, self.room + int(item.amount * share))


class RateLimiter:
    """Limits that receivers share through Redis; one per process."""

    def __init__(self, broker_url: str) -> None:
        self._alone = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._redis = _redis(broker_url)
        self._silent = self._redis is None
        self._closed = False
        self._ask_at = 0.0
        self._windows: dict[tuple[str, ...], _Window] = {}
        self._lock, self._starting = threading.Lock(), threading.Lock()
        self._wake = threading.Event()
        self._reporter: threading.Thread | None = None

    def check(self, limit: str, *key: str) -> None:
        with self._lock:
            window = None if self._silent else self._windows.get(key)
            if window and window.full:
                window.refused = True
                self._report_soon()
                raise _too_many(limit, window.reset_at)
        if self._silent and not self._alone.test(_item(limit), *key):
            raise self._alone_too_many(limit, *key)

    def count(self, limit: str, *key: str) -> None:
        self._report_soon()
        with self._lock:
            if not self._silent:
                self._admit(self._window(limit, key))
                return
        if not self._alone.hit(_item(limit), *key):
            raise self._alone_too_many(limit, *key)

    @staticmethod
    def _admit(window: _Window) -> None:
        if window.full:
            window.refused = True
            raise _too_many(window.limit, window.reset_at)
        window.admitted += 1

    def close(self) -> None:
        """End the thread."""
        self._closed = True
        self._wake.set()

    def _window(self, limit: str, key: tuple[str, ...]) -> _Window:
        """Return a key's window. A new key has the whole limit until the first report."""
        window = self._windows.get(key)
        if window is None:
            if len(self._windows) >= _MOST_KEYS and (forgotten := next(filter(_is_passing, self._windows), None)):
                del self._windows[forgotten]
            window = self._windows[key] = _Window(limit, _item(limit).amount, time.monotonic())
        return window

    def _alone_too_many(self, limit: str, *key: str) -> TooMany:
        return _too_many(limit, self._alone.get_window_stats(_item(limit), *key).reset_time)

    def _report_soon(self) -> None:
        """Wake the thread; the first request starts it, since threads don't survive a fork."""
        if self._redis is None or self._wake.is_set():
            return
        self._wake.set()
        if self._reporter is None:
            with self._starting:
                if self._reporter is None:
                    self._reporter = threading.Thread(
                        target=self._run, args=(self._redis,), name="rate-limit", daemon=True
                    )
                    self._reporter.start()

    def _run(self, redis: RedisStorage) -> None:
        together = SlidingWindowCounterRateLimiter(redis)
        while not self._closed:
            self._wake.wait()
            time.sleep(REPORT_EVERY)
            self._wake.clear()
            if time.monotonic() >= self._ask_at:
                try:
                    self._report(redis, together)
                except Exception as error:  # noqa: BLE001 (whatever Redis says instead of an answer; the thread goes on)
                    self._count_alone(error)

    def _report(self, redis: RedisStorage, together: SlidingWindowCounterRateLimiter) -> None:
        for key, window in self._to_report():
            self._report_one(together, key, window)
        if self._silent:
            redis.get_connection().ping()
            self._silent = False

    def _count_alone(self, error: Exception) -> None:
        """Count in this process only, until Redis answers again."""
        if not self._silent:
            log.warning("Redis does not count (%s): each receiver counts for itself", type(error).__name__)
        self._ask_at = time.monotonic() + PAUSE
        with self._lock:
            for key, window in self._windows.items():
                _fill(self._alone, window.limit, key, window.admitted)
            self._windows.clear()
            self._silent = True

    def _report_one(self, together: SlidingWindowCounterRateLimiter, key: tuple[str, ...], window: _Window) -> None:
        admitted = window.admitted
        room, reset_at = _charge(together, window.limit, key, admitted)
        with self._lock:
            window.admitted -= admitted
            window.room, window.reset_at, window.reported_at = room, reset_at, time.monotonic()

    def _to_report(self) -> Sequence[tuple[tuple[str, ...], _Window]]:
        with self._lock:
            now = time.monotonic()
            due = [
                (key, window)
                for key, window in self._windows.items()
                if window.admitted or (window.refused and now >= window.reported_at + LOOK_AGAIN)
            ]
            due = sorted(due, key=lambda one: _is_passing(one[0]))[:_MOST_REPORTED]
            for _, window in due:
                window.refused = False
            if len(due) == _MOST_REPORTED:
                self._wake.set()
            return due


def address_key(remote: str | None) -> str:
    """Return the rate-limit key of a peer address (IPv6: its /64, which one host owns; a Unix socket: "-")."""
    try:
        address = ip_address((remote or "").partition("%")[0])
    except ValueError:
        return "-"
    if isinstance(address, IPv6Address):
        return str(address.ipv4_mapped or IPv6Address(int(address) >> 64 << 64))
    return str(address)


def _too_many(limit: str, reset_at: float) -> TooMany:
    seconds = min(LONGEST_WAIT, max(1, math.ceil(reset_at - time.time())))
    return TooMany(f"more than {limit}; send it again in {seconds} s", retry_after=seconds)


def _charge(
    together: SlidingWindowCounterRateLimiter, limit: str, key: tuple[str, ...], admitted: int
) -> tuple[int, float]:
    """Add requests to the shared window. Return how many are left, and when it resets (Unix time)."""
    _fill(together, limit, key, admitted)
    stats = together.get_window_stats(_item(limit), *key)
    return stats.remaining, stats.reset_time


def _fill(limiter: SlidingWindowCounterRateLimiter, limit: str, key: tuple[str, ...], admitted: int) -> None:
    """Add admitted requests to a window; fill it up where they exceed the limit."""
    item = _item(limit)
    if admitted and not limiter.hit(item, *key, cost=admitted):
        left = limiter.get_window_stats(item, *key).remaining
        if left:
            limiter.hit(item, *key, cost=left)


def _is_passing(key: tuple[str, ...]) -> bool:
    """Return whether anybody could make up this key, as all but the sources' names."""
    return key[0] != SOURCE


@cache
def _item(limit: str) -> RateLimitItem:
    return parse(limit)


def _redis(broker_url: str) -> RedisStorage | None:
    """Return the broker's Redis; None for another broker: then each receiver counts for itself."""
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
    # redis-py tries three times, and sleeps in between for seconds.
    redis = storage.dependencies["redis"].module
    storage.storage.set_retry(redis.retry.Retry(redis.backoff.NoBackoff(), 0))
    return storage
