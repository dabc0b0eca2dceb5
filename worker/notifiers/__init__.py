"""One file per kind of channel; the file's name is the `kind` in registrar.yml.

Each offers `post(notice: Notice, http: requests.Session, seal: Seal) -> None`, which raises
worker.door.Retryable (down, slow, too many requests) or worker.door.Final (it will never take this). A kind that
people can be answered through also offers `reply(url: str, text: str, http: requests.Session) -> None`, and HOSTS:
the hosts that it is answered at where the source's reply_to names none (of its file in webhooks/sources/, the same).
Each notice is a task of its own, so a dead chat server holds up nothing but its own messages. A channel is told
at least once: where it takes an id, `notice.id` is the same on every attempt.
"""

from dataclasses import dataclass
from datetime import datetime

from registrar.outcome import Fact


@dataclass(frozen=True)
class Notice:
    """One fact for one channel. url and secret are the channel's, resolved; at: when the event was accepted.

    door: the address that presses of the message's buttons are posted to, where a message says so itself.
    """

    id: str
    fact: Fact
    event_id: str
    at: datetime
    url: str | None
    secret: str | None
    door: str | None = None
