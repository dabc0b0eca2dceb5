"""Webhooks' way in. What is accepted is answered here, in front of Flask: its context, its routing and its response
cost a fourth of a delivery. What is refused goes on to Flask, to be answered where all errors are.
"""

import json
import time
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Any, NoReturn, Protocol

import flask

from webhooks import headers
from webhooks.arriving import Arriving
from webhooks.metrics import Metrics
from webhooks.source import Answer

WEBHOOKS = "/webhooks/"
_REFUSED = "registrar.refused"  # in WSGI's environ


class Receive(Protocol):
    """The route's work. Raises what Flask's error handlers know."""

    def __call__(self, name: str, arriving: Arriving) -> Answer: ...


class Door:
    """A WSGI application in front of another one, of which `refused` is the route of webhooks."""

    def __init__(self, behind: Callable[..., Iterable[bytes]], receive: Receive, metrics: Metrics) -> None:
        self._behind = behind
        self._receive = receive
        self._metrics = metrics

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        name = _name(environ)
        if name is None:
            return self._behind(environ, start_response)
        began, arriving = time.perf_counter(), Arriving(environ)
        try:
            answer = self._receive(name, arriving)
        except Exception as error:  # noqa: BLE001 (raised again, in `refused`)
            environ[_REFUSED] = (error, arriving)
            return self._behind(environ, start_response)
        body = said(answer)
        self._metrics.accepted(name, answer.status, time.perf_counter() - began)
        start_response(_STATUS[answer.status], [*headers.of_webhooks(answer.headers, len(body)).items()])
        return (body,)


def refused() -> NoReturn:
    """Of the request that Flask is answering: why, and what was found out of it."""
    error, flask.g.arriving = flask.request.environ.pop(_REFUSED)
    raise error


def said(answer: Answer) -> bytes:
    """The body of the response."""
    return f"{_json.encode(answer.body)}\n".encode()


def _name(environ: Mapping[str, Any]) -> str | None:
    """Of the source that a webhook is posted to; None for what is no webhook."""
    path: str = environ["PATH_INFO"]
    if environ["REQUEST_METHOD"] != "POST" or not path.startswith(WEBHOOKS):
        return None
    name = path.removeprefix(WEBHOOKS)
    return name.encode("latin-1").decode(errors="replace") if name and "/" not in name else None


_json = json.JSONEncoder(separators=(",", ":"))
_STATUS = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}
