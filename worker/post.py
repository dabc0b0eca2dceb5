"""Posting to people and deploy systems: bounded in time and size, no redirects, errors in two fates."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import requests

from worker.door import Final, Retryable

TIMEOUT = (3.05, 10)  # seconds to connect, and between bytes
SECONDS = 10  # for all of an answer's body that is looked at
MOST = 65_536  # bytes of it
_LATER = {408, 425, 429}


@dataclass(frozen=True)
class Answer:
    """What the other side said. headers: in any case. body: its first 64 KiB, b"" where nobody wants to know."""

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
    """POST a body. hints: by status, where to look when it is refused. Raises Retryable or Final."""
    judge(exchange(http, url, body, headers, listen=False), hints=hints)


def exchange(
    http: requests.Session, url: str | None, body: bytes, headers: Mapping[str, str], *, listen: bool = True
) -> Answer:
    """POST a body, and whatever is answered. listen: whether the answer's body is read.

    No message names the address: chat webhooks' addresses are secrets. Raises Retryable or Final where there is none.
    """
    if not url:
        raise Final("the channel has no url; add url: env:NAME to it in registrar.yml")
    try:
        host = urlsplit(url).hostname or "?"
        with http.post(url, data=body, headers=headers, timeout=TIMEOUT, allow_redirects=False, stream=True) as answer:
            return Answer(host, answer.status_code, answer.headers, _beginning(answer) if listen else b"")
    except (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema, requests.exceptions.MissingSchema):
        raise Final("the channel's url is not an http(s) address") from None
    except requests.exceptions.InvalidHeader:
        raise Final("the channel's secret has characters that no header may hold, such as a line break") from None
    except requests.RequestException as error:
        raise Retryable(f"{host} does not answer ({type(error).__name__})") from None


def judge(answer: Answer, *, hints: Mapping[int, str] | None = None) -> None:
    """Raises Retryable or Final for what is no success."""
    if answer.status in _LATER or answer.status >= 500:
        raise Retryable(f"{answer.host} answered {answer.status}", after=waits(answer))
    if answer.status >= 300:
        hint = (hints or {}).get(answer.status, "")
        raise Final(f"{answer.host} refused the message with {answer.status}{': ' if hint else ''}{hint}")


def waits(answer: Answer) -> float | None:
    """Retry-After, in seconds; a date is not understood."""
    said = answer.headers.get("Retry-After", "")
    return float(said) if said.isascii() and said.isdigit() else None


def _beginning(answer: requests.Response) -> bytes:
    end, kept = time.monotonic() + SECONDS, b""
    for part in answer.iter_content(8192):
        kept += part
        if len(kept) >= MOST or time.monotonic() > end:
            break
    return kept[:MOST]
