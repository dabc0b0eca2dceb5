"""Discord: interactions, signed by Ed25519: the slash command, and Approve and Reject buttons.

https://docs.discord.com/developers/interactions/receiving-and-responding
https://docs.discord.com/developers/interactions/overview#setting-up-an-endpoint
Discord tries wrong signatures now and then, and drops an endpoint that answers anything but 401. It waits for 3 s; what
comes later goes to the interaction's own address, for 15 minutes. A person is the user's id, never the name.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from registrar.events.approval_buttons import content as said_by_button
from registrar.events.approval_buttons import short_nonce
from registrar.events.event import Actor, Event
from registrar.events.types import STAGES
from registrar.text import markdown
from webhooks.chat import buttons, discord_options, parser, reply_address
from webhooks.ci.payload import Ignored, number
from webhooks.ingress import strict_json
from webhooks.ingress.errors import InvalidEvent, NotJson, Rejected
from webhooks.ingress.source_types import Answer, Context, Parsed, Request, Verified
from webhooks.ingress.validation import clean
from webhooks.signatures import schemes, verifier

CONTENT_TYPES = frozenset({"application/json"})
SCHEME = schemes.DISCORD
HOSTS = frozenset({"discord.com"})
_EVENTS, _PING, _COMMAND, _PRESS, _AUTOCOMPLETE = 0, 1, 2, 3, 4  # 5 is a submitted form of another app
Options = buttons.Options
_VERDICTS = {"a": "approve", "r": "reject"}
# The notifier discord.py makes it: verdict, promotion, version, target, which message it is of, until when it
# counts (seconds since 1970, in hex), and the mark that vouches for all of it.
_BUTTON = re.compile(
    "registrar:([ar]):([0-9a-f]{32}):([0-9]{1,10}):([NSPA]):([0-9a-f]{10}):([0-9a-f]{8}):([A-Za-z0-9_-]{22})"
)
_TARGETS = {stage[0]: stage for stage in STAGES}


def check_secret(secret: str) -> None:
    verifier.check_secret(SCHEME, secret)


def verify(request: Request, context: Context) -> Verified:
    """The interaction's id is in the signed body: `normalise` finds it."""
    return verifier.verified(SCHEME, request, context)


def normalise(request: Request, context: Context) -> Parsed:
    said = strict_json.parse_theirs(request.body)
    kind = said.get("type") if isinstance(said, dict) else None
    if kind == _PING and kind is not True:
        return Parsed(answer=Answer(200, {"type": 1}))
    if kind == _EVENTS and kind is not False:
        return Ignored("Discord's webhook events").parsed
    if kind == _AUTOCOMPLETE:  # ignored by name: there is nothing to propose
        return Parsed(answer=Answer(200, {"type": 8, "data": {"choices": []}}))
    if kind == _PRESS:
        return _press(said, request, context)
    if kind == _COMMAND:
        return _command(said, request, context)
    raise InvalidEvent("not an interaction that is taken: only slash commands and buttons are")


def refuse(request: Request, rejected: Rejected) -> Mapping[str, Any] | None:
    """Return the refusal for a 200: for any other status Discord shows only that the application did not respond."""
    try:
        said = strict_json.parse_theirs(request.body)
    except NotJson:
        return None
    asked = number(said, "type")
    return _ephemeral(rejected.for_people()) if asked is not None and asked >= _COMMAND else None


def _command(said: Mapping[str, Any], request: Request, context: Context) -> Parsed:
    command = _object(said, "data")
    understood = parser.understand(discord_options.words(command), command=f"/{clean(str(command.get('name')))}")
    answer = Answer(200, _ephemeral(understood.text))
    if understood.data is None:
        return Parsed(answer=answer)
    event = Event(understood.data, _person(said, context), request.received_at, reply_to=_address(said, context))
    return Parsed((event,), _id(said, "id"), answer)


def _press(said: Mapping[str, Any], request: Request, context: Context) -> Parsed:
    _id(said, "id")
    press = buttons.pressed(_pressed(said, context), by=_id(_user(said), "id"), request=request, context=context)
    event = Event(press.data, _person(said, context), request.received_at, reply_to=_address(said, context))
    return Parsed((event,), press.delivery_id, Answer(200, _ephemeral(parser.pressed(press.data))), press.digest)


def _pressed(said: Mapping[str, Any], context: Context) -> Mapping[str, Any]:
    """The button says all but the model, for which it has no room: the message's footer does, and the mark binds it."""
    found = _BUTTON.fullmatch(str(_object(said, "data").get("custom_id")))
    if found is None:
        raise InvalidEvent("not a button of ours, or an old one: its custom_id starts with registrar:")
    verdict, promotion, version, target, message, until, mark = found.groups()
    pinned = {"promotion": f"prm_{promotion}", "model": _model(said), "version": int(version)}
    content = said_by_button(
        _VERDICTS[verdict],
        nonce=short_nonce(_VERDICTS[verdict], promotion=f"prm_{promotion}", shortened=message),
        until=datetime.fromtimestamp(int(until, 16), UTC),
        pinned={**pinned, "target": _TARGETS[target]},
    )
    audiences = buttons.audiences(said.get("channel_id"), context)
    if not any(context.encryptor.verify_mac(content, mark, audience=audience) for audience in audiences):
        raise InvalidEvent(f"{buttons.NOT_OURS} (or its message was changed)")
    return content


def _model(said: Mapping[str, Any]) -> str:
    embeds = _object(said, "message").get("embeds")
    first = embeds[0] if isinstance(embeds, list) and embeds and isinstance(embeds[0], dict) else {}
    return str(_object(first, "footer").get("text"))


def _user(said: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the user, which in a server is within `member`. https://docs.discord.com/developers/resources/user"""
    return _object(_object(said, "member"), "user") or _object(said, "user")


def _person(said: Mapping[str, Any], context: Context) -> Actor:
    user = _user(said)
    id = _id(user, "id")
    name = user.get("global_name") or user.get("username")
    return context.policy.actor("discord", id, clean(name) if isinstance(name, str) else id)


def _address(said: Mapping[str, Any], context: Context) -> str:
    token = said.get("token")
    if not isinstance(token, str) or not re.fullmatch("[A-Za-z0-9._=-]{1,1000}", token):
        raise InvalidEvent("the interaction has no token to answer with")
    url = f"https://discord.com/api/v10/webhooks/{_id(said, 'application_id')}/{token}"
    return reply_address.encryptor(url, kind="discord", hosts=HOSTS, context=context)


def _id(of: Mapping[str, Any], name: str) -> str:
    """https://docs.discord.com/developers/reference#snowflakes"""
    if not re.fullmatch("[0-9]{1,20}", found := str(of.get(name))):
        raise InvalidEvent(f"the interaction has no {name} in the form of Discord's")
    return found


def _object(of: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = of.get(name)
    return found if isinstance(found, dict) else {}


def _ephemeral(text: str) -> Mapping[str, Any]:
    """Return a message that only this person sees (flag 64), without mentions, of at most 2,000 characters."""
    content = markdown.escape(text, most=1900)
    return {"type": 4, "data": {"content": content, "flags": 64, "allowed_mentions": {"parse": []}}}
