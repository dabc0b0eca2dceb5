"""A bound on the whole of a request: what a library calls a timeout is the time between two pieces of an answer."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import TypeVar

import requests

T = TypeVar("T")


def within_deadline(seconds: float, call: Callable[[], T]) -> T:
    """What the call gives, or raises. What is not done by then is left to itself: an answer may come byte by byte.

    Raises requests.Timeout.
    """
    done: SimpleQueue[Future[T]] = SimpleQueue()

    def run() -> None:
        future: Future[T] = Future()
        try:
            future.set_result(call())
        except BaseException as error:  # noqa: BLE001 (raised again by who waits)
            future.set_exception(error)
        done.put(future)

    threading.Thread(target=run, name="request", daemon=True).start()
    try:
        ended = done.get(timeout=seconds)
    except Empty:
        raise requests.Timeout(f"no whole answer within {seconds:g} s") from None
    return ended.result()
