"""The HTTP request and response of a webhook, independent of server and framework."""

import json
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from werkzeug.http import parse_options_header
from werkzeug.sansio.utils import get_host

from webhooks.ingress.source_registry import OpenSource
from webhooks.ingress.source_types import Request

# Digits of a Content-Length; a longer one counts as sys.maxsize.
_LONGEST_LENGTH = 18
# Of every response: no guessing of the content type, no caching.
_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


@dataclass
class HttpRequest:
    """One request at /webhooks/<source>.

    headers: names in lower case, a repeated header joined by commas. base_url: of this installation, as the sender
    addressed it. address: of the client, for rate limits. body: empty until all of it was read.
    verified: the source and the request, after the signature was verified.
    """

    source: str
    headers: Mapping[str, str] = field(repr=False)
    base_url: str
    address: str | None
    body: bytes = field(default=b"", repr=False)
    verified: tuple[OpenSource, Request] | None = None
    began: float = field(default_factory=time.perf_counter)
    began_ns: int = field(default_factory=time.time_ns)

    @property
    def announced(self) -> int | None:
        """Return Content-Length in bytes; None without one (a chunked body)."""
        length = self.headers.get("content-length", "")
        if not (length.isascii() and length.isdigit()):
            return None
        digits = length.lstrip("0")  # int() refuses thousands of digits
        return int(digits or "0") if len(digits) <= _LONGEST_LENGTH else sys.maxsize

    @property
    def size(self) -> int | None:
        """Return the body's size in bytes: as read, else as announced."""
        return len(self.body) or self.announced

    @property
    def content_type(self) -> str:
        """Return the media type without parameters, in lower case."""
        return _media_type(self.headers.get("content-type", ""))


@dataclass(frozen=True)
class HttpResponse:
    """headers: with Content-Type and Content-Length."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def json_response(
    status: int,
    content: Any,
    headers: Mapping[str, str] | None = None,
    *,
    content_type: str = "application/json",
) -> HttpResponse:
    """Make a response with a JSON body."""
    body = f"{_json.encode(content)}\n".encode()
    lengths = {"Content-Type": content_type, "Content-Length": str(len(body))}
    return HttpResponse(status, {**lengths, **_HEADERS, **(headers or {})}, body)


def folded(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return ASGI's headers as a dict; a repeated header is joined by commas, as in WSGI."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in raw:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    return headers


@lru_cache(maxsize=64)
def base_url_of(scheme: str, host: str | None, server: tuple[str, int] | None) -> str:
    """Return the same as Werkzeug's Request.host_url. host: the header."""
    return f"{scheme}://{get_host(scheme, host, server)}/"


@lru_cache(maxsize=256)
def _media_type(content_type: str) -> str:
    return parse_options_header(content_type)[0].lower()


_json = json.JSONEncoder(separators=(",", ":"))
