"""What beat runs, and how often."""

from typing import Any

SWEEP_SECONDS = 2.0
TICK_SECONDS = 5.0

# A message that found no worker in time is not kept: after an hour's pause one sweep is enough.
SCHEDULE: dict[str, dict[str, Any]] = {
    "tick": {"task": "worker.tick", "schedule": TICK_SECONDS, "options": {"expires": 2 * TICK_SECONDS}},
    "sweep": {"task": "worker.sweep", "schedule": SWEEP_SECONDS, "options": {"expires": 5 * SWEEP_SECONDS}},
}
