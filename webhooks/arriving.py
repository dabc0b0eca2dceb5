"""A request on its way in: of what WSGI says of it, as much as a webhook's way needs, and what is found out of it."""

from functools import lru_cache
from typing import IO, Any

import flask
from werkzeug.http import parse_options_header
from werkzeug.wsgi import get_content_length, get_input_stream

from webhooks.senders import Sender
from webhooks.source import Request

_CONTENT = {"CONTENT_TYPE": "content-type", "CONTENT_LENGTH": "content-length"}  # PEP 3333: without HTTP_


class Arriving:
    """environ: https://peps.python.org/pep-3333/

    size: of the body, in bytes: what is announced, and once it was read what it has. heard: the request and who it is
    from, once a signature vouches for it.
    """

    def __init__(self, environ: dict[str, Any]) -> None:
        self._environ = environ
        self.announced: int | None = get_content_length(environ)
        self.size = self.announced
        self.heard: tuple[Sender, Request] | None = None
        self.mimetype = _mimetype(environ.get("CONTENT_TYPE", ""))

    @property
    def coding(self) -> str:
        return str(self._environ.get("HTTP_CONTENT_ENCODING", "identity")).strip().lower()

    @property
    def host_url(self) -> str:
        return flask.Request(self._environ).host_url

    @property
    def address(self) -> str | None:
        return self._environ.get("REMOTE_ADDR")

    @property
    def stream(self) -> IO[bytes]:
        if self._environ.get("wsgi.input_terminated"):  # as the lobby says it is
            return self._environ["wsgi.input"]  # type: ignore[no-any-return]
        return get_input_stream(self._environ)

    def headers(self) -> dict[str, str]:
        """By their names in lower case."""
        environ = self._environ
        named = {_name(key): environ[key] for key in environ if key.startswith("HTTP_")}
        for key, name in _CONTENT.items():
            if value := environ.get(key):
                named[name] = value
        return named


@lru_cache(maxsize=1024)
def _name(key: str) -> str:
    return key[5:].replace("_", "-").lower()


@lru_cache(maxsize=256)
def _mimetype(content_type: str) -> str:
    return parse_options_header(content_type)[0].lower()
