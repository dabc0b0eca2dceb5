"""Say in plain words why a database can't be written; the driver's message goes to the log."""

import time
from collections.abc import Callable

from sqlalchemy.exc import DBAPIError, OperationalError

from registrar.errors import UserError

SILENT = "does not answer"
BUSY = "is busy"
LOCKED = "is locked by another process"
_FULL = "has no room left on its disk"
READ_ONLY = "is read-only"
# https://www.sqlite.org/rescode.html, by the primary code's name
_SQLITE = {
    "SQLITE_BUSY": LOCKED,
    "SQLITE_LOCKED": LOCKED,
    "SQLITE_FULL": _FULL,
    "SQLITE_READONLY": READ_ONLY,
    "SQLITE_CANTOPEN": "can't be opened",
    "SQLITE_IOERR": "can't be read or written: its disk fails",
    "SQLITE_CORRUPT": "is damaged",
    "SQLITE_NOTADB": "is damaged",
}
# https://www.postgresql.org/docs/current/errcodes-appendix.html
_POSTGRESQL = {
    "25006": READ_ONLY,  # a standby, or default_transaction_read_only
    "42501": "does not let us write: its user lacks the rights",
    "53100": _FULL,
    "53300": "takes no more connections",
    "55P03": LOCKED,
    "57P03": "is starting or stopping",
}
# Refused before there is a connection that could carry an error code.
_REFUSED = {
    "too many clients": "takes no more connections",
    "connection slots": "takes no more connections",
    "too many connections": "takes no more connections",
    "starting up": "is starting or stopping",
    "shutting down": "is starting or stopping",
}


class LedgerUnavailable(UserError, RuntimeError):
    """The database is down, locked for too long, full or read-only: nothing was written; try again later.

    reason: words that follow "the ledger" in a sentence; without hosts and paths.
    """

    def __init__(self, message: str, reason: str = SILENT) -> None:
        super().__init__(message)
        self.reason = reason


def reason(error: DBAPIError) -> str | None:
    """Return what is wrong with the database; None: the statement is wrong."""
    if text := _sqlite_reason(error.orig) or _POSTGRESQL.get(getattr(error.orig, "sqlstate", None) or ""):
        return text
    if isinstance(error, OperationalError) or error.connection_invalidated:
        return next((text for words, text in _REFUSED.items() if words in str(error.orig)), SILENT)
    return None


def _sqlite_reason(error: object) -> str | None:
    name = str(getattr(error, "sqlite_errorname", ""))
    return next((text for code, text in _SQLITE.items() if name == code or name.startswith(f"{code}_")), None)


# Seconds without one success; shorter failures are lock timeouts.
OUTAGE_SECONDS = 5.0


class Outages:
    """Detect outages from the results of all transactions. clock: monotonic seconds."""

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
        """Return the seconds since the last outage ended: 0 during one, infinite where there was none."""
        since = self._failing_since
        if since is not None and self._clock() - since >= OUTAGE_SECONDS:
            return 0.0
        return self._clock() - self._ended
