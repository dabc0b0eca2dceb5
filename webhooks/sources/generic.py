"""Any sender: how it signs and what it says, as data of registrar.yml. webhooks/presets/ has ready-made ones.

options:
  verify: {how: hmac, header: x-signature, prefix: "sha256="}      (webhooks/configured.py)
  rules: [{when: ..., type: training_run.finished, data: {...}}]   (webhooks/mapping.py)
"""

import re
from datetime import datetime
from typing import Any, cast

from pydantic import model_validator

from registrar import plugins
from registrar.event import Actor, Event
from registrar.nearest import meant
from registrar.policy.strict import Strict
from registrar.text import absent
from webhooks import configured, mapping, strict_json, valid
from webhooks.ci import training
from webhooks.ci.payload import Ignored, moment
from webhooks.configured import Verification
from webhooks.errors import InvalidEvent
from webhooks.mapping import Expression, Found, Rule
from webhooks.schemes import Scheme
from webhooks.signature import WeakSecret
from webhooks.source import Context, Outgoing, Parsed, Request, Verified

CONTENT_TYPES = frozenset({"application/json"})
_ID = re.compile(r"[!-~]{1,200}")
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


class Options(Strict):
    """preset: a file of webhooks/presets; what stands beside it goes before its own.

    data: fields for the data of every rule, such as {model: "'churn'"}. run: where no rule names the run, it is the
    newest of the experiment that is tagged with the event's commit. delivery_id: the delivery's identity, where the
    body holds one and is signed.
    """

    preset: str | None = None
    verify: Verification | None = None
    rules: list[Rule] = []
    data: dict[str, Expression] = {}
    run: training.ByCommit | None = None
    delivery_id: Expression | None = None

    @model_validator(mode="before")
    @classmethod
    def _of_preset(cls, given: Any) -> Any:
        """What the preset says, where nothing else is said."""
        if not isinstance(given, dict) or not isinstance(name := given.get("preset"), str):
            return given
        try:
            preset = plugins.load("webhooks.presets", name.replace("-", "_"))
        except plugins.UnknownKind:
            known = plugins.kinds("webhooks.presets")
            raise ValueError(f"there is no preset {name!r}{meant(name, known)}") from None
        said = {"verify": preset.VERIFY, "rules": preset.RULES, "delivery_id": preset.DELIVERY_ID}
        return {**said, **given}

    @model_validator(mode="after")
    def _whole(self) -> "Options":
        if self.verify is None:
            raise ValueError("say how it is verified: verify, or a preset; there is no way to leave it out")
        if not self.rules:
            raise ValueError("say what its payloads become: rules, or a preset")
        return self

    @property
    def all_rules(self) -> list[Rule]:
        return mapping.with_data(self.rules, self.data)


def _options(context: Context) -> Options:
    return cast("Options", context.options)


def _how(context: Context) -> Any:
    return _options(context).verify


def check_secret(secret: str) -> None:
    """The rest is `check`'s: what a secret must be depends on the options."""
    if len(secret) < configured.MIN_KEY:
        raise WeakSecret(f"a secret needs {configured.MIN_KEY} characters at least")


def check(context: Context) -> None:
    configured.check(_how(context), context.secrets)


def scheme(context: Context) -> Scheme | None:
    return configured.scheme(_how(context))


def verify(request: Request, context: Context) -> Verified:
    return configured.verify(_how(context), request, context)


def sign(outgoing: Outgoing, *, secret: str, context: Context, now: datetime) -> Outgoing:
    del now
    return configured.sign(_how(context), outgoing, secret=secret)


def normalise(request: Request, context: Context) -> Parsed:
    """One event, by the first rule that the payload meets; what meets none is ignored."""
    options, payload = _options(context), strict_json.parse(request.body)
    if not isinstance(payload, dict):
        raise InvalidEvent("the payload must be one JSON object")
    if (found := mapping.apply(options.all_rules, payload)) is None:
        return Ignored("no rule of this source's options is met").parsed
    data = valid.data(found.type, _with_run(found, options))
    # What happened counts more than when: a time that can't be read is no reason to refuse.
    at = moment(found.at if isinstance(found.at, str) else "", otherwise=request.received_at)
    event = Event(data, Actor(f"source:{context.name}", context.name), at)
    return Parsed((event,), _delivery_id(options, payload))


def _with_run(found: Found, options: Options) -> dict[str, Any]:
    """A commit goes into a search of runs, so nothing but a whole SHA may pass."""
    named = not (absent(found.data.get("run_id")) and absent(found.data.get("search")))
    if options.run is None or found.type != "training_run.finished" or named:
        return found.data
    commit = found.data.get("commit")
    if not isinstance(commit, str) or not _COMMIT.fullmatch(commit):
        raise InvalidEvent("the payload names no run, and its commit is not a commit's SHA")
    return {**found.data, "search": training.search(options.run, commit)}


def _delivery_id(options: Options, payload: Any) -> str | None:
    if options.delivery_id is None:
        return None
    found = mapping.value(options.delivery_id, payload)
    if not isinstance(found, str) or not _ID.fullmatch(found):
        raise InvalidEvent(f"{options.delivery_id} of the payload must be the delivery's id, a text")
    return found
