"""Send events as a CI job does: compose, sign (Standard Webhooks), post, and follow to the end."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests

from registrar.errors import UserError
from registrar.events.states import EventState
from registrar.http import signing
from registrar.http.connection_errors import connection_error_message
from registrar.http.deadline import within_deadline
from registrar.http.safe_url import is_loopback

# Seconds between two pieces of an answer.
TIMEOUT = 10.0
# Seconds for a whole request and its answer.
WHOLE = 30.0
PAUSE = 0.5
_LAST_LOOK = 1.0  # seconds for an answer when the time is over


class CannotSign(UserError):
    """The secret is not one of Standard Webhooks."""

    exit_code = 2


class NotTaken(UserError):
    """The receiver refused the event; the message is its reason."""

    exit_code = 1


class Unreachable(UserError):
    """The receiver can't be reached."""

    exit_code = 3


@dataclass(frozen=True)
class Address:
    """A receiver's endpoint, and the secret to sign with."""

    url: str
    secret: str = field(repr=False)


@dataclass(frozen=True)
class Receipt:
    """An accepted event. repeated: the delivery had been accepted before, and is not done twice."""

    id: str
    type: str
    status_url: str
    repeated: bool


def compose(type_: str, data: Mapping[str, Any], *, at: datetime | None) -> bytes:
    """Return the body of an event. at: when it happened; None: the receiver takes the time of acceptance."""
    when = {"timestamp": at.isoformat()} if at else {}
    return json.dumps({"type": type_, **when, "data": data}).encode()


def post(to: Address, body: bytes, *, id: str, answer_within: float | None = None) -> Receipt:
    """Sign and post a body. The same id and body again are the same delivery.

    id: letters, digits, _ and -. answer_within: as of `deliver`. Raises CannotSign, NotTaken, Unreachable.
    """
    try:
        headers = signing.standard_webhooks(to.secret, id=id, timestamp=datetime.now(UTC), body=body)
    except signing.BadSecret as error:
        raise CannotSign(str(error)) from None
    headers["Content-Type"] = "application/json"
    answer = deliver(to.url, body, headers, answer_within=answer_within)
    if receipts := receipts_of(to.url, answer):
        return receipts[0]
    if reason := _ignored(answer):
        raise NotTaken(f"{to.url} ignored it: {reason}")
    raise NotTaken(f"{to.url} answered {answer.status_code}, but not as a receiver of Registrar does")


def deliver(
    url: str, body: bytes, headers: Mapping[str, str], *, answer_within: float | None = None
) -> requests.Response:
    """Post a signed body; return the answer, a 200 or 202. Raises NotTaken, Unreachable.

    answer_within: seconds for the answer, where that is less than WHOLE.
    """
    try:
        answer = within_deadline(
            min(WHOLE, answer_within or WHOLE),
            lambda: requests.post(
                url, data=body, headers=headers, timeout=TIMEOUT, allow_redirects=False, proxies=proxies(url)
            ),
        )
    except OSError as error:
        raise Unreachable(connection_error_message(url, error)) from None
    if answer.status_code not in (200, 202):
        raise NotTaken(f"{url} refused it{_problem(answer)}")
    return answer


def proxies(url: str) -> dict[str, str] | None:
    """Return the proxies for requests: none for this machine."""
    host = urlsplit(url).hostname or ""
    return {"no_proxy": host} if is_loopback(host) else None


def receipts_of(url: str, answer: requests.Response) -> list[Receipt]:
    """Return the accepted events; none where the answer is one to a chat system, or nothing was accepted."""
    repeated = answer.status_code == 200
    try:
        return [
            Receipt(event["id"], event["type"], urljoin(url, event["status_url"]), repeated=repeated)
            for event in answer.json()["events"]
        ]
    except (ValueError, LookupError, TypeError):
        return []


def _ignored(answer: requests.Response) -> str | None:
    """Return why the receiver ignored a valid delivery; None: it did not."""
    try:
        return str(answer.json()["ignored"])
    except (ValueError, LookupError, TypeError):
        return None


def asked_at(receipt: Receipt, base: str) -> Receipt:
    """Set the host of the status URL to `base`: on the receiver's own machine its public name may not resolve."""
    return replace(receipt, status_url=f"{base.rstrip('/')}/v1/events/{receipt.id}")


def _problem(answer: requests.Response) -> str:
    """Return the detail of an application/problem+json, else the status and the beginning of the answer."""
    try:
        content = answer.json()
        if detail := content.get("detail"):
            return f": {detail}"
        text = content.get("title") or content
    except (ValueError, AttributeError):
        text = answer.text[:300] or answer.reason
    return f", {answer.status_code}: {text}"


def status(url: str, *, token: str | None = None, timeout: float = TIMEOUT) -> dict[str, Any]:
    """Return an event with its tasks, with their outcomes if there is a token. Raises requests.RequestException."""
    login = {"Authorization": f"Bearer {token}"} if token else {}
    answer = within_deadline(
        timeout,
        lambda: requests.get(url, timeout=timeout, proxies=proxies(url), headers=login, allow_redirects=not token),
    )
    answer.raise_for_status()
    event = answer.json()
    if not isinstance(event, dict) or not {"id", "type", "state", "tasks"} <= event.keys():
        raise requests.exceptions.InvalidJSONError("it is no answer of a receiver's")
    return event


def follow(
    url: str, *, seconds: float, token: str | None = None, seen: Callable[[dict[str, Any]], None] = lambda event: None
) -> dict[str, Any]:
    """Poll an event until it is finished, or for `seconds`, and return it. A restarting receiver is asked again.

    token: one of the receiver at that address, and of no other. seen: called with the event while it is unfinished.
    Raises Unreachable.
    """
    deadline = time.monotonic() + seconds
    while True:
        left = deadline - time.monotonic()
        late = left <= 0
        try:
            event = status(url, token=token, timeout=min(TIMEOUT, max(left, _LAST_LOOK)))
            if event["state"] != EventState.UNFINISHED or late:
                return event
            seen(event)
        except requests.RequestException as error:
            if late:
                raise Unreachable(f"{url} does not say what became of the event: {error}") from None
        time.sleep(min(PAUSE, max(0.0, deadline - time.monotonic())))
