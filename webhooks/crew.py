"""Webhooks are answered in the loop that reads them, and wait for the disk together.

With a thread for each of them, the threads' turns cost more than the requests. Here each is a greenlet: it runs until
it must wait for its commit, then the next one does. A thread of its own writes for all that wait, in one transaction;
what comes meanwhile waits for the next one. So an idle receiver adds no waiting, and a busy one no commits.
docs/performance.md has the figures.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from itertools import groupby
from queue import SimpleQueue
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar, cast

from greenlet import getcurrent, greenlet

log = logging.getLogger(__name__)

MOST = 64  # in one transaction
T = TypeVar("T")
A = TypeVar("A")
# What is done for all that wait: the answers, in their order; one that is an exception is raised where it was asked.
Work: TypeAlias = Callable[[Sequence[T]], Sequence[A | Exception]]


class _Request(greenlet):
    """One that may wait."""


class _Asked(NamedTuple):
    request: _Request
    work: Work[Any, Any]
    about: Any


class _Answered(NamedTuple):
    request: _Request
    one: Any
    keep: bool


def together(work: Work[T, A], about: T) -> A:
    """The answer of `work` for one, done with all others that wait for it. It may block: a webhook in the loop waits
    aside. Elsewhere, as on pages, it is done at once, for one alone.
    """
    current = getcurrent()
    if isinstance(current, _Request) and current.parent is not None:
        answer = current.parent.switch(_Asked(current, work, about))
    else:
        (answer,) = work([about])
    if isinstance(answer, Exception):
        raise answer
    return cast("A", answer)


def aside(work: Callable[[], A]) -> A:
    """Its result; the loop does not wait for it."""
    return together(_each, work)


def _each(works: Sequence[Callable[[], A]]) -> Sequence[A | Exception]:
    return [_result(work) for work in works]


def _result(work: Callable[[], A]) -> A | Exception:
    try:
        return work()
    except Exception as error:  # noqa: BLE001 (raised where it was asked)
        return error


class Crew(Generic[T]):
    """Of a loop, in whose thread all is called. answer: a request; whether its connection is kept. finished: what is
    done with it then. later: has the loop call something, from another thread.
    """

    def __init__(
        self, answer: Callable[[T], bool], finished: Callable[[T, bool], None], later: Callable[..., None]
    ) -> None:
        self._answer = answer
        self._finished = finished
        self._later = later
        self._waiting: list[_Asked] = []
        self._writes = False
        self._idle: list[_Request] = []
        self._orders: SimpleQueue[Sequence[_Asked]] = SimpleQueue()

    def start(self) -> None:
        """After the fork."""
        threading.Thread(target=self._run, name="crew", daemon=True).start()

    def begin(self, one: T) -> None:
        """Runs until it waits, or is answered."""
        request = self._idle.pop() if self._idle else _Request(self._work)
        self._see(request.switch(one))

    def _work(self, one: T) -> None:
        """One after another: Python gives each new greenlet memory of its own."""
        loop, request = getcurrent().parent, cast("_Request", getcurrent())
        while loop:
            try:
                keep = self._answer(one)
            except Exception:  # the loop must outlive whatever it is
                log.exception("unexpected")
                keep = False
            one = loop.switch(_Answered(request, one, keep))

    def write(self) -> None:
        """For all that wait, if nothing is being written."""
        if self._waiting and not self._writes:
            self._writes = True
            batch, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
            self._orders.put(batch)

    def _run(self) -> None:
        while True:
            batch = self._orders.get()
            answers: list[Any] = []
            for work, asked in groupby(batch, key=lambda one: one.work):
                answers += _answers(work, [one.about for one in asked])
            self._later(self._written, batch, answers)

    def _written(self, batch: Sequence[_Asked], answers: Sequence[Any]) -> None:
        self._writes = False
        self.write()  # it goes on while these are answered
        for asked, answer in zip(batch, answers, strict=True):
            self._see(asked.request.switch(answer))

    def _see(self, became: "_Asked | _Answered") -> None:
        if isinstance(became, _Asked):
            self._waiting.append(became)
        else:
            self._idle.append(became.request)
            self._finished(became.one, became.keep)


def _answers(work: Work[T, A], about: Sequence[T]) -> Sequence[A | Exception]:
    try:
        return work(about)
    except Exception as error:  # noqa: BLE001 (raised where it was asked)
        return [error for _ in about]
