"""Compares the clocks of all machines: signatures, leases and expiries depend on them."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import redis

from registrar.config.credentials import without_login
from registrar.doctor import DoctorContext, Finding, fail, ok, warn
from registrar.doctor.checks.broker import connect
from registrar.doctor.ledger_access import LedgerNotReadable, list_living, open_ledger
from registrar.http.probe import Silence, ask
from registrar.ledger.heartbeats import time_of
from registrar.ledger.tasks import LEASE_SECONDS

NOTICEABLE = 5.0  # seconds; an HTTP date has no fractions
_ADVICE = "Let NTP set the clocks of both machines (timedatectl, chronyc tracking)"


def check(context: DoctorContext) -> Iterator[Finding]:
    """Skip clocks that don't answer: other checks report those."""
    with ThreadPoolExecutor() as pool:
        futures = {
            "the database": pool.submit(_database, context.settings.ledger_url),
            "Redis": pool.submit(_redis, context.settings.broker_url),
            "MLflow": pool.submit(_http, without_login(context.settings.mlflow_uri), "/health"),
            "the receiver": pool.submit(_http, context.settings.public_url, "/healthz"),
        }
        parts = pool.submit(_parts, context.settings.ledger_url)
    offsets = {name: off for name, future in futures.items() if (off := future.result()) is not None}
    for name, off in offsets.items():
        yield from _compare(name, off, "this machine's")
    for name, off in parts.result().items():
        yield from _compare(name, off, "the database's")
    if offsets and all(abs(off) <= NOTICEABLE for off in offsets.values()):
        yield ok(f"this machine's clock agrees with {', '.join(offsets)}")
    if not offsets:
        yield warn("this machine's clock was compared with no other: none answered", "See the lines of the other parts")


def _compare(name: str, off: float, whose: str) -> Iterator[Finding]:
    if abs(off) > NOTICEABLE:
        seen = f"the clock of {name} is {abs(off):.0f} s {'ahead of' if off > 0 else 'behind'} {whose}"
        yield fail(seen, _ADVICE) if abs(off) > LEASE_SECONDS else warn(seen, _ADVICE)


def _parts(url: str) -> dict[str, float]:
    """Return seconds by part, for all parts that are alive, as each measured with its last heartbeat."""
    return {
        f"{heartbeat.part} {heartbeat.instance}": heartbeat.clock_ahead
        for heartbeat in list_living(url)
        if heartbeat.clock_ahead is not None
    }


def _database(url: str) -> float | None:
    """Return None for SQLite, which uses this machine's clock."""
    if url.startswith("sqlite"):
        return None
    try:
        with open_ledger(url) as ledger, ledger.read() as connection:
            database_time = time_of(connection)
    except LedgerNotReadable:
        return None
    return (database_time - datetime.now(UTC)).total_seconds()


def _redis(url: str) -> float | None:
    try:
        seconds, microseconds = connect(url).time()
    except (redis.RedisError, OSError, ValueError):
        return None
    return float(seconds + microseconds / 1e6 - datetime.now(UTC).timestamp())


def _http(url: str | None, path: str) -> float | None:
    try:
        return ask(f"{url.rstrip('/')}{path}").off if url else None
    except Silence:
        return None
