"""kind: email. Send facts as plain-text mail by SMTP.

https://www.rfc-editor.org/rfc/rfc5321, rfc6409 (submission), rfc3834 (automatic mail is marked)
A mail that is sent again, as the answer was lost, has the same Message-ID, so most mailboxes show it once.
"""

import re
from email.message import EmailMessage
from email.policy import SMTP
from typing import Annotated

import requests
from pydantic import AfterValidator, Field

from registrar.config.encryption import Encryptor
from registrar.events.facts import FactType
from registrar.policy.base_model import Strict
from registrar.text.sanitize import shown
from worker.notifications import commit_status, fact_card
from worker.notifications.notifiers import Notification
from worker.notifications.transport import smtp

NEEDS = ("url",)
_ADDRESS = r"[^\s<>\"@,;:()\[\]\\]{1,64}@[A-Za-z0-9.-]{1,255}"
_NAMED = rf"[^\x00-\x1f\x7f<>\",;:@]{{1,100}} <{_ADDRESS}>"


def _mailbox(value: str) -> str:
    """Check an address: commas and line breaks could add recipients."""
    if not re.fullmatch(f"{_ADDRESS}|{_NAMED}", value):
        raise ValueError("not an address such as ml-team@example.com or Registrar <registrar@example.com>")
    return value


Mailbox = Annotated[str, AfterValidator(_mailbox)]


class Options(Strict):
    """Sender and recipients. starttls: for smtp://; without it, a password is sent to this machine only."""

    from_: Annotated[Mailbox, Field(alias="from")]
    to: Annotated[list[Mailbox], Field(min_length=1, max_length=50)]
    starttls: bool = True


def message(notification: Notification) -> EmailMessage:
    """Return a mail that is the same on every attempt, byte by byte."""
    options = Options.model_validate(notification.options)
    mail = EmailMessage(policy=SMTP)
    mail["From"], mail["To"] = options.from_, ", ".join(options.to)
    mail["Subject"] = _line(notification.fact.text)[:200]
    mail["Date"] = notification.at
    mail["Message-ID"] = f"<{notification.id}@{options.from_.rpartition('@')[2].rstrip('>')}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(_text(notification), charset="utf-8", cte="quoted-printable")
    return mail


def _text(notification: Notification) -> str:
    fact = notification.fact
    lines = [fact.text]
    if fact.type == FactType.PROMOTION_AWAITING_APPROVAL:
        lines += [
            "",
            *fact_card.evidence(fact),
            "",
            f"To decide, in chat: /registry {fact_card.command('approve', fact)}",
        ]
    if notification.page:
        lines += ["", f"{fact_card.OPEN}: {notification.page}"]
    if url := commit_status.link(fact):
        lines += ["", url]
    return "\n".join([*map(_line, lines), "", "-- ", f"{fact.type}, event {notification.event_id}"]) + "\n"


def _line(text: str) -> str:
    """Return one line, without control characters and those that change the direction of writing."""
    return " ".join(shown(" ".join(text.split())).split())


def post(notification: Notification, http: requests.Session, encryptor: Encryptor) -> None:
    options = Options.model_validate(notification.options)
    smtp.send(notification.url, message(notification), starttls=options.starttls)
