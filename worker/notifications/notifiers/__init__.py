"""One file per kind of channel, whose name is the `kind` in registrar.yml. No list names them.

Each file has a function `post`, as in Notifier, and whichever of these its channel needs:

    edit            rewrites a message by the ref that `post` returned (EditableNotifier)
    reply, HOSTS    answers a person who asked in chat (ReplyingNotifier)
    NEEDS           ("url", "secret"), or ("url or secret",) if one is enough; `registrar check-config` warns without
    Options         a Strict model of the channel's options, else there are none; with others the worker does not start
    NEEDS_VERSION   True: facts come with their version's commit and run, at the cost of one call to MLflow

Each notification is a task of its own, so a dead chat server delays only its own messages. A channel is notified at
least once; where it takes an id, `notification.id` is the same on every attempt.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

import requests

from registrar.config.encryption import Encryptor
from registrar.events.approval_buttons import Audience
from registrar.events.outcome import Fact
from worker.registry.protocol import PermanentError


class NotApplicable(Exception):
    """The channel can't show a fact; the message says why. `post` raises it, and nothing is retried."""


@dataclass(frozen=True)
class Notification:
    """One fact for one channel.

    id: the same on every attempt. at: when the event was accepted, aware. url, secret, options: the channel's, resolved
    and valid for its kind. buttons_url: the address that buttons post to, where a message has to name it. source: the
    URI of this installation. actor: the id of the event's actor. button_audience: the source and channel that may use
    buttons; None where no source takes their presses. until: when buttons expire; None for a card without buttons.
    thread: the ref of the promotion's card in this channel. page: the address of the promotion's or the model's page.
    end: the text that closes a card.
    """

    id: str
    fact: Fact
    event_id: str
    at: datetime
    url: str | None
    secret: str | None
    buttons_url: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    source: str = "urn:registrar:local"
    actor: str | None = None
    button_audience: Audience | None = None
    until: datetime | None = None
    thread: str | None = None
    page: str | None = None
    end: str | None = None

    def required_secret(self, what: str) -> str:
        """Return the channel's secret. what: its kind, for people. Raises PermanentError where there is none."""
        if not self.secret:
            raise PermanentError(f"the channel has no secret; add secret: env:NAME ({what}) to it in registrar.yml")
        return self.secret


class Notifier(Protocol):
    """The module of a kind of channel."""

    def post(self, notification: Notification, http: requests.Session, encryptor: Encryptor) -> str | None:
        """Post one fact. Returns the message's ref, JSON text without secrets, where the message can be edited.

        Raises RetryableError (down, slow, too many requests), PermanentError or NotApplicable.
        """


class EditableNotifier(Notifier, Protocol):
    """A kind whose messages can be rewritten."""

    def edit(self, notification: Notification, ref: str, http: requests.Session, encryptor: Encryptor) -> None:
        """Rewrite a message by its ref; a repetition changes nothing."""


class ReplyingNotifier(Notifier, Protocol):
    """A kind that can answer a person. HOSTS: where its answers go, unless the source's reply_to names hosts."""

    HOSTS: frozenset[str]

    def reply(self, url: str, text: str, http: requests.Session) -> None: ...
