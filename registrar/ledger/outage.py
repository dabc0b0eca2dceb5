"""What a process knows of the ledger's outages: whoever holds a task could not renew its lease meanwhile."""

import time
from collections.abc import Callable

OUTAGE_SECONDS = 5.0  # without one success; less is a lock that was waited for in vain


class Outages:
    """Told of every transaction that got through or did not. clock: monotonic seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failing_since: float | None = None
        self._ended = float("-inf")

    def failed(self) -> None:
        if self._failing_since is None:
            self._failing_since = self._clock()

    def succeeded(self) -> None:
        since, self._failing_since = self._failing_since, None
        if since is not None and self._clock() - since >= OUTAGE_SECONDS:
            self._ended = self._clock()

    def over_for(self) -> float:
        """Seconds since the last one; infinite where there was none. What fails just now is counted as one."""
        since = self._failing_since
        if since is not None and self._clock() - since >= OUTAGE_SECONDS:
            return 0.0
        return self._clock() - self._ended
