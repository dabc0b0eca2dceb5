"""Checks what a step of the demo expects, at once or within a time limit."""

import time
from collections.abc import Callable
from typing import TypeVar

import requests

T = TypeVar("T")

PATIENCE = 120.0  # seconds; more than a worker's lease (30 s) and the sweep that finds it expired
PAUSE = 0.3


class Unexpected(RuntimeError):
    """A step of the demo did not see what it expects. look_at: the log that may explain it."""

    def __init__(self, *, expected: str, seen: object, look_at: str = "worker") -> None:
        super().__init__(f"expected {expected}; saw {seen}")
        self.expected, self.seen, self.look_at = expected, seen, look_at


def expect(holds: bool, expected: str, *, seen: object, look_at: str = "worker") -> None:
    """Raise Unexpected unless the condition holds."""
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
    """Call `look` until its result holds, and return that. Errors of requests are retried.

    Raises Unexpected with the last result after `seconds`.
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
