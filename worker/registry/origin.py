"""Check that an answer comes from MLflow, and not from a proxy before it.

MLflow answers its API with a JSON object, and refuses with one that has an error_code of its own. A proxy's 404 does
not mean a missing version, nor its login page an empty list: such an answer says nothing about the registry, and a
later one may be MLflow's. So each answer is checked before MLflow's client reads it.
"""

import json
import re
import time
from collections.abc import Callable
from typing import Any

import requests
from mlflow.protos.databricks_pb2 import ErrorCode
from mlflow.utils import request_utils
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from registrar.ledger.engine import now
from registrar.text.sanitize import shown
from worker.retry import parse_retry_after

LONGEST = 30.0  # seconds for a whole answer; each part of it has MLFLOW_HTTP_REQUEST_TIMEOUT
_API = re.compile(r"/(ajax-)?api/\d\.\d/")
_BUSY = {408, 429, 502, 503, 504}
_PART = 65_536  # bytes
NOT_THE_REGISTRY = "something before MLflow, or not MLflow, answered"
_MAX_SHOWN = 120  # characters of the answer
_HINTS = {
    301: "; set MLFLOW_TRACKING_URI to the address that it leads to",
    401: "; see MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD",
    403: "; see what this login may do",
}
_HINTS |= dict.fromkeys((302, 303, 307, 308), _HINTS[301])


class NotMlflow(requests.RequestException):
    """The answer says nothing about the registry. after: seconds that it asked us to wait, or None."""

    def __init__(self, message: str, *, after: float | None = None) -> None:
        super().__init__(message)
        self.after = after


def install_check() -> None:
    """Make all sessions of MLflow's client check answers. Call it before the client is used."""
    make_session = request_utils._get_request_session
    if not hasattr(make_session, "checks"):
        request_utils._get_request_session = _checking(make_session)


def _checking(make_session: Callable[..., requests.Session]) -> Callable[..., requests.Session]:
    def session(*args: Any, **kwargs: Any) -> requests.Session:
        """Return MLflow's session with the check; MLflow keeps its sessions, so each is changed once."""
        checked = make_session(*args, **kwargs)
        if _check_origin not in checked.hooks["response"]:
            checked.hooks["response"].append(_check_origin)
            for adapter in checked.adapters.values():
                if isinstance(adapter, HTTPAdapter):  # otherwise the client of 3.17 discards the body of a 5xx
                    adapter.max_retries = Retry(0, read=False)
        return checked

    session.checks = True  # type: ignore[attr-defined]
    return session


def _check_origin(response: requests.Response, **sent: Any) -> requests.Response:
    """Check an answer of MLflow's API. Raises NotMlflow. Files, which are streamed or put, are not JSON."""
    is_file = response.ok and (sent.get("stream") or response.request.method == "PUT")
    if is_file or not _API.search(response.url):
        return response
    _read(response)
    content = _object(response.text)
    if content is not None and response.status_code in _BUSY:
        raise NotMlflow(f"the registry answered {response.status_code}", after=_wait(response))
    if content is not None and (response.ok or _is_mlflows(content)):
        return response
    raise NotMlflow(_sentence(response), after=_wait(response))


def _wait(response: requests.Response) -> float | None:
    return parse_retry_after(response.headers.get("Retry-After", ""), at=now())


def _read(response: requests.Response) -> None:
    """Read the whole body, however slowly it comes, within LONGEST. Raises NotMlflow after that."""
    until, parts = time.monotonic() + LONGEST, []
    while part := response.raw.read1(_PART, decode_content=True):
        parts.append(part)
        if time.monotonic() > until:
            raise NotMlflow(f"the answer took longer than {LONGEST:.0f} s")
    response._content, response._content_consumed = b"".join(parts), True  # type: ignore[attr-defined]


def _object(text: str) -> dict[str, Any] | None:
    try:
        content = json.loads(text)
    except ValueError:
        return None
    return content if isinstance(content, dict) else None


def _is_mlflows(content: dict[str, Any]) -> bool:
    code = content.get("error_code")
    return isinstance(code, str) and code in ErrorCode.keys()  # noqa: SIM118


def _sentence(response: requests.Response) -> str:
    kind = response.headers.get("Content-Type", "").partition(";")[0] or "no content type"
    lines = response.text.strip().splitlines()
    text = f": {shown(lines[0][:_MAX_SHOWN])}" if lines and kind == "text/plain" else ""
    hint = _HINTS.get(response.status_code, "")
    return f"{NOT_THE_REGISTRY} {response.status_code} ({kind}{text}){hint}"
