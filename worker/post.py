"""Posting to people and deploy systems: bounded in time and size, no redirects, errors in two fates."""

from collections.abc import Mapping
from urllib.parse import urlsplit

import requests

from worker.door import Final, Retryable

TIMEOUT = (3.05, 10)  # seconds to connect, and between bytes
_LATER = {408, 425, 429}


def post(http: requests.Session, url: str | None, body: bytes, headers: Mapping[str, str]) -> None:
    """POST a body. No message names the address: chat webhooks' addresses are secrets. Raises Retryable or Final."""
    if not url:
        raise Final("the channel has no url; add url: env:NAME to it in registrar.yml")
    host = urlsplit(url).hostname or "?"
    try:
        with http.post(url, data=body, headers=headers, timeout=TIMEOUT, allow_redirects=False, stream=True) as answer:
            status, wait = answer.status_code, answer.headers.get("Retry-After", "")
    except (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema, requests.exceptions.MissingSchema):
        raise Final("the channel's url is not an http(s) address") from None
    except requests.RequestException as error:
        raise Retryable(f"{host} does not answer ({type(error).__name__})") from None
    if status in _LATER or status >= 500:
        raise Retryable(f"{host} answered {status}", after=float(wait) if wait.isdigit() else None)
    if status >= 300:
        raise Final(f"{host} refused the message with {status}")
