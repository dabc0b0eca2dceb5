"""One request, bounded in time and size; a failure is a sentence for people."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from json import loads
from typing import Any

import requests

from registrar.config.credentials import without_login
from registrar.http.safe_url import at_loopback

MOST = 200_000  # bytes
PATIENCE = 3.0  # seconds for a connection, and for an answer


@dataclass(frozen=True)
class Answer:
    """text: the beginning of the body. off: seconds that the server's clock is ahead of ours; None: it sent no date."""

    status: int
    text: str
    off: float | None
    json: Any = None


class Silence(Exception):
    """No answer; the message says why, for people."""


def ask(
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    auth: tuple[str, str] | None = None,
    verify: bool | str = True,
    most: int = MOST,
    method: str = "GET",
    json: Mapping[str, Any] | None = None,
    patience: float = PATIENCE,
) -> Answer:
    """Make a request, a GET unless `method` says otherwise. Redirects are not followed, no login of ~/.netrc is sent.

    json: the body. patience: seconds for a connection, and for an answer. Raises Silence.
    """
    session = requests.Session()
    session.auth = _without_netrc(auth)
    began = datetime.now(UTC)
    try:
        with session.request(
            method,
            url,
            headers=headers,
            json=json,
            timeout=patience,
            allow_redirects=False,
            stream=True,
            verify=verify,
            proxies={"no_proxy": "*"} if at_loopback(url) else None,
        ) as response:
            body = _read(response, most)
            between = began + (datetime.now(UTC) - began) / 2
            return Answer(
                response.status_code,
                body.decode("utf-8", "replace"),
                _clock_offset(response, between),
                _parse_json(response, body),
            )
    except (requests.RequestException, ValueError) as error:
        raise Silence(f"{without_login(url)} {_why(error, patience)}") from None


def _read(response: requests.Response, most: int) -> bytes:
    body = bytearray()
    for piece in response.iter_content(65_536):
        body += piece
        if len(body) >= most:
            break
    return bytes(body[:most])


def _without_netrc(auth: tuple[str, str] | None) -> Any:
    """Return the login, or a function that does nothing, which keeps requests from reading ~/.netrc."""
    return auth or (lambda request: request)


def _why(error: Exception, patience: float) -> str:
    text = str(error)
    if isinstance(error, requests.exceptions.SSLError):
        return "has a TLS certificate that is not trusted here, or speaks no TLS"
    if "NameResolution" in text or "Failed to resolve" in text:
        return "has a name that does not resolve here"
    if isinstance(error, requests.Timeout):
        return f"does not answer within {patience:g} s"
    if "Connection refused" in text:
        return "refuses connections: nothing listens there"
    if isinstance(error, (ValueError, requests.exceptions.InvalidURL)):
        return "is no http(s) address"
    return f"does not answer ({type(error).__name__})"


def _clock_offset(response: requests.Response, at: datetime) -> float | None:
    try:
        return (parsedate_to_datetime(response.headers["Date"]) - at).total_seconds()
    except (KeyError, ValueError, TypeError):
        return None


def _parse_json(response: requests.Response, body: bytes) -> Any:
    if "json" not in response.headers.get("Content-Type", ""):
        return None
    try:
        return loads(body)
    except ValueError:
        return None
