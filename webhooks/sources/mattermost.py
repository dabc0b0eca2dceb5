"""Mattermost: the slash command, verified by its token, and Approve and Reject buttons, by their encrypted context.

https://developers.mattermost.com/integrate/slash-commands/custom
https://developers.mattermost.com/integrate/plugins/interactive-messages A press is not signed. Mattermost shows a
button's `context` to nobody, and sends it with the press: the encrypted text in it, made by the notifier mattermost.py
for this source, proves where the button came from. One encrypted for another chat system is refused. It expires, and
counts once per person. A person is the user_id, never the name.
"""

import hmac
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode

from registrar.config.encryption import DecryptionError
from registrar.events.event import Actor, Event
from registrar.text import markdown
from webhooks.chat import buttons, parser, reply_address
from webhooks.ingress import strict_form, strict_json
from webhooks.ingress.errors import BadSignature, InvalidEvent, NotAForm, NotJson, Rejected
from webhooks.ingress.source_types import Answer, Context, Outgoing, Parsed, Request, Verified
from webhooks.ingress.validation import clean
from webhooks.signatures.verifier import WeakSecret

CONTENT_TYPES = frozenset({"application/x-www-form-urlencoded", "application/json"})
# Bytes: a post ends at 16,383 characters, and a press holds little but the encrypted context.
MAX_BYTES = 65_536
Options = buttons.Options
# Sent once for each person or channel that the text mentions (model.UserMentionMap.ToURLValues in its source).
_MENTIONS = frozenset({"user_mentions", "user_mentions_ids", "channel_mentions", "channel_mentions_ids"})
# The sealed text and the channel as they stand in a press: it is opened before the JSON around it is parsed.
_SEALED = re.compile(rb'"sealed"\s*:\s*"([A-Za-z0-9_=-]{1,4096})"')
_PLACE = re.compile(rb'"channel_id"\s*:\s*"([a-z0-9]{26})"')
_MOST = 4000  # characters of an answer; a post ends at 16,383


def check_secret(secret: str) -> None:
    if not re.fullmatch("[A-Za-z0-9]{20,64}", secret):
        raise WeakSecret("a slash command's token has 26 letters and digits; Mattermost shows it after Save")


def verify(request: Request, context: Context) -> Verified:
    """Verify a command by its token (sent twice, as documented), a press by its encrypted context. No id is signed."""
    if request.content_type == "application/json":
        _pressed(request, context)
        return Verified(None, None)
    matching = [index for index, secret in enumerate(context.secrets) if _knows(request, secret)]
    if not matching:
        raise BadSignature
    return Verified(None, matching[0])


def sign(outgoing: Outgoing, *, secret: str, context: Context, now: datetime) -> Outgoing:
    """Add a command's token, in both places. A press stays as it is."""
    del context, now
    if outgoing.headers.get("content-type") == "application/json":
        return outgoing
    fields = [(name, value) for name, value in parse_qsl(outgoing.body.decode(), True) if name != "token"]
    headers = {**outgoing.headers, "authorization": f"Token {secret}"}
    return Outgoing(headers, urlencode([*fields, ("token", secret)]).encode())


def normalise(request: Request, context: Context) -> Parsed:
    if request.content_type == "application/json":
        return _press(request, context)
    form = strict_form.parse(request.body, lists=_MENTIONS)
    if "command" not in form:
        raise InvalidEvent("not a slash command: the form has no field command")
    understood = parser.understand(form.get("text", ""), command=clean(form["command"]))
    answer = Answer(200, _shown("text", understood.text))
    if understood.data is None:
        return Parsed(answer=answer)
    # No host is everybody's Mattermost: only those of reply_to in registrar.yml are answered to.
    address = reply_address.encryptor(form.get("response_url", ""), kind="mattermost", hosts=(), context=context)
    event = Event(understood.data, _person(form, context), request.received_at, reply_to=address)
    return Parsed((event,), answer=answer)


def refuse(request: Request, rejected: Rejected) -> Mapping[str, Any] | None:
    """Return the refusal for a 200: for any other status Mattermost shows only that it failed."""
    place = "ephemeral_text" if request.content_type == "application/json" else "text"
    return _shown(place, rejected.for_people())


def _knows(request: Request, secret: str) -> bool:
    """Compare the token in constant time, as bytes: a non-ASCII text would raise TypeError.

    The form is parsed only after the header was verified.
    """
    try:
        header = request.headers.get("authorization", "").encode("ascii")
        if not hmac.compare_digest(header, f"Token {secret}".encode()):
            return False
        token = strict_form.parse(request.body, lists=_MENTIONS).get("token", "")
    except (NotAForm, UnicodeEncodeError):
        return False
    return hmac.compare_digest(token.encode(), secret.encode())


def _pressed(request: Request, context: Context) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Return the press and its decrypted context, which is verified before the rest of the body is parsed.

    Raises BadSignature.
    """
    try:
        [sealed] = _SEALED.findall(request.body)
        place = found[1].decode() if (found := _PLACE.search(request.body)) else None
        said = buttons.opened(sealed.decode(), place=place, context=context)
        content = strict_json.parse_theirs(request.body)
        if (content["context"]["sealed"], content.get("channel_id")) != (sealed.decode(), place):
            raise BadSignature
        return content, said
    except (NotJson, DecryptionError, KeyError, TypeError, AttributeError, ValueError):
        raise BadSignature from None


def _press(request: Request, context: Context) -> Parsed:
    content, said = _pressed(request, context)
    person = _person(content, context)
    press = buttons.pressed(said, by=content["user_id"], request=request, context=context)
    answer = Answer(200, _shown("ephemeral_text", parser.pressed(press.data, later=parser.ELSEWHERE)))
    event = Event(press.data, person, request.received_at)
    return Parsed((event,), press.delivery_id, answer, press.digest)


def _person(said: Mapping[str, Any], context: Context) -> Actor:
    user, name = said.get("user_id"), said.get("user_name")
    if not isinstance(user, str) or not re.fullmatch("[a-z0-9]{26}", user):
        raise InvalidEvent("it does not say who acted: a user_id is needed")
    return context.policy.actor("mattermost", user, clean(name) if isinstance(name, str) and name else user)


def _shown(place: str, text: str) -> Mapping[str, Any]:
    """Return a message that only this person sees, without Mattermost's translation of Slack's markup."""
    kind = {"response_type": "ephemeral"} if place == "text" else {}
    return {**kind, place: markdown.escape(text, most=_MOST), "skip_slack_parsing": True}
