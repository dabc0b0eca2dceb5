"""A receiver, asked over its /v1 API: what it answers, or a sentence that says why not."""

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

TIMEOUT = (5, 30)  # seconds: to be connected, and between two pieces of an answer
WHOLE = 120  # seconds for one answer, however it comes, and whatever is sent again; a page takes less than one
_LONGEST_PAUSE = 60  # seconds that a receiver's 429 may ask for; another's may ask for an hour
# For commands alone: by its Idempotency-Key, one whose answer was lost is sent again and done once. A 429 says when to
# come back: `dead retry --all` may give more commands than a minute takes.
AGAIN = Retry(
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
# The receiver takes a command without a token only with this header, which another site's page in a browser of its
# machine can't send (webhooks/auth/csrf.py).
PROGRAM = {"X-Requested-By": "registrar"}
TAKEN_OR_NOT = "Whether it took the command is not known; `registrar events list` shows it if it did."
LOCAL_OPERATOR = (
    "Start the receiver with REGISTRAR_LOCAL_OPERATOR=NAME, a person of registrar.yml or source:NAME, "
    "to act as them on its machine"
)


class BadAddress(UserError):
    """No receiver's address, or one that a token must not be sent to."""

    exit_code = 2


class NotAllowed(UserError):
    """The receiver knows nobody by this token, or it may not do this."""


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
        """The answer's JSON, an object. None in the query is left out; path: pieces, as they are meant.

        Raises Unknown, BadQuestion, NotAllowed, NotTaken, Unreachable.
        """
        found = _json(self._request("GET", path, params=_query_params(query)), self.url)
        if not isinstance(found, dict):
            raise _stranger(self.url)
        return found

    def lines(self, *path: str, **query: object) -> Iterator[Any]:
        """An answer of JSON lines, one by one. Raises what get() does; Unreachable too where it breaks off."""
        answer = self._request("GET", path, params=_query_params(query), stream=True)
        try:
            for line in answer.iter_lines(chunk_size=65_536):
                yield json.loads(line)
        except (requests.RequestException, ValueError):
            raise Unreachable(f"{self.url} broke off in the middle of its answer; ask again") from None

    def command(self, type_: str, data: Mapping[str, Any], *, key: str) -> Receipt:
        """Have something done; with the same key again it is done once. Raises what get() does."""
        body = {"type": type_, "data": data}
        answer = self._request("POST", ("commands",), json=body, headers={"Idempotency-Key": key, **PROGRAM})
        try:
            [event] = _json(answer, self.url)["events"]
            status_url = self._address(("events", event["id"]))
            return Receipt(event["id"], event["type"], status_url, repeated=answer.status_code == 200)
        except (LookupError, TypeError, ValueError):
            raise _stranger(self.url) from None

    def _request(self, verb: str, path: tuple[str, ...], **how: Any) -> requests.Response:
        if wrong := [piece for piece in path if piece in ("", ".", "..") or "/" in piece]:
            raise Unknown(f"{wrong[0]!r} is nobody's id or name")  # and would be another address
        address = self._address(path)
        with requests.Session() as session:
            for scheme in ("https://", "http://"):
                session.mount(scheme, HTTPAdapter(max_retries=AGAIN))
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
                unknown = f" {TAKEN_OR_NOT}" if verb == "POST" and is_late(error) else ""
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
            to = answer.headers.get("Location", "")[:200]
            return BadAddress(f"{self.url} is not where it is any more: it sends on to {to}; name that")
        if status == 401:
            return self._unknown()
        if status == 403 and code:
            local = code == "not_permitted" and not self.token
            return NotAllowed(f"{detail}. {LOCAL_OPERATOR}" if local else detail)
        if code == "not_found" and not detail.startswith("The requested URL"):  # that is Flask's, of no such route
            return Unknown(detail)
        if code == "invalid_query":
            return BadQuestion(detail)
        return (
            _stranger(self.url)
            if status in (404, 405)
            else NotTaken(f"{self.url} refused it, {status}: {detail or answer.reason}")
        )

    def _unknown(self) -> NotAllowed:
        if self.token:
            said = f"{self.url} knows no such token (any more); `registrar token create` on its machine makes one"
            return NotAllowed(said)
        said = f"{self.url} asks who you are: REGISTRAR_TOKEN, or --token-file FILE, of `registrar token create`"
        if at_loopback(self.url):
            said += (
                " (nobody is the local operator where REGISTRAR_PUBLIC_URL is another host's name, or "
                "access.trusted_proxy.networks hold this machine)"
            )
        return NotAllowed(said)


class _Bearer(AuthBase):
    """RFC 6750."""

    def __init__(self, token: str | None) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token:
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def _query_params(query: Mapping[str, object]) -> dict[str, str]:
    return {name: str(value) for name, value in query.items() if value is not None}


def _problem(answer: requests.Response) -> Mapping[str, Any]:
    """https://www.rfc-editor.org/rfc/rfc9457; empty where it is none."""
    try:
        found = answer.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) and "code" in found else {}


def _json(answer: requests.Response, url: str) -> Any:
    try:
        return answer.json()
    except ValueError:
        raise _stranger(url) from None


def _stranger(url: str) -> NotTaken:
    return NotTaken(f"{url} does not answer as a receiver of Registrar of this version does; is the address right?")
