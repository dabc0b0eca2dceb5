"""Signs and posts requests for `registrar send`: finds the receiver, the source and its secret."""

import json
from dataclasses import dataclass
from datetime import datetime
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
from webhooks.ingress.source_registry import OpenSource
from webhooks.ingress.source_types import Outgoing
from webhooks.signatures import source_signing

STANDARD = "standard"

Answer = list[Receipt] | requests.Response  # a response: an answer without events, as of a chat system


@dataclass(frozen=True)
class Target:
    """A receiver and a source to send as. secret, kind: from the command line. chosen: the source is too."""

    context: Context
    source: str
    to: str | None
    secret: str | None
    kind: str | None = None
    chosen: bool = False

    @property
    def client(self) -> Client | None:
        """Return a client of the remote receiver, to send as the token's bearer; None to sign as a source."""
        signed = self.to or self.secret or self.kind or self.chosen
        return None if signed else self.context.remote

    @property
    def url(self) -> str:
        elsewhere = self.context.remote
        base = self.to or (elsewhere.url if elsewhere else self.context.settings().local_url)
        return base if "/webhooks/" in urlsplit(base).path else f"{base.rstrip('/')}/webhooks/{self.source}"

    @property
    def is_standard(self) -> bool:
        """Return whether the source takes our own event JSON, signed by Standard Webhooks."""
        return (self.kind or self._known_kind() or STANDARD) == STANDARD

    def own_secret(self) -> str | None:
        return resolve(self.secret, environ=process_environment(), folder=Path()) if self.secret else None

    def address(self) -> Address:
        """Return URL and secret from the command line, or else from the installation here. Raises UserError."""
        secret = self.own_secret() or self.context.settings().secret(self._configured().secrets[0])
        return Address(self.url, secret)

    def post(self, body: bytes, *, id: str) -> Receipt:
        """Sign one of our events by Standard Webhooks, and post it. Raises UserError."""
        return post(self.address(), body, id=id, answer_within=self.context.answer_within)

    def open_source(self) -> OpenSource:
        """Open the source, or one of another installation by --kind and --secret. Raises UserError."""
        if self.kind is None and self._known_kind():
            return source_signing.opened(self.source, self.context.policy(), self.context.settings())
        if (secret := self.own_secret()) is None:
            raise click.UsageError("--kind is for a source of another installation: it needs --secret and --to")
        return source_signing.foreign_source(self.kind or STANDARD, self.source, secret)

    def followed(self, receipts: list[Receipt]) -> list[Receipt]:
        """Return receipts with status addresses that can be reached from here."""
        if self.to or self.context.remote:
            return receipts
        base = self.context.settings().local_url
        return [asked_at(receipt, base) for receipt in receipts]

    def _known_kind(self) -> str | None:
        """Return the source's kind in the installation here; None where there is none and --secret was given."""
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


def send_event(target: Target, type_: str, data: dict[str, Any], *, at: datetime | None, id: str) -> Answer:
    """Post one of our events, signed as the source's kind signs, or with a token as a command. Raises UserError."""
    if target.client:
        return [target.client.command(type_, data, key=id)]
    if target.is_standard:
        return target.followed([target.post(compose(type_, data, at=at), id=id)])
    source = target.open_source()
    request = source_signing.composed(source, json.loads(compose(type_, data, at=at)))
    return send_request(target, source, request, id=id)


def send_request(target: Target, source: OpenSource, request: Outgoing, *, id: str) -> Answer:
    """Sign a request as the source's kind signs, and post it. Raises UserError."""
    signed = source_signing.signed(source, request, secret=target.own_secret(), id=id)
    answer = deliver(target.url, signed.body, signed.headers, answer_within=target.context.answer_within)
    return target.followed(receipts_of(target.url, answer)) or answer
