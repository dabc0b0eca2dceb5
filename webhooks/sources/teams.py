"""Microsoft Teams: an outgoing webhook. A person writes `@Registrar approve MODEL VERSION` and gets an answer at once.

https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/add-outgoing-webhook
Teams waits 5 s and accepts no later answer: a command that needs one is refused, with the command line to use instead.
The activity's serviceUrl is never called. A person is the aadObjectId, never the name, which can be changed.
"""

import html
import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from registrar.events.event import Actor, Event
from webhooks.chat import parser
from webhooks.ci.payload import Ignored, text
from webhooks.ingress import strict_json
from webhooks.ingress.errors import InvalidEvent, Rejected, StaleTimestamp
from webhooks.ingress.source_types import Answer, Context, Outgoing, Parsed, Request, Verified
from webhooks.ingress.validation import clean
from webhooks.signatures import schemes, verifier

CONTENT_TYPES = frozenset({"application/json"})
SCHEME = schemes.TEAMS
# Not written by the sender: the webhook's name, a quoted message, text struck out.
# A tag ends before the next begins, so that a text of many "<" is scanned once.
_NOT_TYPED = re.compile(r"(?is)<(at|blockquote|s|strike|del)(?:\s[^<>]*)?>(?:(?!<\1[\s>]).)*?</\1>")
_MOST_QUOTES = 20  # one inside the other
_TAG = re.compile(r"<[^<>]*>")


def check_secret(secret: str) -> None:
    verifier.check_secret(SCHEME, secret)


def verify(request: Request, context: Context) -> Verified:
    """Verify a request. Its id, the activity's, is in the body: `normalise` reads it."""
    return verifier.verified(SCHEME, request, context)


def sign(outgoing: Outgoing, *, secret: str, context: Context, now: datetime) -> Outgoing:
    """Set the activity's time to the present, before the Scheme signs it."""
    del secret, context
    activity = strict_json.parse_theirs(outgoing.body)
    if isinstance(activity, dict):
        activity["timestamp"] = now.isoformat()
    return Outgoing(outgoing.headers, json.dumps(activity).encode())


def normalise(request: Request, context: Context) -> Parsed:
    activity = strict_json.parse_theirs(request.body)
    if not (kind := text(activity, "type")):
        raise InvalidEvent("not an activity: it has no type")
    if kind != "message":  # typing, reactions and edits need no answer
        return Ignored(f"activities of the type {clean(kind)}").parsed
    _fresh(activity.get("timestamp"), request.received_at, tolerance=context.config.tolerance)
    words, granted = _words(text(activity, "text")), context.config.grants_any
    command = parser.parse(words, command="@Registrar", later=parser.ELSEWHERE, granted=granted)
    if command.data is None:
        return Parsed(answer=_shown(command.text))
    if command.data.type == "registry.query":
        raise InvalidEvent(
            "Teams accepts no later answer, and this one takes a moment; use the command line: "
            "registrar versions | models | runs | experiments | history"
        )
    event = Event(command.data, _person(activity, context), request.received_at)
    return Parsed((event,), _delivery(activity), _shown(command.text), answer_of=command.answer_of(_shown))


def _shown(text: str) -> Answer:
    return Answer(200, _message(text))


def refuse(request: Request, rejected: Rejected) -> Mapping[str, Any] | None:
    """Return the refusal for a 200: Teams shows no other response. A stale request gets its 4xx: it may be a replay."""
    return None if isinstance(rejected, StaleTimestamp) else _message(rejected.for_people())


def _fresh(timestamp: object, now: datetime, *, tolerance: int) -> None:
    """Check the time in the signed body, so that a captured request can't be sent again later."""
    try:
        at = datetime.fromisoformat(timestamp if isinstance(timestamp, str) else "")
        off = abs((now - at).total_seconds())
    except (ValueError, TypeError):
        raise InvalidEvent("the activity's timestamp is missing, or not ISO 8601 with a zone") from None
    if off > tolerance:
        raise StaleTimestamp(f"the message was written {off:.0f} seconds from now, and {tolerance} are allowed")


def _words(sent: str) -> str:
    """Return the text without the webhook's mention, markup, entities and non-breaking spaces."""
    for _ in range(_MOST_QUOTES):
        sent, count = _NOT_TYPED.subn(" ", sent)
        if not count:
            break
    else:
        return ""
    return html.unescape(_TAG.sub(" ", sent)).replace("\xa0", " ").strip()


def _person(activity: Mapping[str, Any], context: Context) -> Actor:
    sender = activity.get("from")
    account = sender.get("aadObjectId") if isinstance(sender, dict) else None
    if not isinstance(sender, dict) or not isinstance(account, str) or not re.fullmatch("[A-Za-z0-9-]{1,64}", account):
        raise InvalidEvent("the activity does not say who wrote it: from.aadObjectId is missing or malformed")
    name = sender.get("name")
    return context.policy.actor("teams", account, clean(name) if isinstance(name, str) else account)


def _delivery(activity: Mapping[str, Any]) -> str | None:
    id = activity.get("id")
    return id if isinstance(id, str) and re.fullmatch(r"[A-Za-z0-9:._|-]{1,256}", id) else None


def _message(text: str) -> Mapping[str, Any]:
    """Return a message with HTML escaped, which Teams would render."""
    return {"type": "message", "text": html.escape(text, quote=False)}
