"""A TCP link that can break in the ways real ones do, whatever is spoken over it."""

import asyncio
import socket
import struct
from collections.abc import Coroutine
from concurrent.futures import Future
from dataclasses import dataclass, field
from threading import Thread
from types import TracebackType
from typing import Any, Self

LOOPBACK = "127.0.0.1"
MODES = ("pass", "hold", "silent", "cut")
_ABORT = struct.pack("ii", 1, 0)  # SO_LINGER: close with a reset
_PATIENCE = 10.0  # seconds for the link's own thread


@dataclass(eq=False)
class _Pair:
    """A connection: the client's end, and the server's where there is one. dead: it carries nothing any more."""

    dead: bool
    ends: list[asyncio.StreamWriter] = field(default_factory=list)
    ended: int = 0  # sides that have nothing more to say


class Link:
    """What listens on `port` here and passes all on to `to`. May be used from any thread.

    mode, in effect for all connections when the assignment returns:
    - "pass"
    - "hold": a partition. Nothing arrives, no end either; all that was sent does when it is over.
    - "silent": half-open. What is sent is lost, nobody is told, and the connections of this time, old ones and new ones
      (which are accepted), stay so for good: whoever waits on one waits until he hangs up. The server is not told
      that he did.
    - "cut": all connections are reset, new ones refused.
    """

    def __init__(self, to: int, *, host: str = LOOPBACK) -> None:
        self._target = (host, to)
        self._place = _bound(0)  # never listens: it keeps the port while new connections are refused
        self.port = int(self._place.getsockname()[1])
        self.accepted = 0  # connections so far
        self.delay = 0.0  # seconds that each piece takes more, either way
        self._mode = "cut"
        self._pairs: set[_Pair] = set()
        self._pumps: set[asyncio.Task[None]] = set()
        self._listener: asyncio.Server | None = None
        self._loop = asyncio.new_event_loop()
        self._flows = asyncio.Event()
        self._thread = Thread(target=self._loop.run_forever, name=f"link to {to}", daemon=True)
        self._thread.start()
        self.mode = "pass"

    def url_of(self, scheme: str, path: str = "") -> str:
        """redis -> redis://127.0.0.1:PORT"""
        return f"{scheme}://{LOOPBACK}:{self.port}{path}"

    @property
    def mode(self) -> str:
        return self._mode

    @mode.setter
    def mode(self, mode: str) -> None:
        if mode not in MODES:
            raise ValueError(f"{mode} is none of {', '.join(MODES)}")
        self._run(self._change(mode))

    def close(self) -> None:
        """All connections are reset; nothing is left of it."""
        if self._loop.is_closed():
            return
        self.mode = "cut"
        self._run(self._settle())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_PATIENCE)
        self._loop.close()
        self._place.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _run(self, what: Coroutine[Any, Any, None]) -> None:
        done: Future[None] = asyncio.run_coroutine_threadsafe(what, self._loop)
        done.result(_PATIENCE)

    async def _change(self, mode: str) -> None:
        self._mode = mode
        if mode == "cut":
            self._refuse()
        elif self._listener is None:
            self._listener = await asyncio.start_server(self._connection, sock=_bound(self.port))
        if mode == "silent":
            for pair in self._pairs:
                pair.dead = True
        (self._flows.clear if mode == "hold" else self._flows.set)()

    def _refuse(self) -> None:
        if self._listener:
            self._listener.close()
            self._listener = None
        for end in [end for pair in self._pairs for end in pair.ends if not end.is_closing()]:
            end.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
            end.transport.abort()
        self._pairs.clear()

    async def _settle(self) -> None:
        for pump in self._pumps:
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)
        await asyncio.sleep(0.01)  # aborted transports close in the loop's next rounds

    async def _connection(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        self.accepted += 1
        pair = _Pair(dead=self._mode == "silent", ends=[client])
        self._pairs.add(pair)
        await self._flows.wait()
        if pair.dead:
            self._pump(pair, reader, client, client)
            return
        try:
            answers, server = await asyncio.open_connection(*self._target)
        except OSError:
            client.transport.abort()
            return
        if pair not in self._pairs:  # cut meanwhile
            server.transport.abort()
            return
        pair.ends.append(server)
        self._pump(pair, reader, client, server)
        self._pump(pair, answers, server, client)

    def _pump(self, *of: Any) -> None:
        pump = self._loop.create_task(self._carry(*of))
        self._pumps.add(pump)
        pump.add_done_callback(self._pumps.discard)

    async def _carry(
        self, pair: _Pair, reader: asyncio.StreamReader, mine: asyncio.StreamWriter, other: asyncio.StreamWriter
    ) -> None:
        """All that comes from one end to the other, its end too. Of a dead pair: nowhere."""
        try:
            while data := await reader.read(65536):
                await self._flows.wait()
                if self.delay:
                    await asyncio.sleep(self.delay)
                if not pair.dead:
                    other.write(data)
                    await other.drain()
            await self._flows.wait()
            if not pair.dead:
                other.write_eof()
                pair.ended += 1
        except OSError:
            pair.ended = 2
        if pair.dead:
            mine.close()
        elif pair.ended == 2:
            for end in pair.ends:
                end.close()
            self._pairs.discard(pair)


def _bound(port: int) -> socket.socket:
    """SO_REUSEPORT: the port stays ours while nobody listens on it."""
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    made.bind((LOOPBACK, port))
    return made
