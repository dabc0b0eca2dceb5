"""The work: somebody does it and keeps the time, nothing waits for long, nothing was given up."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from sqlalchemy import Connection, and_, func, select

from registrar.doctor import Finding, Site, fail, ok, warn
from registrar.doctor.opening import Unopened, opened
from registrar.ledger.conditions import DEAD, QUEUED, is_failed, is_open
from registrar.ledger.engine import now
from registrar.ledger.heartbeats import all_known
from registrar.ledger.tables import tasks
from registrar.plural import plural

_LATE = timedelta(minutes=1)
_TOO_LATE = timedelta(minutes=10)
_START = {"worker": "python -m worker run", "beat": "python -m worker beat"}
_WITHOUT = {"worker": "what is accepted is not done", "beat": "retries, expiries and lost doorbells wait for ever"}


def look(site: Site) -> Iterator[Finding]:
    try:
        with opened(site.settings.ledger_url) as ledger, ledger.read() as connection:
            yield from _alive(connection, now())
            yield from _queue(connection, now())
    except Unopened:
        yield fail("what is done can't be looked at, as the ledger can't be read", "See the ledger's line")


def _alive(connection: Connection, at: datetime) -> Iterator[Finding]:
    known = all_known(connection)
    for part, command in _START.items():
        mine = [heartbeat for heartbeat in known if heartbeat.part == part]
        living = [heartbeat for heartbeat in mine if not heartbeat.silent(at)]
        if not living:
            last = (
                f"the last word is of {mine[0].seen_at:%Y-%m-%d %H:%M:%S} UTC" if mine else "none was ever heard here"
            )
            yield fail(f"no {part} is alive ({last}): {_WITHOUT[part]}", f"Start one: {command}, or see its log")
        elif all(heartbeat.idle(at) for heartbeat in living):
            advice = "Is the broker well (see its line)? If it is, restart this part"
            yield fail(f"{len(living)} {part} live, but nothing passes between them and the broker", advice)
        else:
            busy = sum(heartbeat.in_hand for heartbeat in living)
            yield ok(f"{len(living)} {part} alive" + (f", {plural(busy, 'task')} in hand" if part == "worker" else ""))
        if len(living) > 1 and part == "beat":
            yield warn(f"{len(living)} beats are alive", "One is enough; more do no harm, and ring for nothing")
    versions = {heartbeat.version for heartbeat in known if not heartbeat.silent(at)}
    if len(versions) > 1:
        yield warn(f"different versions are at work: {', '.join(sorted(versions))}", "Upgrade and restart all parts")


def _queue(connection: Connection, at: datetime) -> Iterator[Finding]:
    queued = and_(is_open(), tasks.c.state == QUEUED)
    due = select(func.count(), func.min(tasks.c.not_before)).where(queued, tasks.c.not_before <= at)
    waiting, oldest = connection.execute(due).one()
    age = at - oldest if oldest else timedelta()
    seen = f"{plural(waiting, 'task is', 'tasks are')} due, the oldest for {age.total_seconds():.0f} s"
    if age > _TOO_LATE:
        yield fail(seen, "Are worker, broker and MLflow well (see their lines)? `registrar events` shows what waits")
    elif age > _LATE:
        yield warn(seen, "Are there workers enough? One does about four at once")
    else:
        yield ok(seen if waiting else "nothing is due that is not being done")
    retried = select(func.count()).where(queued, tasks.c.attempts > 0)
    if again := connection.execute(retried).scalar_one():
        such = select(tasks.c.name, tasks.c.error).where(queued, tasks.c.attempts > 0)
        latest = connection.execute(such.limit(1)).one()
        yield warn(
            f"{plural(again, 'task is', 'tasks are')} being tried again, such as {latest.name}: {latest.error}",
            "See what it names",
        )
    dead = select(func.count(), func.max(tasks.c.finished_at)).where(is_failed(), tasks.c.state == DEAD)
    count, last = connection.execute(dead).one()
    if count:
        advice = "`registrar dead list` says which and why; `registrar dead retry` and `dead drop` end it"
        yield warn(
            f"{plural(count, 'task was', 'tasks were')} given up (dead), the last on {last:%Y-%m-%d %H:%M} UTC", advice
        )
