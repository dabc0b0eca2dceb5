"""What `registrar send` posts: to which receiver, as which source, signed with which secret."""

import json
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
import requests

from registrar.cli.context import Context
from registrar.config.settings import process_environment, resolve
from registrar.errors import UserError
from registrar.http.api_client import Client
from registrar.http.event_client import Address, Receipt, asked_at, compose, deliver, post, receipts_of
from registrar.policy import Source

STANDARD = "standard"

Answer = list[Receipt] | requests.Response  # a response: an answer without events, as of a chat system


@dataclass(frozen=True)
class Target:
    """Where it goes, and as whom. secret, kind: as given on the command line; chosen: so was the source."""

    context: Context
    source: str
    to: str | None
    secret: str | None
    kind: str | None = None
    chosen: bool = False

    @property
    def client(self) -> Client | None:
        """Of a receiver elsewhere, where it is the token's bearer who asks; None: a source does, and signs."""
        signed = self.to or self.secret or self.kind or self.chosen
        return None if signed else self.context.remote

    @property
    def url(self) -> str:
        elsewhere = self.context.remote
        base = self.to or (elsewhere.url if elsewhere else self.context.settings().local_url)
        return base if "/webhooks/" in urlsplit(base).path else f"{base.rstrip('/')}/webhooks/{self.source}"

    @property
    def is_standard(self) -> bool:
        """Whether our own event JSON is what it takes, signed by Standard Webhooks."""
        return (self.kind or self._known_kind() or STANDARD) == STANDARD

    def own_secret(self) -> str | None:
        return resolve(self.secret, environ=process_environment(), folder=Path()) if self.secret else None

    def address(self) -> Address:
        """As given; what is not, as the installation in the data folder has it. Raises UserError."""
        secret = self.own_secret() or self.context.settings().secret(self._configured().secrets[0])
        return Address(self.url, secret)

    def post(self, body: bytes, *, id: str) -> Receipt:
        """Sign one of our events by Standard Webhooks, and post it. Raises UserError."""
        return post(self.address(), body, id=id, answer_within=self.context.answer_within)

    def sender(self, sending: Any) -> Any:
        """The source as webhooks/signatures/source_signing.py knows it. Raises UserError."""
        if self.kind is None and self._known_kind():
            return sending.opened(self.source, self.context.policy(), self.context.settings())
        if (secret := self.own_secret()) is None:
            raise click.UsageError("--kind is for a source of another installation: it needs --secret and --to")
        return sending.stranger(self.kind or STANDARD, self.source, secret)

    def followed(self, receipts: list[Receipt]) -> list[Receipt]:
        """With status addresses that can be asked from here."""
        if self.to or self.context.remote:
            return receipts
        base = self.context.settings().local_url
        return [asked_at(receipt, base) for receipt in receipts]

    def _known_kind(self) -> str | None:
        """Of the source, by the installation here. None where there is none, and a secret makes up for it."""
        try:
            return self._configured().kind
        except UserError:
            if self.secret:
                return None
            raise

    def _configured(self) -> Source:
        sources = self.context.policy().sources
        if self.source not in sources:
            known = ", ".join(sources)
            raise UserError(f"registrar.yml has no source {self.source!r}, only {known}; choose one with --source")
        return sources[self.source]


def sending() -> Any:
    """webhooks/signatures/source_signing.py, which this package may not import: it offers itself by name."""
    [entry] = entry_points(group="registrar.sending")
    return entry.load()


def sent(target: Target, type_: str, data: dict[str, Any], *, at: datetime | None, id: str) -> Answer:
    """Post one of our events, signed as the source's kind does it; or ask for it with a token. Raises UserError."""
    if target.client:
        return [target.client.command(type_, data, key=id)]
    if target.is_standard:
        return target.followed([target.post(compose(type_, data, at=at), id=id)])
    known = sending()
    sender = target.sender(known)
    return posted(known, sender, target, known.composed(sender, json.loads(compose(type_, data, at=at))), id=id)


def posted(sending: Any, sender: Any, target: Target, request: Any, *, id: str) -> Answer:
    """Signed as the source's kind does it. The receipts, or an answer without any. Raises UserError."""
    signed = sending.signed(sender, request, secret=target.own_secret(), id=id)
    answer = deliver(target.url, signed.body, signed.headers, answer_within=target.context.answer_within)
    return target.followed(receipts_of(target.url, answer)) or answer
