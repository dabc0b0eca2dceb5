"""Sliding windows of rate limits: as one process sees them, and as the broker's Redis counts them for all receivers."""

import time
from dataclasses import dataclass
from functools import cache
from typing import Any

from limits import RateLimitItem, parse
from limits.storage import RedisSentinelStorage, RedisStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from registrar.broker.url import Broker, redis_timeouts

# Seconds that Redis may take to answer.
TIMEOUT = 0.5
PREFIX = "registrar:rate"


@dataclass
class Window:
    """A key's quota as this process sees it. remaining: requests left at reported_at; admitted: requests since then.

    refused: a request was refused since then. reset_at: Unix time.
    """

    limit: str
    remaining: int
    reported_at: float
    admitted: int = 0
    refused: bool = False
    reset_at: float = 0.0

    @property
    def full(self) -> bool:
        """Return whether the quota is used up. A sliding window gives a share of the limit back as time passes."""
        item = parsed(self.limit)
        share = (time.monotonic() - self.reported_at) / item.get_expiry()
        return self.admitted >= min(item.amount, self.remaining + int(item.amount * share))


@cache
def parsed(limit: str) -> RateLimitItem:
    """Parse a limit such as 600/minute."""
    return parse(limit)


def charge(
    limiter: SlidingWindowCounterRateLimiter, limit: str, key: tuple[str, ...], admitted: int
) -> tuple[int, float]:
    """Add admitted requests to a shared window. Return how many are left, and when it resets (Unix time)."""
    fill(limiter, limit, key, admitted)
    stats = limiter.get_window_stats(parsed(limit), *key)
    return stats.remaining, stats.reset_time


def fill(limiter: SlidingWindowCounterRateLimiter, limit: str, key: tuple[str, ...], admitted: int) -> None:
    """Add admitted requests to a window; fill it up where they exceed the limit."""
    item = parsed(limit)
    if admitted and not limiter.hit(item, *key, cost=admitted):
        remaining = limiter.get_window_stats(item, *key).remaining
        if remaining:
            limiter.hit(item, *key, cost=remaining)


def open_redis(broker_url: str) -> RedisStorage | None:
    """Return the broker's Redis; None for another broker: then each receiver counts for itself."""
    broker = Broker.parse(broker_url)
    if broker.rate_url is None:
        return None
    options: dict[str, Any] = {"key_prefix": PREFIX, **redis_timeouts(TIMEOUT), **broker.rate_options}
    if broker.kind == "sentinel":
        of_sentinel: dict[str, Any] = {**redis_timeouts(TIMEOUT), "retry": None, "username": None, "password": None}
        storage: RedisStorage = RedisSentinelStorage(
            broker.rate_url, use_replicas=False, sentinel_kwargs=of_sentinel, **options
        )
    else:
        storage = RedisStorage(broker.rate_url, **options)
    # redis-py tries three times, and sleeps in between for seconds.
    redis = storage.dependencies["redis"].module
    storage.storage.set_retry(redis.retry.Retry(redis.backoff.NoBackoff(), 0))
    return storage
