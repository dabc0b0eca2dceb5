"""Runs the Flask application in threads behind an ASGI server: for pages, the API and everything but webhooks."""

import asyncio
import string
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from typing import Any
from urllib.parse import quote_from_bytes

import flask
from asgiref.sync import ThreadSensitiveContext
from asgiref.wsgi import WsgiToAsgi

from webhooks.ingress.body_reader import Message, Receive
from webhooks.ingress.errors import Unavailable

# Requests at once, each in a thread.
THREADS = 32
# Requests that wait for a thread.
MOST_WAITING = 200


class _HungUp(ConnectionError):
    """The client has disconnected; the response is abandoned."""


class FlaskThreads:
    """One per event loop."""

    def __init__(self, app: flask.Flask) -> None:
        self._app = WsgiToAsgi(_with_close(app.wsgi_app))
        self._threads = asyncio.Semaphore(THREADS)
        self._under_way = 0

    async def answer(
        self, scope: Mapping[str, Any], body: bytes, receive: Receive, send: Callable[[Message], Awaitable[None]]
    ) -> None:
        """Answer a request whose body was read. Raises Unavailable if too many requests wait already."""
        if self._under_way >= THREADS + MOST_WAITING:
            raise Unavailable("too many requests for pages and the API at once; try again")
        self._under_way += 1
        hung_up = asyncio.create_task(_next(receive))  # after the body only a disconnect can come
        # asgiref takes only ASCII, and reports anything else as "too many duplicate headers".
        query = quote_from_bytes(scope["query_string"], safe=string.printable).encode()
        try:
            async with self._threads, ThreadSensitiveContext():
                with suppress(_HungUp):
                    reply = partial(_send, send, hung_up)
                    await self._app({**scope, "query_string": query}, partial(_once, body), reply)
        finally:
            hung_up.cancel()
            self._under_way -= 1


async def _next(receive: Receive) -> Message:
    return await receive()


async def _once(body: bytes) -> Message:
    return {"type": "http.request", "body": body, "more_body": False}


async def _send(send: Callable[[Message], Awaitable[None]], hung_up: "asyncio.Task[Message]", message: Message) -> None:
    """Send a message.

    Raises _HungUp after a disconnect: the server would discard it, and an export would run to its end.
    """
    if hung_up.done():
        raise _HungUp
    await send(message)


def _with_close(wsgi: Callable[..., Iterable[bytes]]) -> Callable[..., Iterator[bytes]]:
    """Call a response's close() at its end, as PEP 3333 demands; asgiref 3.13 does not."""

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
        response = wsgi(environ, start_response)
        try:
            yield from response
        finally:
            if close := getattr(response, "close", None):
                close()

    return app
