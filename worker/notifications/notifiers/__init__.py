"""One file per kind of channel; the file's name is the `kind` in registrar.yml.

Each offers `post(notice: Notice, http: requests.Session, seal: Seal) -> str | None`, which raises
(worker.registry.protocol) Retryable (down, slow, too many requests) or Final (it will never take this), and returns the
chat system's own name of the message (JSON text without secrets), where it can be edited, else None. A kind whose
messages can be edited offers `edit(notice: Notice, ref: str, http, seal) -> None`, which rewrites the one that `ref`
names: called again it does the same again. A kind that people can be answered through also offers
`reply(url: str, text: str, http: requests.Session) -> None`, and HOSTS: the hosts that it is answered at where the
source's reply_to names none (of its file in webhooks/sources/, the same).
A kind that can't post without them offers NEEDS = ("url", "secret"), or ("url or secret",) where one of both will do:
`registrar check-config` warns of a channel without.
A kind that takes options offers `class Options(Strict)`: the worker does not start with others;
one without it takes none. With `NEEDS_VERSION = True` it is given the commit and the run of the version that a fact is
about, which costs a call to MLflow. A fact that is nothing for the channel is NotApplicable: not told, not retried.
Each notice is a task of its own, so a dead chat server holds up nothing but its own messages. A channel is told
at least once: where it takes an id, `notice.id` is the same on every attempt.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from registrar.events.approval_buttons import Audience
from registrar.events.outcome import Fact


class NotApplicable(Exception):
    """Raised by `post`: the channel has no way to say such a fact. The message says why, for the record."""


@dataclass(frozen=True)
class Notification:
    """One fact for one channel. url and secret are the channel's, resolved; at: when the event was accepted.

    door: the address that presses of the message's buttons are posted to, where a message says so itself.
    options: the channel's, as they stand in registrar.yml and valid for its kind. source: which installation says so,
    a URI. actor: the id of whoever is behind the event.
    presses: what its buttons are sealed for; None: no source takes them. until: until when they count, the same on
    every attempt; None: it has none.
    thread: the ref of the promotion's card in this channel, for systems that have threads.
    page: the address of the promotion's page, or of the model's.
    end: of a card that is rewritten, the sentence that says how it ended.
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
