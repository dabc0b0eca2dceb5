"""gunicorn's threads, behind a lobby: a request is answered when it has arrived whole, and not a byte sooner.

gunicorn's own gthread reads headers and bodies in its threads, each read with a patience of its own: a few senders
that send a byte now and then hold them all, and it waits up to 2 s in its one loop for whoever does not hang up. Here
the loop itself collects the bytes of all connections, without ever waiting for one of them, each request with one
deadline for all of it. docs/door.md has the figures. Webhooks it answers itself (crew.py); pages and API have threads.
"""

import contextlib
import errno
import selectors
import socket
import time
from concurrent.futures import Future
from functools import cached_property, partial
from typing import Any

from gunicorn.errors import ConfigError
from gunicorn.http.errors import InvalidHeader
from gunicorn.workers.gthread import ThreadWorker

from webhooks import gunicorn_conf
from webhooks.crew import Crew
from webhooks.framing import Framing, HeadTooLarge
from webhooks.visitor import Visitor

LARGEST_BODY = 1_048_576  # where the application says nothing else (app.config)
MOST_WAITING = 33_554_432  # bytes of unfinished requests, of all connections together
_PIECE = 65_536
_LOOK_EVERY = 0.25  # seconds
_LINGER = 2.0  # seconds, for a sender that is told no while it is still sending
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_REFUSED = b"HTTP/1.1 %b\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class Worker(ThreadWorker):  # type: ignore[misc]
    """worker_class = "webhooks.lobby.Worker". Sockets are read in the loop alone; threads only write to them."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._waiting: dict[Visitor, None] = {}  # the one that came first is first
        self._bytes = 0
        self._looked = self._notified = 0.0
        self._crew = Crew(self._answer, self._finish, self.method_queue.defer)

    def init_process(self) -> None:
        self._crew.start()
        super().init_process()

    def load_wsgi(self) -> None:
        """What needs threads begins in each process: none survives a fork (app.config)."""
        super().load_wsgi()
        if start := getattr(self.wsgi, "config", {}).get("WHEN_STARTED"):
            start()

    @classmethod
    def check_config(cls, cfg: Any, log: Any) -> None:
        super().check_config(cfg, log)
        if cfg.is_ssl:
            raise ConfigError("the receiver speaks plain HTTP; let a proxy in front of it speak TLS")

    def accept(self, listener: socket.socket) -> None:
        """A new connection; where there are too many, it takes the place of the one that has waited longest."""
        try:
            sock, client = listener.accept()
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):
                self._make_room()
            return
        if self.nr_conns + 1 >= self.worker_connections:
            self._make_room()
        self.nr_conns += 1
        self._admit(Visitor(self.cfg, sock, client, listener.getsockname()), seconds=gunicorn_conf.READ_SECONDS)

    def finish_request(self, visitor: Visitor, answered: Future[Any]) -> None:
        """The answer is written: the connection waits for its next request, or is closed."""
        with contextlib.suppress(OSError):  # it may be closed
            visitor.sock.setblocking(False)  # a thread had it
        self._finish(visitor, not answered.cancelled() and answered.exception() is None and answered.result() is True)

    def _finish(self, visitor: Visitor, keep: bool) -> None:
        if keep and self.alive:
            self._admit(visitor, seconds=gunicorn_conf.READ_SECONDS if visitor.arrived else self.cfg.keepalive)
            if visitor.arrived:  # the next request may be here already
                self.method_queue.defer(self._look_again, visitor)
        else:
            self._part(visitor)

    def handle_exit(self, sig: int, frame: Any) -> None:
        """What streams for long is told to come to an end (app.config)."""
        if stop := getattr(self.wsgi, "config", {}).get("WHEN_STOPPING"):
            stop()
        super().handle_exit(sig, frame)

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: Exception) -> None:
        """gunicorn says a line back that is no header, in its answer and its log: of ours, the name alone, as the rest
        may be a sender's token.
        """
        if isinstance(exc, InvalidHeader):
            exc = InvalidHeader((str(exc.hdr).split() or [""])[0][:64])
        super().handle_error(req, client, addr, exc)

    def notify(self) -> None:
        """Not each time that the loop comes round: that it is alive is looked at after seconds (timeout)."""
        if time.monotonic() >= self._notified + _LOOK_EVERY:
            self._notified = time.monotonic()
            super().notify()

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        super().wait_for_and_dispatch_events(min(timeout, 0.5))
        self._crew.write()
        now = time.monotonic()
        if now >= self._looked + _LOOK_EVERY:
            self._looked = now
            for visitor in [one for one in self._waiting if one.over(now, stopping=not self.alive)]:
                self._expire(visitor)

    def _admit(self, visitor: Visitor, *, seconds: float) -> None:
        visitor.framing, visitor.deadline = Framing(self._largest), time.monotonic() + seconds
        self._waiting[visitor] = None
        self._bytes += len(visitor.arrived)
        if not visitor.listened_to:
            self.poller.register(visitor.sock, selectors.EVENT_READ, partial(self._read, visitor))
            visitor.listened_to = True

    def _read(self, visitor: Visitor, _: object) -> None:
        if visitor not in self._waiting:  # evicted a moment ago; or it says more, and is being answered
            self._turn_away(visitor)
            return
        try:
            piece = visitor.sock.recv(_PIECE)
        except BlockingIOError:
            return
        except OSError:
            self._evict(visitor)
            return
        if visitor.framing is None:
            if not piece:
                self._evict(visitor)
            return
        if visitor.idle:  # a kept connection's next request begins
            visitor.deadline = time.monotonic() + gunicorn_conf.READ_SECONDS
        visitor.arrived += piece
        self._bytes += len(piece)
        self._look(visitor, ended=not piece)
        if self._bytes > MOST_WAITING:
            self._evict(max(self._waiting, key=lambda one: len(one.arrived)))

    def _look(self, visitor: Visitor, *, ended: bool = False) -> None:
        """Hand the request over if it is whole, or will never be."""
        if ended and visitor.idle:
            self._evict(visitor)
            return
        try:
            end = visitor.framing.end(visitor.arrived) if visitor.framing else None
        except HeadTooLarge:
            self._refuse(visitor, b"431 Request Header Fields Too Large")
            return
        if end is not None or ended:
            self._hand_over(visitor, len(visitor.arrived) if end is None else end)
        elif visitor.framing and visitor.framing.expects_continue:
            visitor.framing.expects_continue = False
            visitor.say(_CONTINUE)

    def _look_again(self, visitor: Visitor) -> None:
        if visitor in self._waiting and visitor.framing is not None:
            self._look(visitor)

    def _hand_over(self, visitor: Visitor, end: int) -> None:
        self._leave(visitor)
        shared = visitor.arrived.startswith(self._shared)
        visitor.take(end)
        if shared:  # soon it waits for its next request, and most say nothing meanwhile
            self._crew.begin(visitor)
        else:
            self._turn_away(visitor)
            self.enqueue_req(visitor)

    def _answer(self, visitor: Visitor) -> bool:
        """Here in the loop; what would block waits aside (crew.py)."""
        with visitor.speaking() as mouth:
            keep = self.handle(visitor) is True
            return mouth.sent_all() and keep

    def _expire(self, visitor: Visitor) -> None:
        if visitor.idle or visitor.framing is None:
            self._evict(visitor)
        else:
            self._refuse(visitor, b"408 Request Timeout")

    def _refuse(self, visitor: Visitor, status: bytes) -> None:
        self._leave(visitor)
        self.log.info("refused a connection: %s", status.decode())
        visitor.say(_REFUSED % status)
        self._part(visitor)

    def _part(self, visitor: Visitor) -> None:
        """Close our half, and the rest when the other side has hung up or _LINGER is over.

        Closed at once, bytes on their way would make the kernel take the answer back (RFC 9112 section 9.6).
        """
        try:
            visitor.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self._close(visitor)
            return
        visitor.arrived.clear()
        self._admit(visitor, seconds=_LINGER)
        visitor.framing = None

    def _make_room(self) -> None:
        """Who has waited longest is the least likely to be honest: a sender's request takes milliseconds to arrive."""
        if self._waiting:
            self._evict(next(iter(self._waiting)))

    def _evict(self, visitor: Visitor) -> None:
        self._leave(visitor)
        self._close(visitor)

    def _leave(self, visitor: Visitor) -> None:
        del self._waiting[visitor]
        self._bytes -= len(visitor.arrived)

    def _turn_away(self, visitor: Visitor) -> None:
        if visitor.listened_to:
            self.poller.unregister(visitor.sock)
            visitor.listened_to = False

    def _close(self, visitor: Visitor) -> None:
        self._turn_away(visitor)
        self.nr_conns -= 1
        visitor.close()

    @cached_property
    def _shared(self) -> tuple[bytes, ...]:
        """How requests begin that are answered in batches."""
        return tuple(getattr(self.wsgi, "config", {}).get("IN_BATCHES", ()))

    @cached_property
    def _largest(self) -> int:
        return int(getattr(self.wsgi, "config", {}).get("LARGEST_BODY", LARGEST_BODY))
