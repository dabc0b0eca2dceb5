"""Rate limits: a sliding window per key, shared by all receivers of an installation. No request waits for Redis.

Each request is decided in memory: by the quota that all receivers had left at the last report to Redis, less the
requests admitted here since. A thread reports admitted requests to Redis and reads the remaining quota every
REPORT_EVERY seconds, while there is something to report. So a limit is exceeded at most by what other receivers admit
between two reports. While Redis does not answer, each receiver counts for itself.

Windows are counted by the library `limits`. flask-limiter, which wraps it, asks Redis while the request waits, and
fails the requests under way with a 500 when Redis dies (flask_limiter/_extension.py, _check_request_limit).
"""

import logging
import math
import threading
import time
from collections.abc import Sequence
from ipaddress import IPv6Address, ip_address
from typing import Protocol

from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from webhooks.ingress.errors import TooMany
from webhooks.ingress.rate_windows import Window, charge, fill, open_redis, parsed

log = logging.getLogger(__name__)

# Seconds after a failure before Redis is asked again.
PAUSE = 5.0
# Seconds between two reports.
REPORT_EVERY = 0.05
# Seconds after a report until a key at its limit is read again, to see whether it has quota again.
RECHECK_EVERY = 0.5
# Seconds; far below the 300 s after which a sender's retry with the same signature would be stale.
LONGEST_WAIT = 60
# Requests without a valid signature, per address.
REFUSALS = "300/minute"
# The first part of a source's key.
SOURCE = "source"
# Keys in memory; beyond that, the oldest one that is no source's is dropped.
_MOST_KEYS = 5000
# Keys in one report, sources first: Redis takes some 0.7 ms for each.
_MOST_REPORTED = 100


class Limits(Protocol):
    """limit: such as 600/minute. key: whose quota. Both raise TooMany, and neither blocks."""

    def check(self, limit: str, *key: str) -> None:
        """Check for remaining quota without counting a request."""

    def count(self, limit: str, *key: str) -> None:
        """Count one request. A refused one is not counted."""


class RateLimiter:
    """Limits that receivers share through Redis; one per process."""

    def __init__(self, broker_url: str) -> None:
        self._local = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._redis = open_redis(broker_url)
        self._is_local = self._redis is None
        self._closed = False
        self._retry_at = 0.0
        self._windows: dict[tuple[str, ...], Window] = {}
        self._lock, self._starting = threading.Lock(), threading.Lock()
        self._wake = threading.Event()
        self._reporter: threading.Thread | None = None

    def check(self, limit: str, *key: str) -> None:
        with self._lock:
            window = None if self._is_local else self._windows.get(key)
            if window and window.full:
                window.refused = True
                self._report_soon()
                raise _too_many(limit, window.reset_at)
        if self._is_local and not self._local.test(parsed(limit), *key):
            raise self._too_many_here(limit, *key)

    def count(self, limit: str, *key: str) -> None:
        self._report_soon()
        with self._lock:
            if not self._is_local:
                self._admit(self._window(limit, key))
                return
        if not self._local.hit(parsed(limit), *key):
            raise self._too_many_here(limit, *key)

    @staticmethod
    def _admit(window: Window) -> None:
        if window.full:
            window.refused = True
            raise _too_many(window.limit, window.reset_at)
        window.admitted += 1

    def close(self) -> None:
        """End the thread."""
        self._closed = True
        self._wake.set()

    def _window(self, limit: str, key: tuple[str, ...]) -> Window:
        """Return a key's window. A new key has the whole limit until the first report."""
        window = self._windows.get(key)
        if window is None:
            if len(self._windows) >= _MOST_KEYS and (oldest := next(filter(_is_droppable, self._windows), None)):
                del self._windows[oldest]
            window = self._windows[key] = Window(limit, parsed(limit).amount, time.monotonic())
        return window

    def _too_many_here(self, limit: str, *key: str) -> TooMany:
        return _too_many(limit, self._local.get_window_stats(parsed(limit), *key).reset_time)

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
        shared = SlidingWindowCounterRateLimiter(redis)
        while not self._closed:
            self._wake.wait()
            time.sleep(REPORT_EVERY)
            self._wake.clear()
            if time.monotonic() >= self._retry_at:
                try:
                    self._report(redis, shared)
                except Exception as error:  # noqa: BLE001 (whatever Redis says instead of an answer; the thread goes on)
                    self._count_locally(error)

    def _report(self, redis: RedisStorage, shared: SlidingWindowCounterRateLimiter) -> None:
        for key, window in self._to_report():
            self._report_window(shared, key, window)
        if self._is_local:
            redis.get_connection().ping()
            self._is_local = False

    def _count_locally(self, error: Exception) -> None:
        """Count in this process only, until Redis answers again."""
        if not self._is_local:
            log.warning("Redis does not count (%s): each receiver counts for itself", type(error).__name__)
        self._retry_at = time.monotonic() + PAUSE
        with self._lock:
            for key, window in self._windows.items():
                fill(self._local, window.limit, key, window.admitted)
            self._windows.clear()
            self._is_local = True

    def _report_window(self, shared: SlidingWindowCounterRateLimiter, key: tuple[str, ...], window: Window) -> None:
        admitted = window.admitted
        remaining, reset_at = charge(shared, window.limit, key, admitted)
        with self._lock:
            window.admitted -= admitted
            window.remaining, window.reset_at, window.reported_at = remaining, reset_at, time.monotonic()

    def _to_report(self) -> Sequence[tuple[tuple[str, ...], Window]]:
        with self._lock:
            now = time.monotonic()
            due = [
                (key, window)
                for key, window in self._windows.items()
                if window.admitted or (window.refused and now >= window.reported_at + RECHECK_EVERY)
            ]
            due = sorted(due, key=lambda pair: _is_droppable(pair[0]))[:_MOST_REPORTED]
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


def _is_droppable(key: tuple[str, ...]) -> bool:
    """Return whether a key may be dropped: not a source's, since those are few and their names can't be made up."""
    return key[0] != SOURCE
