"""Waiting for a ledger that is away, with what was done in hand: it must be written down, or it is done again."""

import logging
from collections.abc import Callable
from time import sleep
from typing import TypeVar

from registrar.ledger import LedgerUnavailable

log = logging.getLogger(__name__)

FIRST, LONGEST, ALL = 0.1, 5.0, 1800.0  # seconds: the first pause, the longest one, and how long in all
Written = TypeVar("Written")


def retry_while_unavailable(write: Callable[[], Written]) -> Written:
    """Write, again and again until the ledger takes it. The background keeps the lease, or another worker has it by
    then (LeaseLost). A write that got through though nobody was told is LeaseLost too. Raises LedgerUnavailable after
    half an hour.
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
