"""A client of a receiver's /v1 API. Errors are sentences for people."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3 import Retry

from registrar.errors import UserError
from registrar.http.connection_errors import connection_error_message, is_late
from registrar.http.deadline import within_deadline
from registrar.http.event_client import NotTaken, Receipt, Unreachable, proxies
from registrar.http.safe_url import at_loopback, is_loopback
from registrar.queries.query_service import BadQuestion, Unknown

# Seconds to connect, and between two pieces of an answer.
TIMEOUT = (5, 30)
# Seconds for a whole answer with its retries; a page takes less than one.
WHOLE = 120
# Seconds of a Retry-After that are waited for; a proxy's may be an hour.
_LONGEST_PAUSE = 60
# Only for commands: a command whose answer was lost is sent again with the same Idempotency-Key, and done once. A 429
# says when to send again: `dead retry --all` may send more commands than the rate limit allows in a minute.
RETRIES = Retry(
    total=None,
    connect=0,
    read=2,
    status=3,
    other=0,
    backoff_factor=0.5,
    allowed_methods={"POST"},
    status_forcelist={429},
    raise_on_status=False,
    retry_after_max=_LONGEST_PAUSE,
)
# For files: several `registrar fetch` of one person take turns. The whole answer's deadline ends it.
_TAKING_TURNS = RETRIES.new(status=WHOLE, read=0, allowed_methods={"GET"})
# The receiver accepts a command without a token only with this header, which a page of another site in a browser on
# its machine can't send (webhooks/auth/csrf.py).
PROGRAM_HEADER = {"X-Requested-By": "registrar"}
OUTCOME_UNKNOWN = "Whether it took the command is not known; `registrar events list` shows it if it did."
LOCAL_OPERATOR = (
    "To act on its machine, start `registrar up` (or the receiver) with REGISTRAR_LOCAL_OPERATOR=NAME, a person of "
    "registrar.yml or source:NAME; `up` takes source:operator by itself where registrar.yml has that source"
)


class BadAddress(UserError):
    """The URL is no receiver's, or a token must not be sent there."""

    exit_code = 2


class NotAllowed(UserError):
    """The receiver does not know the token, or its holder may not do this."""


