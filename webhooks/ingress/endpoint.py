"""Handles POST /webhooks/<source>, without I/O. flask_routes.py and webhooks/asgi.py are adapters over it.

check -> (the adapter reads the body) -> prepare -> submit (the adapter waits for it) -> answer. Where a command names
no version, `complete` comes before submit, in a thread, as it reads the ledger. Errors of any step go to
ErrorHandler.refuse. No response is 2xx before the commit.
"""

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import partial

from werkzeug.exceptions import MethodNotAllowed

from registrar.events.event import Event
from registrar.events.left_out import is_left_out
from registrar.events.types import Data
from registrar.ledger.deliveries import Receipt
from registrar.ledger.engine import now
from registrar.ledger.event_rows import Delivery
from registrar.ledger.inbox import Inbox, Submission
from webhooks.auth.trusted_proxy import HEADER as FORWARDED_FOR
from webhooks.auth.trusted_proxy import Network, client_address
from webhooks.ingress.errors import Incomplete, NotPermitted, TooLarge, UnknownSource, UnsupportedMediaType
from webhooks.ingress.omitted import VersionFinder
from webhooks.ingress.rate_limit import SOURCE, Limits, address_key
from webhooks.ingress.request import HttpRequest, HttpResponse, json_response
from webhooks.ingress.source_registry import OpenSource
from webhooks.ingress.source_types import Answer, Identity, Parsed, Request, Verified
from webhooks.ingress.validation import clean
from webhooks.monitoring.metrics import Metrics

# The path of a source, without its name.
WEBHOOKS = "/webhooks/"
# Seconds that a sender waits for the commit, for the case that the ledger hangs.
COMMIT_SECONDS = 10.0
# Per address; a sender sends one.
HANDSHAKES = "60/minute"


@dataclass(frozen=True)
class Prepared:
    """A verified request. submissions: may be empty. answer: the source's own; None: the default one.

    answer_of: as in Parsed.
    """

    submissions: Sequence[Submission]
    answer: Answer | None
    answer_of: Callable[[Data], Answer] | None = None

    @property
    def incomplete(self) -> bool:
        """Return whether a version is to be found before it is submitted."""
        return any(is_left_out(event.data) for submission in self.submissions for event in submission.events)


