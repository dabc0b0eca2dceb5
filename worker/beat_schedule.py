"""What beat runs, and how often."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

from celery.schedules import schedule

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
