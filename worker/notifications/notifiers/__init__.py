"""One file per kind of channel; its name is the `kind` in registrar.yml. No list names them.

Each file offers `post`, as Notifier says, and what its channel needs of the rest:

    edit            rewrites a message that `post` returned a ref of (EditableNotifier)
    reply, HOSTS    answers a person who asked in chat (ReplyingNotifier)
    NEEDS           ("url", "secret"), or ("url or secret",) where one will do: `registrar check-config` warns without
    Options         a Strict model of the channel's options; the worker does not start with others. Without it: none
    NEEDS_VERSION   True: facts come with the commit and the run of their version, for one call to MLflow

Each notification is a task of its own, so a dead chat server delays only its own messages. A channel is told at least
once: where it takes an id, `notification.id` is the same on every attempt.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

import requests

from registrar.config.encryption import Encryptor
from registrar.events.approval_buttons import Audience
from registrar.events.outcome import Fact


class NotApplicable(Exception):
    """Raised by `post` for a fact that the channel can't show. The message says why; nothing is retried."""


@dataclass(frozen=True)
class Notification:
    """One fact for one channel.

    id: the same on every attempt. at: when the event was accepted, aware. url, secret, options: the channel's, resolved
    and valid for its kind. door: the address that the message's buttons post to, where a message names it itself.
    source: the URI of this installation. actor: the id of the event's actor. presses: what buttons are encrypted for;
    None, no source takes them. until: when buttons end; None, there are none. thread: the ref of the promotion's card
    in this channel. page: the address of the promotion's or the model's page. end: how a card ended that is rewritten.
    """

    id: str
    fact: Fact
    event_id: str
    at: datetime
    url: str | None
    secret: str | None
    door: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    source: str = "urn:registrar:local"
    actor: str | None = None
    presses: Audience | None = None
    until: datetime | None = None
    thread: str | None = None
    page: str | None = None
    end: str | None = None


class Notifier(Protocol):
    """What the file of a channel's kind offers."""

    def post(self, notification: Notification, http: requests.Session, encryptor: Encryptor) -> str | None:
        """Post one fact. Returns the message's ref where it can be edited: JSON text without secrets.

        Raises RetryableError (down, slow, too many requests), PermanentError or NotApplicable.
        """


class EditableNotifier(Notifier, Protocol):
    """A kind whose messages can be rewritten."""

    def edit(self, notification: Notification, ref: str, http: requests.Session, encryptor: Encryptor) -> None:
        """Rewrite the message that ref names. Called again, it changes nothing."""


class ReplyingNotifier(Notifier, Protocol):
    """A kind through which a person can be answered. HOSTS: of its answers, where the source's reply_to names none."""

    HOSTS: frozenset[str]

    def reply(self, url: str, text: str, http: requests.Session) -> None: ...
