"""A time limit for a whole request. A library's timeout limits only the time between two pieces of an answer."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import TypeVar

import requests

T = TypeVar("T")


def within_deadline(seconds: float, call: Callable[[], T]) -> T:
    """Return the result of a call, or raise its error. Raises requests.Timeout after the deadline.

    The thread of a late call is abandoned, as its answer may arrive byte by byte for ever.
    """
    done: SimpleQueue[Future[T]] = SimpleQueue()

    def run() -> None:
        future: Future[T] = Future()
        try:
            future.set_result(call())
        except BaseException as error:  # noqa: BLE001 (raised again in the calling thread)
            future.set_exception(error)
        done.put(future)

    threading.Thread(target=run, name="request", daemon=True).start()
    try:
        ended = done.get(timeout=seconds)
    except Empty:
        raise requests.Timeout(f"no whole answer within {seconds:g} s") from None
    return ended.result()
