"""HTTP requests to chat and deploy systems: bounded in time and size, no redirects, errors retryable or permanent."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3

from registrar.ledger.engine import now
from worker.registry.protocol import PermanentError, RetryableError
from worker.retry import parse_retry_after

TIMEOUT = (3.05, 10)  # seconds to connect, and between bytes
BODY_SECONDS = 10.0  # for the whole body of an answer
MAX_BODY = 262_144  # bytes of an answer; Slack repeats the message, about 20 KB
_RETRYABLE = {408, 425, 429}


@dataclass(frozen=True)
class Answer:
    """An HTTP response. body: b"" where it was not to be read, or does not end."""

    host: str
    status: int
    headers: Mapping[str, str]
    body: bytes = field(default=b"", repr=False)


def post(
    http: requests.Session,
    url: str | None,
    body: bytes,
    headers: Mapping[str, str],
    *,
    hints: Mapping[int, str] | None = None,
) -> None:
    """POST a body. hints: by status, what to check where it is refused. Raises RetryableError or PermanentError."""
    judge(exchange(http, url, body, headers, read_body=False), hints=hints)


def ask(
    http: requests.Session, method: str, url: str | None, content: object, headers: Mapping[str, str]
) -> Mapping[str, Any]:
    """Send JSON and return the object in the answer; {} where there is none. Raises like `post`.

    An unreadable body is no error: by its status the message was accepted, and a retry would duplicate it.
    """
    plain = {**headers, "Accept-Encoding": "identity"}
    answer = exchange(http, url, json.dumps(content).encode(), plain, method=method)
    judge(answer)
    try:
        result = json.loads(answer.body)
    except (ValueError, RecursionError):
        return {}
    return result if isinstance(result, dict) else {}


def exchange(
    http: requests.Session,
    url: str | None,
    body: bytes,
    headers: Mapping[str, str],
    *,
    method: str = "POST",
    read_body: bool = True,
) -> Answer:
    """Send a body and return the answer.

    No error names the address, as webhook addresses of chats are secrets. Raises RetryableError; PermanentError where
    there is no address.
    """
    if not url:
        raise PermanentError("the channel has no url; add url: env:NAME to it in registrar.yml")
    host = _host(url)
    try:
        with http.request(
            method, url, data=body, headers={**headers}, timeout=TIMEOUT, allow_redirects=False, stream=True
        ) as answer:
            return Answer(host, answer.status_code, answer.headers, _read(answer) if read_body else b"")
    except (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema, requests.exceptions.MissingSchema):
        raise PermanentError("the channel's url is not an http(s) address") from None
    except requests.exceptions.InvalidHeader:
        raise PermanentError(
            "the channel's secret has characters that no header may hold, such as a line break"
        ) from None
    except requests.RequestException as error:
        raise RetryableError(f"{host} does not answer ({type(error).__name__})") from None


def judge(answer: Answer, *, hints: Mapping[int, str] | None = None) -> None:
    """Raise RetryableError or PermanentError for a status that is no success."""
    if answer.status in _RETRYABLE or answer.status >= 500:
        raise RetryableError(f"{answer.host} answered {answer.status}", after=retry_after_seconds(answer))
    if answer.status >= 300:
        hint = (hints or {}).get(answer.status, "")
        raise PermanentError(f"{answer.host} refused the message with {answer.status}{': ' if hint else ''}{hint}")


def retry_after_seconds(answer: Answer) -> float | None:
    """Return the seconds that the answer's Retry-After asks for, or None."""
    return parse_retry_after(answer.headers.get("Retry-After", ""), at=now())


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or "?"
    except ValueError:
        raise PermanentError("the channel's url is not an http(s) address") from None


def _read(answer: requests.Response) -> bytes:
    """Read the body in pieces, each within TIMEOUT and all within BODY_SECONDS: a slow server holds no thread."""
    end, body = time.monotonic() + BODY_SECONDS, b""
    try:
        while time.monotonic() < end and len(body) <= MAX_BODY:
            piece: bytes = answer.raw.read1(65_536)
            if not piece:
                return body
            body += piece
    except (urllib3.exceptions.HTTPError, OSError):
        pass
    return b""
