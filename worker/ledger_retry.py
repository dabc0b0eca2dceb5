"""Wait for a ledger that is away, with an outcome in hand: it must be written, or the task is done again."""

import logging
from collections.abc import Callable
from time import sleep
from typing import TypeVar

from registrar.ledger import LedgerUnavailable

log = logging.getLogger(__name__)

FIRST, LONGEST, ALL = 0.1, 5.0, 1800.0  # seconds: the first pause, the longest, and all together
Written = TypeVar("Written")


def retry_while_unavailable(write: Callable[[], Written]) -> Written:
    """Call write until the ledger takes it. Raises LedgerUnavailable after half an hour.

    The lease is renewed in the background meanwhile, or another worker gets the task (LeaseLost). A write that
    succeeded though its answer was lost raises LeaseLost too.
    """
    pause, waited = FIRST, 0.0
    while True:
        try:
            return write()
        except LedgerUnavailable as error:
            if waited >= ALL:
                raise
            log.warning("the ledger %s (%s); trying again in %g s", error.reason, error, pause)
        sleep(pause)
        waited, pause = waited + pause, min(2 * pause, LONGEST)
