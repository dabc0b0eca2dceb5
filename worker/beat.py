"""The beat process: triggers the sweep and the scheduler at fixed intervals, and writes its own heartbeat."""

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
from worker import observability
from worker.heartbeat import WorkerHeartbeat, tracking_scheduler

SWEEP_SECONDS = 2.0
TICK_SECONDS = 5.0
# Seconds until a message expires: after days without a worker, a single sweep is enough. The worker's clock judges
# beat's time, so sweeps are lost where their clocks differ by more than this.
EXPIRES_SECONDS = 3600.0
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


def _steady_now() -> datetime:
    """Return the time by a monotonic clock. By the time of day, beat would pause for an hour after that is set back by
    one.
    """
    return _EPOCH + timedelta(seconds=time.monotonic())


def _every(seconds: float) -> dict[str, Any]:
    return {"schedule": schedule(seconds, nowfun=_steady_now), "options": {"expires": EXPIRES_SECONDS}}


SCHEDULE: dict[str, dict[str, Any]] = {
    "tick": {"task": "worker.tick", **_every(TICK_SECONDS)},
    "sweep": {"task": "worker.sweep", **_every(SWEEP_SECONDS)},
}


log = logging.getLogger(__name__)


def main() -> None:
    settings = from_environment()
    redaction.install(settings, Policy(version=1))  # beat reads no registrar.yml
    app = celery_app(settings.broker_url)
    app.conf.beat_schedule = SCHEDULE
    ledger = Ledger(settings.ledger_url)
    _check(ledger)
    with ExitStack() as stack:
        heartbeat = stack.enter_context(WorkerHeartbeat(ledger, "beat", Digests.of(settings)))
        if address := settings.watching.beat_metrics:
            stack.enter_context(MetricsServer(address, partial(observability.loop_metrics, heartbeat.loop)))
        app.conf.beat_scheduler = tracking_scheduler(heartbeat.loop)
        # The schedule is intervals only, so it needs no file, which a crash could damage.
        quiet = ["--quiet"] if settings.watching.log == "json" else []  # its banner is not JSON
        app.start([*quiet, "beat", "--pidfile=", "--loglevel=INFO"])


def _check(ledger: Ledger) -> None:
    """Check the ledger's schema. Raises SchemaMismatch. Only logs where the ledger is unavailable: beat itself needs
    none.
    """
    try:
        check(ledger)
    except LedgerUnavailable as error:
        log.warning("the ledger's schema was not checked: it %s", error.reason)
