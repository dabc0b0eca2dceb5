"""How a step of the demo says that something was not as it should be, and waits for it no longer than it may."""

import time
from collections.abc import Callable
from typing import TypeVar

import requests

T = TypeVar("T")

PATIENCE = 120.0  # seconds; more than a worker's lease (30 s) and the sweep that finds it expired
PAUSE = 0.3


class Unexpected(RuntimeError):
    """A step of the demo did not see what it should. look_at: the log that would tell why."""

    def __init__(self, *, expected: str, seen: object, look_at: str = "worker") -> None:
        super().__init__(f"expected {expected}; saw {seen}")
        self.expected, self.seen, self.look_at = expected, seen, look_at


def expect(holds: bool, expected: str, *, seen: object, look_at: str = "worker") -> None:
    """Raises Unexpected unless it holds."""
    if not holds:
        raise Unexpected(expected=expected, seen=seen, look_at=look_at)


def eventually(
    look: Callable[[], T],
    holds: Callable[[T], bool],
    expected: str,
    *,
    look_at: str = "worker",
    seconds: float = PATIENCE,
) -> T:
    """Looks until it holds, and returns what was seen then. A server that does not answer is asked again.

    Raises Unexpected with the last that was seen, after so many seconds.
    """
    deadline = time.monotonic() + seconds
    while True:
        seen: T | requests.RequestException
        try:
            if holds(seen := look()):
                return seen
        except requests.RequestException as error:
            seen = error
        if time.monotonic() > deadline:
            raise Unexpected(expected=f"{expected} within {seconds:g} s", seen=seen, look_at=look_at)
        time.sleep(PAUSE)
