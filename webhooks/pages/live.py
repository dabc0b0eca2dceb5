"""/stream: server-sent events that say "something changed", so that pages read themselves anew.

One thread looks into the ledger for all streams, and only while there are any. A stream holds one of the receiver's
threads, so there are MOST of them, each for a while: who comes beyond that is told not to come again, and senders
always find a thread. https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import logging
import threading
import time
from collections.abc import Iterator, Sequence

from flask import Blueprint, Response

from registrar.ledger import Ledger, LedgerUnavailable, feed
from webhooks.pages.house import House

log = logging.getLogger(__name__)

NAME = "live updates"  # of the thread
MOST = 3  # of a process, of the threads of gunicorn_conf.py
LASTS = 30.0  # seconds; the browser comes again by itself
EVERY = 1.0  # seconds between two looks
_RETRY = b"retry: 1000\n\n"
_CHANGED = b"event: changed\ndata: {}\n\n"
_NOTHING = b": \n\n"  # finds out who has gone


class Watch:
    """Who waits for a change, and the one thread that looks for it."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._changed = threading.Condition()
        self._streams = 0
        self._version = 0
        self._looking = False
        self._compares = False  # it has looked once: what changes from then on is seen
        self._stopping = False

    @property
    def streams(self) -> int:
        return self._streams

    def stop(self) -> None:
        """All streams end within a second. A flag and nothing else: this is called in a signal handler."""
        self._stopping = True

    def enter(self) -> bool:
        """Whether there is room for one more stream; whoever is let in must leave."""
        with self._changed:
            if self._streams >= MOST:
                return False
            self._streams += 1
            if not self._looking:
                self._looking = True
                threading.Thread(target=self._look, name=NAME, daemon=True).start()
            return True

    def leave(self) -> None:
        with self._changed:
            self._streams -= 1

    def told(self) -> Iterator[bytes]:
        """The stream's lines, for LASTS. The first news is that there may be some: a page is older than its stream."""
        until, seen = time.monotonic() + LASTS, -1
        yield _RETRY
        while time.monotonic() < until and not self._stopping:
            with self._changed:
                if self._version == seen or not self._compares:
                    self._changed.wait(EVERY)
                news = self._compares and self._version != seen
                seen = self._version if news else seen
            yield _CHANGED if news else _NOTHING

    def _look(self) -> None:
        before: Sequence[int] | None = None
        while self._wanted():
            try:
                with self._ledger.read() as connection:
                    now = feed.pulse(connection)
            except LedgerUnavailable as error:
                log.warning("live updates: the ledger %s", error.reason)
                now = before or ()
            if now != before:
                self._say()
            before = now
            time.sleep(EVERY)

    def _wanted(self) -> bool:
        with self._changed:
            self._looking = self._streams > 0
            self._compares = self._compares and self._looking
            return self._looking

    def _say(self) -> None:
        with self._changed:
            self._version += 1
            self._compares = True
            self._changed.notify_all()


def register(pages: Blueprint, house: House) -> None:
    watch = Watch(house.ledger)
    pages.record(lambda state: state.app.config.update(WHEN_STOPPING=watch.stop))  # lobby.py

    @pages.get("/stream")
    def stream() -> Response:
        """204 where there is no room: a browser does not come again after it, and our script only after a while."""
        house.guest()
        if not watch.enter():
            return Response(status=204)
        answer = Response(watch.told(), content_type="text/event-stream")
        answer.call_on_close(watch.leave)
        answer.headers["X-Accel-Buffering"] = "no"  # nginx would keep it back
        return answer
