"""Any sender, whose signature and payload registrar.yml describes. presets/ has ready-made descriptions.

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
from webhooks.ci.payload import COMMIT, Ignored, moment, refusal
from webhooks.ingress import strict_json, validation
from webhooks.ingress.errors import InvalidEvent, Rejected, UnusableReport
from webhooks.ingress.source_types import Context, Outgoing, Parsed, Request, Verified
from webhooks.ingress.validation import clean
from webhooks.signatures import configurable
from webhooks.signatures.configurable import Verification
from webhooks.signatures.schemes import Scheme
from webhooks.signatures.verifier import WeakSecret
from webhooks.sources.generic import mapping
from webhooks.sources.generic.mapping import Expression, Mapped, Rule

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
    """preset: a file of presets/; options beside it override its own.

    branches, workflows: the builds of a CI system that train, by name or glob; a tag is refs/tags/NAME. when: a further
    condition for every payload. data: fields for the data of every event, such as {model: "'churn'"}.
    run: finds the run, if nothing else names it: the experiment's newest finished run that is tagged with the event's
    commit. delivery_id: the delivery's identity, if the body has one and is signed.
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
    def _with_preset(cls, options: Any) -> Any:
        """Add the preset's settings that the user did not override."""
        if not isinstance(options, dict) or not isinstance(name := options.get("preset"), str):
            return options
        preset = _preset(name)
        return {"verify": preset.VERIFY, "rules": getattr(preset, "RULES", []), **options}

    @model_validator(mode="after")
    def _complete(self) -> "Options":
        if self.verify is None:
            raise ValueError("needs verify or a preset: every request is verified")
        if not self.rules and self.builds is None:
            raise ValueError("needs rules or a preset: they say what a payload becomes")
        return self

    @model_validator(mode="after")
    def _training_builds(self) -> "Options":
        """Require branches and workflows: else any build would count, such as a linter's."""
        missing = [name for name in ("branches", "workflows") if getattr(self, name) is None]
        if self.builds and missing:
            raise ValueError(
                f"preset {self.preset} needs {' and '.join(missing)}: the builds that train the model, such as "
                f'branches: [main] and workflows: [train], the name of the {self.builds.WORKFLOW}; ["*"] takes all'
            )
        if self.builds is None and len(missing) < 2:
            raise ValueError("branches and workflows need the preset of a CI system; rules have their own `when`")
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


def _verification(context: Context) -> Any:
    return _options(context).verify


def check_secret(secret: str) -> None:
    """Check the length; `check` does the rest, which depends on the options."""
    if len(secret) < configurable.MIN_KEY:
        raise WeakSecret(f"a secret needs {configurable.MIN_KEY} characters at least")


def check(context: Context) -> None:
    configurable.check(_verification(context), context.secrets)


def scheme(context: Context) -> Scheme | None:
    return configurable.scheme(_verification(context))


def verify(request: Request, context: Context) -> Verified:
    return configurable.verify(_verification(context), request, context)


def sign(outgoing: Outgoing, *, secret: str, context: Context, now: datetime) -> Outgoing:
    del now
    return configurable.sign(_verification(context), outgoing, secret=secret)


def normalise(request: Request, context: Context) -> Parsed:
    """Parse one event, or none: builds that train no model, and payloads that meet no rule, are ignored by name."""
    options, payload = _options(context), strict_json.parse_theirs(request.body)
    if not isinstance(payload, dict):
        raise InvalidEvent("the payload must be one JSON object")
    try:
        mapped = _match_rule(options, payload)
        data = validation.data(mapped.type, _with_run(mapped, options))
    except Ignored as ignored:
        return ignored.parsed
    except InvalidEvent as error:
        raise UnusableReport(error.detail, errors=error.errors) if options.builds else error from None
    # An unreadable time is no reason to refuse the event.
    at = moment(mapped.at if isinstance(mapped.at, str) else "", otherwise=request.received_at)
    event = Event(data, Actor(f"source:{context.name}", context.name), at)
    return Parsed((event,), _delivery_id(options, payload))


def refuse(request: Request, rejected: Rejected) -> Mapping[str, Any] | None:
    """Answer a product's unusable report with a 200: CI systems (Azure DevOps) disable a hook that fails often."""
    del request
    return refusal(rejected) if isinstance(rejected, UnusableReport) else None


def _match_rule(options: Options, payload: dict[str, Any]) -> Mapped:
    """Return the result of the preset, or of the first matching rule. Raises Ignored, InvalidEvent."""
    if options.builds:
        return _of_build(options, payload)
    _check_when(options, payload)
    if (mapped := mapping.apply(options.all_rules, payload)) is None:
        kind = build.first(payload, "type", "event", "eventType")  # as in most senders' payloads
        raise Ignored("no rule of this source's options is met" + (f" by {clean(kind)!r}" if kind else ""))
    return mapped


def _check_when(options: Options, payload: dict[str, Any]) -> None:
    """Check options.when first: other payloads may lack the other fields. Raises Ignored."""
    if options.when is not None and not mapping.met(options.when, payload):
        raise Ignored(f"the payload does not meet {options.when!r} of options.when")


def _of_build(options: Options, payload: dict[str, Any]) -> Mapped:
    preset = cast("ModuleType", options.builds)
    ended: build.Build = preset.ended(payload)
    build.check(ended, branches=options.branches or [], workflows=options.workflows or [], what=preset.WORKFLOW)
    _check_when(options, payload)
    return Mapped(ended.type, mapping.overridden(ended.type, ended.data, options.data, payload), ended.at)


def _with_run(mapped: Mapped, options: Options) -> dict[str, Any]:
    """Add a search for the run by its commit, which must be a full SHA."""
    has_run = not (absent(mapped.data.get("run_id")) and absent(mapped.data.get("search")))
    if options.run is None or mapped.type != "training_run.finished" or has_run:
        return mapped.data
    commit = mapped.data.get("commit")
    if not isinstance(commit, str) or not COMMIT.fullmatch(commit):
        raise InvalidEvent("the payload has no run, and its commit is not a commit's SHA")
    return {**mapped.data, "search": training.search(options.run, commit)}


def _delivery_id(options: Options, payload: Any) -> str | None:
    """Return the delivery's id. A preset's may be absent; the user's own expression must yield one."""
    if options.identity is None:
        return None
    id = mapping.value(options.identity, payload)
    if isinstance(id, str) and _ID.fullmatch(id):
        return id
    if options.delivery_id is None:
        return None
    raise InvalidEvent(f"{options.delivery_id} of the payload must be the delivery's id, a text")
