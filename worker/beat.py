"""The beat process: runs the sweep and the scheduler, each every so often, and says in the ledger that it does."""

import logging
import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from celery.schedules import schedule

from registrar.broker.celery_app import celery_app
from registrar.config.settings import from_environment
from registrar.ledger import Ledger, LedgerUnavailable
from registrar.ledger.schema import check
from registrar.policy import Policy
from registrar.telemetry import redaction
from registrar.telemetry.heartbeat import Digests
from registrar.telemetry.metrics_server import MetricsServer
from worker import metrics
from worker.heartbeat import WorkerHeartbeat, tracking_scheduler

SWEEP_SECONDS = 2.0
TICK_SECONDS = 5.0
# A message that found no worker in time is not kept: after a pause of days one sweep is enough. It is the worker's
# clock that judges it by beat's: they may differ by this much, and no sweep is lost.
KEPT_SECONDS = 3600.0
_BEGAN = datetime(2000, 1, 1, tzinfo=UTC)


def _steady() -> datetime:
    """A clock that nobody sets: by the time of day, beat would wait for an hour when that goes back by one."""
    return _BEGAN + timedelta(seconds=time.monotonic())


def _every(seconds: float) -> dict[str, Any]:
    return {"schedule": schedule(seconds, nowfun=_steady), "options": {"expires": KEPT_SECONDS}}


SCHEDULE: dict[str, dict[str, Any]] = {
    "tick": {"task": "worker.tick", **_every(TICK_SECONDS)},
    "sweep": {"task": "worker.sweep", **_every(SWEEP_SECONDS)},
}


log = logging.getLogger(__name__)


def main() -> None:
    settings = from_environment()
    redaction.install(settings, Policy(version=1))  # what registrar.yml names is none of its business
    app = celery_app(settings.broker_url)
    app.conf.beat_schedule = SCHEDULE
    ledger = Ledger(settings.ledger_url)
    _check(ledger)
    with ExitStack() as stack:
        pulse = stack.enter_context(WorkerHeartbeat(ledger, "beat", Digests.of(settings)))
        if at := settings.watching.beat_metrics:
            stack.enter_context(MetricsServer(at, partial(metrics.turns, pulse.loop)))
        app.conf.beat_scheduler = tracking_scheduler(pulse.loop)
        # The schedule is intervals only: nothing to keep on a disk, so no file that a crash could spoil.
        quiet = ["--quiet"] if settings.watching.log == "json" else []  # its banner is no log
        app.start([*quiet, "beat", "--pidfile=", "--loglevel=INFO"])


def _check(ledger: Ledger) -> None:
    """Raises SchemaMismatch. A ledger that is away is none of beat's business: it rings for whoever has it again."""
    try:
        check(ledger)
    except LedgerUnavailable as error:
        log.warning("the ledger's schema is not looked at: it %s", error.reason)
