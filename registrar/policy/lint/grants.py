"""Warns about sources that may send nothing, and grants of unknown events or models."""

from collections.abc import Iterator

from registrar.events.types import VOCABULARY
from registrar.policy.base_model import matches
from registrar.policy.document import Policy
from registrar.policy.errors import Complaint, Place
from registrar.policy.lint.patterns import matches_nothing, no_model
from registrar.policy.sources import Grant
from registrar.text.wording import nearest

_ALIKE = 0.7
_ABOUT_NONE = ("experiment.create",)


def check(policy: Policy) -> Iterator[Complaint]:
    for name, source in policy.sources.items():
        if not source.may:
            yield (
                ("sources", name),
                "may send nothing, so every event from it is refused; grant it something, such as "
                'may: [{events: [training_run.*], models: ["*"]}]',
            )
        for nth, host in enumerate(source.reply_to):
            if "/" in host:
                yield ("sources", name, "reply_to", nth), f"{host!r} is no host such as hooks.slack.com"
        yield from _unreached(("sources", name, "options", "rules"), source.options.get("rules"))
        for nth, grant in enumerate(source.may):
            yield from _grant(policy, ("sources", name, "may", nth), grant)
    for nth, route in enumerate(policy.notify):
        yield from _models(policy, ("notify", nth, "models"), route.models)


def _unreached(at: Place, rules: object) -> Iterator[Complaint]:
    """Warn about rules of kind generic after one that matches the same. The first match wins; no `when` matches all."""
    conditions = [rule.get("when") for rule in rules if isinstance(rule, dict)] if isinstance(rules, list) else []
    for nth, condition in enumerate(conditions):
        before = next((n for n, earlier in enumerate(conditions[:nth]) if earlier in (None, condition)), None)
        if before is not None:
            yield (*at, nth), f"is never reached: rule {before} before it matches the same payloads"


def _grant(policy: Policy, at: Place, grant: Grant) -> Iterator[Complaint]:
    for nth, pattern in enumerate(grant.events):
        why = matches_nothing(pattern, VOCABULARY, "event type, so it grants nothing")
        granted = [type_ for type_ in VOCABULARY if matches([pattern], type_)]
        if why:
            yield (*at, "events", nth), why
        elif set(granted) <= set(_ABOUT_NONE) and "*" not in grant.models:
            yield (*at, "models"), f'{pattern} is about no model, and is granted by models: ["*"] alone'
    yield from _models(policy, (*at, "models"), grant.models)


def _models(policy: Policy, at: Place, patterns: list[str]) -> Iterator[Complaint]:
    named = [name for name in policy.models if not set("*?[") & set(name)]
    for nth, pattern in enumerate(patterns):
        if why := no_model(pattern):
            yield (*at, nth), why
        elif not _governed(policy, pattern) and (near := nearest(pattern, named, like=_ALIKE)):
            yield (*at, nth), f"no entry of models is for {pattern!r}; did you mean {near}?"


def _governed(policy: Policy, pattern: str) -> bool:
    """Return whether an entry of models may apply to a pattern; a glob may match anything."""
    return bool(set("*?[") & set(pattern)) or matches(list(policy.models), pattern)
