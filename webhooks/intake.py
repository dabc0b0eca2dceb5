"""The one POST route's work, from the bytes to the answer: nothing is answered 2xx before the commit.

route -> content type -> rate -> size -> raw bytes -> verify -> normalise -> grants -> one commit -> doorbell -> answer
"""

import logging
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass

from werkzeug.exceptions import ClientDisconnected, MethodNotAllowed

from registrar import tracing
from registrar.ledger.accept import Delivery, Receipt
from registrar.ledger.engine import now
from webhooks.arriving import Arriving
from webhooks.clean import clean
from webhooks.commit import Accept
from webhooks.doorbell import Doorbell
from webhooks.errors import Incomplete, NotPermitted, Rejected, TooLarge, TooMany, UnknownSource, UnsupportedMediaType
from webhooks.metrics import Metrics
from webhooks.rate import Limits, address_key
from webhooks.senders import Sender
from webhooks.source import Answer, Parsed, Request, Verified

log = logging.getLogger(__name__)

HANDSHAKES = "60/minute"  # per address; a sender asks once
_PIECE = 65_536


@dataclass(frozen=True)
class Intake:
    """What the route needs; one per process."""

    senders: Mapping[str, Sender]
    accept: Accept
    doorbell: Doorbell
    public_url: str | None
    rate: Limits
    metrics: Metrics

    def receive(self, name: str, arriving: Arriving) -> Answer:
        """Raises Rejected, DeliveryConflict, LedgerUnavailable."""
        began, sender = time.time_ns(), self._sender(name)
        base = self.public_url or arriving.host_url
        _check_type(arriving, sender.kind.CONTENT_TYPES)
        request, verified = self._hear(sender, arriving)
        parsed = sender.normalise(request)
        _permit(sender, parsed)
        answer, receipt = self._take(sender, request, parsed, verified.delivery_id, base)
        if receipt and tracing.on():
            _trace(receipt, name, request, began)
        return answer

    def greet(self, name: str, arriving: Arriving) -> Answer:
        """OPTIONS, which is never signed. Raises Rejected, and MethodNotAllowed where the kind knows no handshake."""
        self.rate.count(HANDSHAKES, "handshake", address_key(arriving.address))
        answer = self._sender(name).handshake(arriving.headers())
        if answer is None:
            raise MethodNotAllowed(["POST"])
        return answer

    def _hear(self, sender: Sender, arriving: Arriving) -> tuple[Request, Verified]:
        """The request and what vouches for it. What is not signed never uses up the source's budget: anybody
        could silence a sender with it.
        """
        name, limit = sender.context.name, sender.context.config.rate_limit
        try:
            self.rate.check(limit, "source", name)
        except TooMany:
            if sender.talks:
                _told_if_verified(sender, arriving)
            raise
        request, verified = _verified(sender, arriving)
        self.metrics.verified(name, verified)
        self.rate.count(limit, "source", name, ahead=True)
        return request, verified

    def _sender(self, name: str) -> Sender:
        if name not in self.senders:
            raise UnknownSource(
                f"registrar.yml has no source {clean(name)!r}; post to /webhooks/NAME of one that it has"
            )
        return self.senders[name]

    def _take(
        self, sender: Sender, request: Request, parsed: Parsed, delivery_id: str | None, base: str
    ) -> tuple[Answer, Receipt | None]:
        if not parsed.events:
            return parsed.answer or Answer(200, {"events": []}), None
        identity = parsed.delivery_id or delivery_id or f"sha256:{request.body_sha256}"
        delivery = Delivery(sender.context.name, identity, parsed.digest or request.body_sha256)
        receipt = self.accept(delivery, parsed.events, now())
        self.doorbell.ring(receipt.bells)
        self.metrics.took(sender.context.name, receipt)
        for event_id, type_ in receipt.events:
            what = "repeated" if receipt.repeated else "accepted"
            about = {"event": event_id, "type": type_, "source": sender.context.name}
            log.info("%s %s %s from %s", what, type_, event_id, sender.context.name, extra={"about": about})
        return parsed.answer or _answer(receipt, base), receipt


def _trace(receipt: Receipt, source: str, request: Request, began: int) -> None:
    """What was accepted before has its trace."""
    if not receipt.repeated:
        named = [event_id for event_id, _ in receipt.events]
        about = {"registrar.source": source, "registrar.type": receipt.events[0][1]}
        sender = request.headers.get("traceparent")
        tracing.accepted(f"webhook {source}", named, about, began=began, ended=time.time_ns(), sender=sender)


def _verified(sender: Sender, arriving: Arriving) -> tuple[Request, Verified]:
    """From here on, a refusal is told to whoever is behind the request in the way that they see (refusals.py)."""
    request = _read(sender, arriving)
    verified = sender.verify(request)
    arriving.heard = (sender, request)
    return request, verified


def _told_if_verified(sender: Sender, arriving: Arriving) -> None:
    """Too many requests are refused unread; but a person who pressed or typed something is to know it."""
    with suppress(Rejected):
        _verified(sender, arriving)


def _read(sender: Sender, arriving: Arriving) -> Request:
    """The request whole, before anything looks into it."""
    body = _body(arriving, limit=sender.context.config.max_bytes)
    arriving.size = len(body)
    return Request(arriving.headers(), body, arriving.mimetype, now())


def _check_type(arriving: Arriving, taken: Collection[str]) -> None:
    if arriving.coding != "identity":
        raise UnsupportedMediaType("compressed bodies are not taken; send it without Content-Encoding")
    if arriving.mimetype not in taken:
        raise UnsupportedMediaType(
            f"Content-Type {clean(arriving.mimetype) or '(none)'} is not taken here; send {' or '.join(sorted(taken))}"
        )


def _body(arriving: Arriving, *, limit: int) -> bytes:
    """At most `limit` bytes. Read here, piece by piece: with Flask's MAX_CONTENT_LENGTH Werkzeug cuts a chunked body
    at the limit without a word, and the part would be taken for the whole.
    """
    if (arriving.announced or 0) > limit:
        raise _too_large(limit)
    body = bytearray()
    try:
        stream = arriving.stream
        while piece := stream.read(min(_PIECE, limit + 1 - len(body))):
            body += piece
    except (ClientDisconnected, OSError):
        raise _cut_off() from None
    if len(body) > limit:
        raise _too_large(limit)
    # gunicorn says wsgi.input_terminated, so Werkzeug does not count; a token would vouch for half a command.
    if arriving.announced is not None and len(body) != arriving.announced:
        raise _cut_off()
    return bytes(body)


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"the body is larger than this source's {limit} bytes (sources.NAME.max_bytes)")


def _cut_off() -> Incomplete:
    return Incomplete("the body ended before its announced length; send it again")


def _permit(sender: Sender, parsed: Parsed) -> None:
    name, config = sender.context.name, sender.context.config
    for event in parsed.events:
        model = event.data.registered_model
        if not config.grants(event.type, model):
            raise NotPermitted(clean(config.refusal(name, event.type, model), length=1000))


def _answer(receipt: Receipt, base: str) -> Answer:
    """200 for what was accepted before, with the first answer's ids."""
    events = [
        {"id": event_id, "type": type_, "status_url": f"{base.rstrip('/')}/v1/events/{event_id}"}
        for event_id, type_ in receipt.events
    ]
    return Answer(200 if receipt.repeated else 202, {"events": events})
