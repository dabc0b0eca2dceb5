"""Warns about channels that no route uses, and routes that no outcome matches."""

from collections.abc import Iterator

from registrar.events.outcome import OUTCOMES
from registrar.policy.base_model import matches
from registrar.policy.document import Policy
from registrar.policy.errors import Complaint
from registrar.policy.lint.patterns import matches_nothing, samples
from registrar.policy.plugin_options import needs, option_values
from registrar.policy.routes import Route


def check(policy: Policy) -> Iterator[Complaint]:
    for nth, route in enumerate(policy.notify):
        unmatched = [
            (("notify", nth, "outcomes", index), why)
            for index, pattern in enumerate(route.outcomes)
            if (why := matches_nothing(pattern, OUTCOMES, "outcome, so nobody is notified"))
        ]
        yield from unmatched
        if not unmatched and nth and _is_redundant(policy.notify[:nth], route):
            yield ("notify", nth), "has no effect: routes before it already send all of this to the same channels"
    used = {channel for _, channels in policy.channel_lists() for channel in channels} | set(
        option_values(policy, "answer_by")
    )
    for name, channel in policy.channels.items():
        if name not in used:
            yield ("channels", name), "nothing goes there: name it in a route under notify, in escalate or in deploy"
        for need in needs(channel.kind):
            either = need.split(" or ")
            if not any(getattr(channel, key) for key in either):
                yield ("channels", name), f'can\'t post: a channel of kind {channel.kind} needs its {need}: "env:NAME"'


def _is_redundant(before: list[Route], route: Route) -> bool:
    outcomes = [outcome for outcome in OUTCOMES if matches(route.outcomes, outcome)]
    return all(
        any(channel in earlier.to and _covers(earlier, outcome, pattern) for earlier in before)
        for outcome in outcomes
        for pattern in route.models
        for channel in route.to
    )


def _covers(route: Route, outcome: str, pattern: str) -> bool:
    return all(route.wants(outcome, name) for name in samples(pattern) if name)