@dataclass(frozen=True)
class Endpoint:
    """One per process; thread-safe. proxies: networks whose X-Forwarded-For is trusted."""

    sources: Mapping[str, OpenSource]
    inbox: Inbox
    public_url: str | None
    rate: Limits
    metrics: Metrics
    versions: VersionFinder
    proxies: Sequence[Network] = ()

    def request(self, source: str, headers: Mapping[str, str], *, base_url: str, peer: str | None) -> HttpRequest:
        """Make the request. peer: the address at the other end of the connection."""
        forwarded_for = headers.get(FORWARDED_FOR.lower())
        address = client_address(peer, forwarded_for, self.proxies) if self.proxies else peer
        return HttpRequest(source, headers, base_url, address)

    def check(self, request: HttpRequest) -> int:
        """Check everything but the body; return the most bytes that it may have. Raises Rejected."""
        source = self._source(request.source)
        _check_type(request, source.kind.CONTENT_TYPES)
        if not source.has_own_refusals:  # else it is verified first, to be refused in its own form
            self.rate.check(source.context.config.rate_limit, SOURCE, request.source)
        limit = source.max_bytes
        if (request.announced or 0) > limit:
            raise _too_large(limit)
        return limit

    def prepare(self, request: HttpRequest) -> Prepared:
        """Verify, count and normalise a request with its body, and check its grants. Raises Rejected.

        Only verified requests count against the source's rate limit: else anybody could use it up.
        """
        source = self._source(request.source)
        if request.announced is not None and len(request.body) != request.announced:
            raise Incomplete
        content = Request(request.headers, request.body, request.content_type, now())
        verified = source.verify(content)
        request.verified = (source, content)
        self.metrics.verified(request.source, verified)
        self.rate.count(source.context.config.rate_limit, SOURCE, request.source)
        parsed = source.normalise(content)
        _permit(source, parsed)
        if not parsed.events:
            return Prepared((), parsed.answer or Answer(200, {"events": []}))
        submissions = [
            Submission(
                Delivery(request.source, identity.delivery_id, identity.digest),
                events,
                content.received_at,
                entrance=f"webhook {request.source}",
                began=request.began_ns,
                traceparent=request.headers.get("traceparent"),
            )
            for identity, events in _deliveries(parsed, verified, content)
        ]
        return Prepared(submissions, parsed.answer, parsed.answer_of)

    def complete(self, request: HttpRequest, prepared: Prepared) -> Prepared:
        """Find the version that a command leaves out. Blocks. Raises Rejected, DeliveryConflict, LedgerUnavailable."""
        config = self._source(request.source).context.config
        [submission] = prepared.submissions
        [event] = submission.events
        event = self.versions.completed(submission.delivery, event, may_name=partial(config.grants, event.type))
        answer = prepared.answer_of(event.data) if prepared.answer_of else prepared.answer
        return Prepared([replace(submission, events=[event])], answer)

    def submit(self, prepared: Prepared) -> list[Future[Receipt]]:
        """Submit without blocking; return a future per submission.

        After a failure all can be submitted again: each counts once.
        """
        return [self.inbox.submit(submission) for submission in prepared.submissions]

    def answer(self, request: HttpRequest, prepared: Prepared, receipts: Sequence[Receipt]) -> HttpResponse:
        """Return the response to an accepted request."""
        answer = prepared.answer or self._accepted(request, receipts)
        self.metrics.accepted(request.source, answer.status, time.perf_counter() - request.began)
        return json_response(answer.status, answer.body, answer.headers)

    def handshake(self, request: HttpRequest) -> HttpResponse:
        """Answer OPTIONS, which is unsigned. Raises Rejected, and MethodNotAllowed for kinds without a handshake."""
        self.rate.count(HANDSHAKES, "handshake", address_key(request.address))
        answer = self._source(request.source).handshake(request.headers)
        if answer is None:
            raise MethodNotAllowed(["POST"])
        self.metrics.answered(request.source, answer.status)
        return json_response(answer.status, answer.body, answer.headers)

    def _source(self, name: str) -> OpenSource:
        if name not in self.sources:
            raise UnknownSource(
                f"registrar.yml has no source {clean(name)!r}; post to /webhooks/NAME of one of its sources"
            )
        return self.sources[name]

    def _accepted(self, request: HttpRequest, receipts: Sequence[Receipt]) -> Answer:
        """Return 202 with the events' ids and status URLs, or for a repetition 200 with the first delivery's."""
        base = (self.public_url or request.base_url).rstrip("/")
        ids = [event for receipt in receipts for event in receipt.events]
        events = [{"id": id_, "type": type_, "status_url": f"{base}/v1/events/{id_}"} for id_, type_ in ids]
        return Answer(200 if all(receipt.repeated for receipt in receipts) else 202, {"events": events})


def check_framing(request: HttpRequest) -> None:
    """Refuse transfer codings but chunked: a proxy and the server may disagree about the end of such a body."""
    if request.headers.get("transfer-encoding", "chunked").strip().lower() != "chunked":
        raise Incomplete("Transfer-Encoding must be chunked, once, or absent")


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"the body is larger than this source's {limit} bytes (sources.NAME.max_bytes)")


def _deliveries(parsed: Parsed, verified: Verified, content: Request) -> Iterator[tuple[Identity, tuple[Event, ...]]]:
    """Split a request into deliveries: one for all its events, or one per event where each has an identity."""
    if parsed.identities:
        yield from zip(parsed.identities, ((event,) for event in parsed.events), strict=True)
    else:
        delivery_id = parsed.delivery_id or verified.delivery_id or f"sha256:{content.body_sha256}"
        yield Identity(delivery_id, parsed.digest or content.body_sha256), parsed.events


def _check_type(request: HttpRequest, accepted: Collection[str] | None) -> None:
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise UnsupportedMediaType("compressed bodies are not accepted; send the body without Content-Encoding")
    if accepted is not None and request.content_type not in accepted:
        raise UnsupportedMediaType(
            f"Content-Type {clean(request.content_type) or '(none)'} is not accepted here; "
            f"send {' or '.join(sorted(accepted))}"
        )


def _permit(source: OpenSource, parsed: Parsed) -> None:
    name, config = source.context.name, source.context.config
    for event in parsed.events:
        model = event.data.registered_model
        if not config.grants(event.type, model):
            raise NotPermitted(clean(config.refusal(name, event.type, model), length=1000))
