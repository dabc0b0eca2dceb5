"""Checks that tasks are done: heartbeats of all parts, how long tasks wait, retries and dead letters."""

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
_NO_HEARTBEAT = "none was started, or the last one was shut down"  # an orderly stop deletes the heartbeat
_EFFECT = {"worker": "accepted events are not processed", "beat": "retries, expiries and lost task messages wait"}


def check(context: DoctorContext) -> Iterator[Finding]:
    try:
        with open_ledger(context.settings.ledger_url) as ledger, ledger.read() as connection:
            at = time_of(connection)
            yield from _check_heartbeats(all_known(connection), at)
            yield from _check_queue(connection, at)
    except LedgerNotReadable:
        yield fail("workers and tasks were not checked, because the ledger can't be read", "See the ledger's line")


def _check_heartbeats(heartbeats: Sequence[Heartbeat], at: datetime) -> Iterator[Finding]:
    for part in PARTS:
        own = [heartbeat for heartbeat in heartbeats if heartbeat.part == part]
        yield from _check_living([heartbeat for heartbeat in own if not heartbeat.silent(at)], part, own, at)
        yield from _report_silent(own, at)
    versions = {heartbeat.version for heartbeat in heartbeats if not heartbeat.silent(at)}
    if len(versions) > 1:
        yield warn(f"different versions are running: {', '.join(sorted(versions))}", "Upgrade and restart all parts")


def _check_living(living: Sequence[Heartbeat], part: str, own: Sequence[Heartbeat], at: datetime) -> Iterator[Finding]:
    """Report a missing worker or beat, but no missing receiver: under another WSGI server it sends no heartbeat."""
    stuck = [heartbeat for heartbeat in living if heartbeat.stuck(at)]
    if not living and (part in _START):
        last = f"last heartbeat {own[0].seen_at:%Y-%m-%d %H:%M:%S} UTC" if own else _NO_HEARTBEAT
        yield fail(f"no {part} is alive ({last}): {_EFFECT[part]}", f"Start one: {_START[part]}; or see its log")
    elif living and all(heartbeat.idle(at) for heartbeat in living):
        advice = "Is the broker well (see its line)? If it is, restart this part"
        yield fail(f"{len(living)} {part} alive, but without messages from or to the broker", advice)
    elif living and not stuck and part in _START:
        busy = sum(heartbeat.in_hand for heartbeat in living)
        yield ok(f"{len(living)} {part} alive" + (f", {plural(busy, 'task')} in hand" if part == "worker" else ""))
    for heartbeat in stuck:
        yield fail(f"{part} {heartbeat.instance} is alive, but its main loop hangs", "Restart it, and report its log")
    if len(living) > 1 and part == "beat":
        yield warn(f"{len(living)} beats are alive", "Stop all but one: each publishes every task again, without harm")


def _report_silent(own: Sequence[Heartbeat], at: datetime) -> Iterator[Finding]:
    """Name silent instances beside living ones. _check_living reports a worker or beat without a living instance."""
    if own and own[0].part in _START and all(heartbeat.silent(at) for heartbeat in own):
        return
    for heartbeat in own:
        if heartbeat.silent(at):
            yield warn(
                f"{heartbeat.part} {heartbeat.instance} was last heard of at {heartbeat.seen_at:%Y-%m-%d %H:%M:%S} "
                "UTC: it is frozen, dead, or can't reach the ledger",
                "See its log, and restart it. After a kill this line stays for an hour, or until the part starts again",
            )


def _check_queue(connection: Connection, at: datetime) -> Iterator[Finding]:
    queue = metrics.queue(connection, at)
    age = at - queue.oldest_due if queue.oldest_due else timedelta()
    seen = f"{plural(queue.due, 'task is', 'tasks are')} due, the oldest for {age.total_seconds():.0f} s"
    if age > _TOO_LATE:
        yield fail(seen, "Are worker, broker and MLflow well (see their lines)? `registrar events` shows what waits")
    elif age > _LATE:
        yield warn(seen, "Are there enough workers? Each runs about four tasks at once")
    else:
        yield ok(seen if queue.due else "no task is waiting")
    if retried := metrics.retried_example(connection):
        yield warn(
            f"{plural(queue.retried, 'task waits', 'tasks wait')} for a retry, such as {retried.name}: {retried.error}",
            "Mend the cause that the error names",
        )
    count, last = metrics.dead_tasks(connection)
    if count:
        advice = (
            "`registrar dead list` shows which and why; `registrar dead retry` or `registrar dead drop` settles each"
        )
        yield warn(f"{plural(count, 'task')} failed for good (dead), the last on {last:%Y-%m-%d %H:%M} UTC", advice)
