"""The clocks: signatures, leases and expiries all go by the time, and each machine has its own."""

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

NOTICEABLE = 5.0  # seconds; an HTTP date has none of its fractions
_ADVICE = "Let NTP set the clocks of both machines (timedatectl, chronyc tracking)"


def look(site: DoctorContext) -> Iterator[Finding]:
    """Of those that answer; that one does not is another check's to say."""
    with ThreadPoolExecutor() as pool:
        asked = {
            "the database": pool.submit(_database, site.settings.ledger_url),
            "Redis": pool.submit(_redis, site.settings.broker_url),
            "MLflow": pool.submit(_http, without_login(site.settings.mlflow_uri), "/health"),
            "the receiver": pool.submit(_http, site.settings.public_url, "/healthz"),
        }
        parts = pool.submit(_parts, site.settings.ledger_url)
    known = {name: off for name, one in asked.items() if (off := one.result()) is not None}
    for name, off in known.items():
        yield from _apart(name, off, "this machine's")
    for name, off in parts.result().items():
        yield from _apart(name, off, "the database's")
    if known and all(abs(off) <= NOTICEABLE for off in known.values()):
        yield ok(f"this machine's agrees with {', '.join(known)}")
    if not known:
        yield warn("no other clock could be asked for the time", "See the other lines")


def _apart(name: str, off: float, whose: str) -> Iterator[Finding]:
    if abs(off) > NOTICEABLE:
        seen = f"the clock of {name} is {abs(off):.0f} s {'ahead of' if off > 0 else 'behind'} {whose}"
        yield fail(seen, _ADVICE) if abs(off) > LEASE_SECONDS else warn(seen, _ADVICE)


def _parts(url: str) -> dict[str, float]:
    """Of receivers, workers and beats that live, as they measured it themselves when they last wrote."""
    found = list_living(url)
    return {f"{one.part} {one.instance}": one.clock_ahead for one in found if one.clock_ahead is not None}


def _database(url: str) -> float | None:
    """SQLite has this machine's."""
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