@dataclass(frozen=True)
class Client:
    """url: https://HOST[/PATH]; http only without a token, or to this machine. Raises BadAddress.

    answer_within: seconds for one answer, where that is less than WHOLE.
    """

    url: str
    token: str | None = field(default=None, repr=False)
    answer_within: float | None = None

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise BadAddress(f"{self.url} is no receiver's address, such as https://registrar.example.com")
        if "@" in parts.netloc:
            raise BadAddress("a receiver's address has no user or password in it; give a token: --token-file FILE")
        if self.token is not None and not (self.token.isascii() and self.token.isprintable()):
            raise BadAddress("that is no token: one is a line of letters and digits, of `registrar token create`")
        if self.token and parts.scheme == "http" and not is_loopback(parts.hostname):
            raise BadAddress(
                f"the token is not sent to {self.url}: whoever is on the way could read it. Use https://; "
                "plain http is for this machine alone"
            )

    def get(self, *path: str, **query: object) -> Any:
        """Return the answer's JSON object. Query parameters that are None are left out. path: unquoted parts.

        Raises Unknown, BadQuestion, NotAllowed, NotTaken, Unreachable.
        """
        answer = _json(self._request("GET", path, params=_query_params(query)), self.url)
        if not isinstance(answer, dict):
            raise _unexpected_answer(self.url)
        return answer

    def lines(self, *path: str, **query: object) -> Iterator[Any]:
        """Yield an answer's JSON lines. Raises what get() does; Unreachable, too, where the answer breaks off."""
        answer = self._request("GET", path, params=_query_params(query), stream=True)
        try:
            for line in answer.iter_lines(chunk_size=65_536):
                yield json.loads(line)
        except (requests.RequestException, ValueError):
            raise Unreachable(f"{self.url} broke off in the middle of its answer; ask again") from None

    def chunks(self, *path: str, **query: object) -> Iterator[bytes]:
        """Yield an answer's bytes. Raises what lines() does."""
        answer = self._request("GET", path, params=_query_params(query), stream=True, retries=_TAKING_TURNS)
        try:
            yield from answer.iter_content(65_536)
        except requests.RequestException:
            raise Unreachable(f"{self.url} broke off in the middle of a file; ask again") from None

    def command(self, type_: str, data: Mapping[str, Any], *, key: str) -> Receipt:
        """Send a command; sent again with the same key, it is done once. Raises what get() does."""
        body = {"type": type_, "data": data}
        answer = self._request("POST", ("commands",), json=body, headers={"Idempotency-Key": key, **PROGRAM_HEADER})
        try:
            [event] = _json(answer, self.url)["events"]
            status_url = self._address(("events", event["id"]))
            return Receipt(event["id"], event["type"], status_url, repeated=answer.status_code == 200)
        except (LookupError, TypeError, ValueError):
            raise _unexpected_answer(self.url) from None

    def _request(self, verb: str, path: tuple[str, ...], *, retries: Retry = RETRIES, **how: Any) -> requests.Response:
        if invalid := [piece for piece in path if piece in ("", ".", "..") or "/" in piece]:
            raise Unknown(f"{invalid[0]!r} is nobody's id or name")  # in a path, it would lead to another address
        address = self._address(path)
        with requests.Session() as session:
            for scheme in ("https://", "http://"):
                session.mount(scheme, HTTPAdapter(max_retries=retries))
            try:
                answer = within_deadline(
                    min(WHOLE, self.answer_within or WHOLE),
                    lambda: session.request(
                        verb,
                        address,
                        auth=_Bearer(self.token),  # and no login of a netrc
                        proxies=proxies(address),
                        timeout=TIMEOUT,
                        allow_redirects=False,
                        **how,
                    ),
                )
            except OSError as error:
                unknown = f" {OUTCOME_UNKNOWN}" if verb == "POST" and is_late(error) else ""
                raise Unreachable(connection_error_message(self.url, error) + unknown) from None
        if answer.status_code not in (200, 202):
            raise self._refused(answer)
        return answer

    def _address(self, path: tuple[str, ...]) -> str:
        return "/".join([self.url.rstrip("/"), "v1", *(quote(piece, safe="") for piece in path)])

    def _refused(self, answer: requests.Response) -> UserError:
        problem = _problem(answer)
        detail, code, status = str(problem.get("detail") or ""), problem.get("code"), answer.status_code
        if 300 <= status < 400:
            location = answer.headers.get("Location", "")[:200]
            return BadAddress(f"{self.url} is not where it is any more: it sends on to {location}; name that")
        if status == 401:
            return self._unauthenticated()
        if status == 403 and code:
            local = code == "not_permitted" and not self.token
            return NotAllowed(f"{detail}. {LOCAL_OPERATOR}" if local else detail)
        if code == "not_found" and not detail.startswith("The requested URL"):  # that is Flask's, of no such route
            return Unknown(detail)
        if code == "invalid_query":
            return BadQuestion(detail)
        whole = detail and status < 500  # then it is a sentence about what was asked
        return (
            _unexpected_answer(self.url)
            if status in (404, 405)
            else NotTaken(detail if whole else f"{self.url} answered {status}: {detail or answer.reason}")
        )

    def _unauthenticated(self) -> NotAllowed:
        if self.token:
            message = f"{self.url} knows no such token (any more); `registrar token create` on its machine makes one"
            return NotAllowed(message)
        message = f"{self.url} asks who you are: REGISTRAR_TOKEN, or --token-file FILE, of `registrar token create`"
        if at_loopback(self.url):
            message += (
                " (nobody is the local operator where REGISTRAR_PUBLIC_URL is another host's name, or "
                "access.trusted_proxy.networks hold this machine)"
            )
        return NotAllowed(message)


class _Bearer(AuthBase):
    """A bearer token (RFC 6750)."""

    def __init__(self, token: str | None) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token:
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def _query_params(query: Mapping[str, object]) -> dict[str, str]:
    return {name: str(value) for name, value in query.items() if value is not None}


def _problem(answer: requests.Response) -> Mapping[str, Any]:
    """Return an answer's problem document (https://www.rfc-editor.org/rfc/rfc9457), or {}."""
    try:
        document = answer.json()
    except ValueError:
        return {}
    return document if isinstance(document, dict) and "code" in document else {}


def _json(answer: requests.Response, url: str) -> Any:
    try:
        return answer.json()
    except ValueError:
        raise _unexpected_answer(url) from None


def _unexpected_answer(url: str) -> NotTaken:
    return NotTaken(f"{url} does not answer as a receiver of Registrar of this version does; is the address right?")
