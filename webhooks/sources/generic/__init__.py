"""Any sender, by its signature and payload as described in registrar.yml. presets/ has ready-made ones.

options:
  verify: {how: hmac, header: x-signature, prefix: "sha256="}      (webhooks/signatures/configurable.py)
  rules: [{when: ..., type: training_run.finished, data: {...}}]   (mapping.py)
or
  preset: circleci                                                 (presets/, webhooks/ci/build.py)
  branches: [main]
  workflows: [train]
"""

import re
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from types import ModuleType
from typing import Annotated, Any, cast

from pydantic import Field, model_validator

from registrar import plugins
from registrar.events.event import Actor, Event
from registrar.policy.base_model import Glob, Strict
from registrar.text.sanitize import absent
from registrar.text.wording import did_you_mean
from webhooks.ci import build, training
from webhooks.ci.payload import COMMIT, Ignored, moment, refused
from webhooks.ingress import strict_json, validation
from webhooks.ingress.errors import InvalidEvent, Rejected, UnusableReport
from webhooks.ingress.source_types import Context, Outgoing, Parsed, Request, Verified
from webhooks.ingress.validation import clean
from webhooks.signatures import configurable
from webhooks.signatures.configurable import Verification
from webhooks.signatures.schemes import Scheme
from webhooks.signatures.verifier import WeakSecret
from webhooks.sources.generic import mapping
from webhooks.sources.generic.mapping import Expression, Found, Rule

CONTENT_TYPES = frozenset({"application/json"})
_ID = re.compile(r"[!-~]{1,200}")


@cache
def _preset(name: str) -> ModuleType:
    """Raises ValueError."""
    try:
        return plugins.load("webhooks.sources.generic.presets", name.replace("-", "_"))
    except plugins.UnknownKind:
        raise ValueError(
            f"there is no preset {name!r}{did_you_mean(name, plugins.kinds('webhooks.sources.generic.presets'))}"
        ) from None


class Options(Strict):
    """preset: a file of presets/; options that stand beside it override its own.

    branches, workflows: which builds of a CI system train, by name or glob; a tag is refs/tags/NAME. when: what the
    payload must meet besides, whatever it is. data: fields for the data of every event, such as {model: "'churn'"}.
    run: where nothing else names the run, it is the newest that finished, of the experiment, and is tagged with the
    event's commit. delivery_id: the delivery's identity, where the body holds one and is signed.
    """

    preset: str | None = None
    verify: Verification | None = None
    rules: list[Rule] = []
    branches: Annotated[list[Glob], Field(min_length=1)] | None = None
    workflows: Annotated[list[Glob], Field(min_length=1)] | None = None
    when: Expression | None = None
    data: dict[str, Expression] = {}
    run: training.ByCommit | None = None
    delivery_id: Expression | None = None

    @model_validator(mode="before")
    @classmethod
    def _of_preset(cls, given: Any) -> Any:
        """Fill in the preset's settings where the user gave none."""
        if not isinstance(given, dict) or not isinstance(name := given.get("preset"), str):
            return given
        preset = _preset(name)
        said = {"verify": preset.VERIFY, "rules": getattr(preset, "RULES", [])}
        return {**said, **given}

    @model_validator(mode="after")
    def _whole(self) -> "Options":
        if self.verify is None:
            raise ValueError("say how it is verified: verify, or a preset; there is no way to leave it out")
        if not self.rules and self.builds is None:
            raise ValueError("say what its payloads become: rules, or a preset")
        return self

    @model_validator(mode="after")
    def _which_train(self) -> "Options":
        """Require branches and workflows: else any build would count, such as a linter's."""
        missing = [name for name in ("branches", "workflows") if getattr(self, name) is None]
        if self.builds and missing:
            raise ValueError(
                f"preset {self.preset} needs {' and '.join(missing)}: say which builds train the model, such as "
                f'branches: [main] and workflows: [train], the name of the {self.builds.WORKFLOW}; ["*"] takes all'
            )
        if self.builds is None and len(missing) < 2:
            raise ValueError("branches and workflows are a preset's of a CI system; rules say it by their own `when`")
        return self

    @property
    def builds(self) -> ModuleType | None:
        """Return the preset if it reads builds; None if it has rules."""
        preset = _preset(self.preset) if self.preset and not self.rules else None
        return preset if hasattr(preset, "ended") else None

    @property
    def identity(self) -> str | None:
        """Return the expression for the delivery's id: the user's, else the preset's."""
        return self.delivery_id or (_preset(self.preset).DELIVERY_ID if self.preset else None)

    @property
    def all_rules(self) -> list[Rule]:
        return mapping.with_data(self.rules, self.data)


