"""Webhooks as Flask routes, over the same Endpoint as webhooks/asgi.py; and bodies read from Flask.

Under granian the pages and the API alone come here (webhooks/flask_threads.py); another WSGI server uses all of it.
"""

import flask
from werkzeug.exceptions import ClientDisconnected

from webhooks.ingress.body_reader import too_large
from webhooks.ingress.endpoint import COMMIT_SECONDS, WEBHOOKS, Endpoint
from webhooks.ingress.error_handlers import ErrorHandler
from webhooks.ingress.errors import Incomplete
from webhooks.ingress.request import HttpRequest, HttpResponse


def add_webhooks(app: flask.Flask, endpoint: Endpoint) -> None:
    @app.post(f"{WEBHOOKS}<name>", provide_automatic_options=False)
    def receive(name: str) -> flask.Response:
        request = _request(endpoint, name)
        request.body = read_body(limit=endpoint.check(request))
        prepared = endpoint.prepare(request)
        if prepared.incomplete:
            prepared = endpoint.complete(request, prepared)
        receipts = [future.result(COMMIT_SECONDS) for future in endpoint.submit(prepared)]
        return flask_response(endpoint.answer(request, prepared, receipts))

    @app.route(f"{WEBHOOKS}<name>", methods=["OPTIONS"], provide_automatic_options=False)
    def handshake(name: str) -> flask.Response:
        return flask_response(endpoint.handshake(_request(endpoint, name)))


def error_answer(errors: ErrorHandler, endpoint: Endpoint, error: Exception) -> flask.Response:
    """Answer an error of any route; one of a webhook is also recorded and counted."""
    path = flask.request.path
    if not path.startswith(WEBHOOKS):
        return flask_response(errors.explain(error))
    request = flask.g.get("webhook") or _request(endpoint, path.removeprefix(WEBHOOKS))
    return flask_response(errors.refuse(request, error))


def read_body(*, limit: int) -> bytes:
    """Read a body of at most `limit` bytes. Raises TooLarge, Incomplete.

    Flask's MAX_CONTENT_LENGTH is no use: it silently cuts a chunked body at the limit.
    """
    body = bytearray()
    try:
        while len(body) <= limit and (piece := flask.request.stream.read(limit + 1 - len(body))):
            body += piece
    except (ClientDisconnected, OSError):
        raise Incomplete from None
    if len(body) > limit:
        raise too_large(limit)
    return bytes(body)


def flask_response(response: HttpResponse) -> flask.Response:
    return flask.Response(response.body, response.status, response.headers)


def _request(endpoint: Endpoint, name: str) -> HttpRequest:
    """Return Flask's current request as ours, and keep it in flask.g for `error_answer`."""
    headers = {key.lower(): value for key, value in flask.request.headers.items()}
    base_url, peer = flask.request.host_url, flask.request.remote_addr
    request = flask.g.webhook = endpoint.request(name, headers, base_url=base_url, peer=peer)
    return request
