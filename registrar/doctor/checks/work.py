"""The work: somebody does it and keeps the time, nothing waits for long, nothing was given up."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from registrar.doctor import DoctorContext, Finding, fail, ok, warn
from registrar.doctor.ledger_access import LedgerNotReadable, open_ledger
from registrar.ledger import Connection
from registrar.ledger.heartbeats import PARTS, Heartbeat, all_known, time_of
from registrar.ledger.queries import metrics
from registrar.text.wording import plural

_LATE = timedelta(minutes=1)
_TOO_LATE = timedelta(minutes=10)
_START = {"worker": "registrar up, or python -m worker run", "beat": "registrar up, or python -m worker beat"}
_NONE = "none was ever started, or the last one stopped in good order"  # which takes its heartbeat away
_WITHOUT = {"worker": "what is accepted is not done", "beat": "retries, expiries and lost task messages wait for ever"}


def look(site: DoctorContext) -> Iterator[Finding]:
    try:
        with open_ledger(site.settings.ledger_url) as ledger, ledger.read() as connection:
            at = time_of(connection)
            yield from _alive(all_known(connection), at)
            yield from _queue(connection, at)
    except LedgerNotReadable:
        yield fail("what is done can't be looked at, as the ledger can't be read", "See the ledger's line")


def _alive(known: Sequence[Heartbeat], at: datetime) -> Iterator[Finding]:
    for part in PARTS:
        mine = [heartbeat for heartbeat in known if heartbeat.part == part]
        yield from _living([heartbeat for heartbeat in mine if not heartbeat.silent(at)], part, mine, at)
        yield from _silent(mine, at)
    versions = {heartbeat.version for heartbeat in known if not heartbeat.silent(at)}
    if len(versions) > 1:
        yield warn(f"different versions are at work: {', '.join(sorted(versions))}", "Upgrade and restart all parts")


def _living(living: Sequence[Heartbeat], part: str, mine: Sequence[Heartbeat], at: datetime) -> Iterator[Finding]:
    """part: a receiver is looked at by its own check; one that another server runs has no heartbeat."""
    stuck = [heartbeat for heartbeat in living if heartbeat.stuck(at)]
    if not living and (part in _START):
        last = f"the last word is of {mine[0].seen_at:%Y-%m-%d %H:%M:%S} UTC" if mine else _NONE
        yield fail(f"no {part} is alive ({last}): {_WITHOUT[part]}", f"Start one: {_START[part]}, or see its log")
    elif living and all(heartbeat.idle(at) for heartbeat in living):
        advice = "Is the broker well (see its line)? If it is, restart this part"
        yield fail(f"{len(living)} {part} live, but nothing passes between them and the broker", advice)
    elif living and not stuck and part in _START:
        busy = sum(heartbeat.in_hand for heartbeat in living)
        yield ok(f"{len(living)} {part} alive" + (f", {plural(busy, 'task')} in hand" if part == "worker" else ""))
    for heartbeat in stuck:
        yield fail(f"{part} {heartbeat.instance} lives, and its loop stands still", "Restart it, and report its log")
    if len(living) > 1 and part == "beat":
        yield warn(f"{len(living)} beats are alive", "One is enough; more do no harm, and publish tasks twice")


def _silent(mine: Sequence[Heartbeat], at: datetime) -> Iterator[Finding]:
    """Those beside others that live: of a part of which none does, the line above says so."""
    if all(heartbeat.silent(at) for heartbeat in mine) and mine and mine[0].part in _START:
        return
    for heartbeat in mine:
        if heartbeat.silent(at):
            yield warn(
                f"{heartbeat.part} {heartbeat.instance} was last heard of at {heartbeat.seen_at:%Y-%m-%d %H:%M:%S} "
                "UTC: it is frozen, dead, or can't reach the ledger",
                "See its log; restart it. Of one that was killed this is said for an hour, unless it was started again",
            )


def _queue(connection: Connection, at: datetime) -> Iterator[Finding]:
    queue = metrics.queue(connection, at)
    age = at - queue.oldest_due if queue.oldest_due else timedelta()
    seen = f"{plural(queue.due, 'task is', 'tasks are')} due, the oldest for {age.total_seconds():.0f} s"
    if age > _TOO_LATE:
        yield fail(seen, "Are worker, broker and MLflow well (see their lines)? `registrar events` shows what waits")
    elif age > _LATE:
        yield warn(seen, "Are there workers enough? One does about four at once")
    else:
        yield ok(seen if queue.due else "nothing is due that is not being done")
    if retried := metrics.retried_example(connection):
        yield warn(
            f"{plural(queue.retried, 'task is', 'tasks are')} being tried again, such as {retried.name}: "
            f"{retried.error}",
            "See what it names",
        )
    count, last = metrics.dead_tasks(connection)
    if count:
        advice = "`registrar dead list` says which and why; `registrar dead retry` and `dead drop` end it"
        yield warn(
            f"{plural(count, 'task was', 'tasks were')} given up (dead), the last on {last:%Y-%m-%d %H:%M} UTC", advice
        )
