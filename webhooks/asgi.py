"""The receiver as an ASGI application for granian: webhooks on the event loop, everything else in Flask's threads.

Like webhooks/ingress/flask_routes.py it is an adapter over Endpoint's check, prepare, complete, submit and answer. It
exists for speed: a thread per request costs more than the request (measured: docs/decisions/0002).
"""

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

import flask

from registrar.telemetry import tracing
from registrar.telemetry.liveness import EVERY as TURNS_EVERY
from webhooks import app as wsgi
from webhooks.app import Receiver
from webhooks.flask_threads import FlaskThreads
from webhooks.ingress import body_reader
from webhooks.ingress.body_reader import BodyReader, Message, Receive
from webhooks.ingress.endpoint import COMMIT_SECONDS, WEBHOOKS, Endpoint, check_framing
from webhooks.ingress.errors import Rejected
from webhooks.ingress.request import HttpRequest, HttpResponse, base_url_of, folded, json_response
from webhooks.monitoring.health import ALIVE, ALIVE_PATH

# Bytes of the largest body that is parsed on the event loop; larger ones are parsed in a thread.
LARGE = 65_536
# Bytes of the largest form of the pages or the API: no more than body_reader.SMALL, so none is counted as held.
LARGEST_FORM = 65_536

# Seconds after a reload in which requests may still use the previous application.
OLD_SECONDS = 15.0

log = logging.getLogger(__name__)
Send: TypeAlias = Callable[[Message], Awaitable[None]]


class Asgi:
    """https://asgi.readthedocs.io/en/stable/specs/www.html"""

    def __init__(self, app: flask.Flask) -> None:
        self._use(app)
        self._bodies = BodyReader()
        self._reloading = asyncio.Lock()

    def _use(self, app: flask.Flask) -> None:
        self._receiver: Receiver = app.extensions["receiver"]
        self._flask = FlaskThreads(app)

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            # WSGI can't tell X_Forwarded_User from X-Forwarded-User, which only the trusted proxy may set.
            scope = {**scope, "headers": [(name, value) for name, value in scope["headers"] if b"_" not in name]}
            request = _request(self._receiver.endpoint, scope)
            is_source = request.source and "/" not in request.source and scope["path"].startswith(WEBHOOKS)
            if is_source and scope["method"] == "POST":
                await self._webhook(request, receive, send)
            else:
                await self._other(scope, request, receive, send)

    async def _webhook(self, request: HttpRequest, receive: Receive, send: Send) -> None:
        endpoint, complete = self._receiver.endpoint, False
        try:
            check_framing(request)
            limit = endpoint.check(request)
            async with asyncio.timeout(body_reader.READ_SECONDS) as deadline:
                request.body = await self._bodies.read(receive, limit=limit)
                complete = True
                deadline.reschedule(asyncio.get_running_loop().time() + COMMIT_SECONDS)
                large = len(request.body) > LARGE
                prepared = await asyncio.to_thread(endpoint.prepare, request) if large else endpoint.prepare(request)
                if prepared.incomplete:
                    prepared = await asyncio.to_thread(endpoint.complete, request, prepared)
                futures = endpoint.submit(prepared)
                receipts = await asyncio.gather(*map(asyncio.wrap_future, futures))
            response = endpoint.answer(request, prepared, receipts)
        except Exception as error:  # noqa: BLE001 (the error handler answers every error)
            late = isinstance(error, TimeoutError) and not complete
            response = self._receiver.error_handler.refuse(request, body_reader.too_slow() if late else error)
        finally:
            self._bodies.release(request.body)
        await _respond(send, response, close=not complete)

    async def _other(self, scope: Mapping[str, Any], request: HttpRequest, receive: Receive, send: Send) -> None:
        """Read the body, then let Flask answer in a thread: pages and the API. /healthz needs no thread."""
        try:
            check_framing(request)
            async with asyncio.timeout(body_reader.READ_SECONDS):
                body = await self._bodies.read(receive, limit=LARGEST_FORM, announced=request.announced)
            if scope["path"] == ALIVE_PATH and scope["method"] == "GET":
                await _respond(send, json_response(200, ALIVE), close=False)
            else:
                await self._flask.answer(scope, body, receive, send)
        except (Rejected, TimeoutError) as error:  # Flask answers its own errors
            late = isinstance(error, TimeoutError)
            response = self._receiver.error_handler.explain(body_reader.too_slow() if late else error)
            await _respond(send, response, close=True)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        loop, tasks = asyncio.get_running_loop(), set[asyncio.Task[None]]()
        await receive()
        loop.add_signal_handler(signal.SIGHUP, lambda: tasks.add(loop.create_task(self._reload())))
        self._receiver.start()
        liveness = loop.create_task(self._report_liveness())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        liveness.cancel()
        await asyncio.to_thread(self._receiver.close)
        tracing.stop()
        await send({"type": "lifespan.shutdown.complete"})

    async def _report_liveness(self) -> None:
        """Tell the current application's heartbeat that this event loop still runs."""
        while True:
            self._receiver.heart.loop.turned()
            await asyncio.sleep(TURNS_EVERY)

    async def _reload(self) -> None:
        """Load registrar.yml again. Requests under way end in the application in which they began."""
        async with self._reloading:
            try:
                app = await asyncio.to_thread(wsgi.load_application)
            except (Exception, wsgi.CannotStart) as error:
                log.exception("registrar.yml could not be reloaded, nothing was changed: %s", error)
                return
            previous = self._receiver
            self._use(app)
            self._receiver.start()
            log.info("registrar.yml was reloaded")
        await asyncio.sleep(OLD_SECONDS)  # outside the lock: the next reload does not wait for this one's requests
        await asyncio.to_thread(previous.close)


def from_environment() -> Asgi:
    """For granian (webhooks/serve.py). Raises CannotStart."""
    return Asgi(wsgi.load_application())


def _request(endpoint: Endpoint, scope: Mapping[str, Any]) -> HttpRequest:
    headers = folded(scope["headers"])
    peer = scope["client"][0] if scope.get("client") else None
    base_url = base_url_of(scope["scheme"], headers.get("host"), scope.get("server"))
    return endpoint.request(scope["path"].removeprefix(WEBHOOKS), headers, base_url=base_url, peer=peer)


async def _respond(send: Send, response: HttpResponse, *, close: bool) -> None:
    """Send a response. close: end the connection, since the request may not be read to its end."""
    headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in response.headers.items()]
    if close:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body})