def _options(context: Context) -> Options:
    return cast("Options", context.options)


def _how(context: Context) -> Any:
    return _options(context).verify


def check_secret(secret: str) -> None:
    """Check the minimum; `check` does the rest, which depends on the options."""
    if len(secret) < configurable.MIN_KEY:
        raise WeakSecret(f"a secret needs {configurable.MIN_KEY} characters at least")


def check(context: Context) -> None:
    configurable.check(_how(context), context.secrets)


def scheme(context: Context) -> Scheme | None:
    return configurable.scheme(_how(context))


def verify(request: Request, context: Context) -> Verified:
    return configurable.verify(_how(context), request, context)


def sign(outgoing: Outgoing, *, secret: str, context: Context, now: datetime) -> Outgoing:
    del now
    return configurable.sign(_how(context), outgoing, secret=secret)


def normalise(request: Request, context: Context) -> Parsed:
    """Parse one event, or none: a build that trains no model, or that matches no rule, is ignored with the reason."""
    options, payload = _options(context), strict_json.parse_theirs(request.body)
    if not isinstance(payload, dict):
        raise InvalidEvent("the payload must be one JSON object")
    try:
        found = _match_rule(options, payload)
        data = validation.data(found.type, _with_run(found, options))
    except Ignored as ignored:
        return ignored.parsed
    except InvalidEvent as error:
        raise UnusableReport(error.detail, errors=error.errors) if options.builds else error from None
    # What happened counts more than when: a time that can't be read is no reason to refuse.
    at = moment(found.at if isinstance(found.at, str) else "", otherwise=request.received_at)
    event = Event(data, Actor(f"source:{context.name}", context.name), at)
    return Parsed((event,), _delivery_id(options, payload))


def refuse(request: Request, rejected: Rejected) -> Mapping[str, Any] | None:
    """Answer a product's unusable report with a 200: CI systems disable a hook that fails too often (Azure DevOps)."""
    del request
    return refused(rejected) if isinstance(rejected, UnusableReport) else None


def _match_rule(options: Options, payload: dict[str, Any]) -> Found:
    """Return the result of the preset, or of the first matching rule. Raises Ignored, InvalidEvent."""
    if options.builds:
        return _of_build(options, payload)
    _check_when(options, payload)
    if (found := mapping.apply(options.all_rules, payload)) is None:
        kind = build.first(payload, "type", "event", "eventType")  # as most senders have it
        raise Ignored("no rule of this source's options is met" + (f" by {clean(kind)!r}" if kind else ""))
    return found


def _check_when(options: Options, payload: dict[str, Any]) -> None:
    """Check options.when before other fields, which a payload that does not meet it may lack. Raises Ignored."""
    if options.when is not None and not mapping.met(options.when, payload):
        raise Ignored(f"it does not meet {options.when!r} of options.when")


def _of_build(options: Options, payload: dict[str, Any]) -> Found:
    preset = cast("ModuleType", options.builds)
    ended: build.Build = preset.ended(payload)
    build.check(ended, branches=options.branches or [], workflows=options.workflows or [], what=preset.WORKFLOW)
    _check_when(options, payload)
    return Found(ended.type, mapping.added(ended.type, ended.data, options.data, payload), ended.at)


def _with_run(found: Found, options: Options) -> dict[str, Any]:
    """Add a search for the run by its commit, which must be a full SHA."""
    named = not (absent(found.data.get("run_id")) and absent(found.data.get("search")))
    if options.run is None or found.type != "training_run.finished" or named:
        return found.data
    commit = found.data.get("commit")
    if not isinstance(commit, str) or not COMMIT.fullmatch(commit):
        raise InvalidEvent("the payload names no run, and its commit is not a commit's SHA")
    return {**found.data, "search": training.search(options.run, commit)}


def _delivery_id(options: Options, payload: Any) -> str | None:
    """Return the delivery's id. A preset's may be absent; the user's own expression must find one."""
    if options.identity is None:
        return None
    found = mapping.value(options.identity, payload)
    if isinstance(found, str) and _ID.fullmatch(found):
        return found
    if options.delivery_id is None:
        return None
    raise InvalidEvent(f"{options.delivery_id} of the payload must be the delivery's id, a text")
