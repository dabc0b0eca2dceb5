"""/policy: registrar.yml as it is in effect, in sentences, with what approvals are bound to."""

from collections.abc import Iterable

from flask import Blueprint

from registrar.policy import Policy
from registrar.policy.explain import explain
from webhooks.pages.house import House


def register(pages: Blueprint, house: House) -> None:
    @pages.get("/policy")
    def policy() -> str:
        guest = house.guest()
        digests = {pattern: house.policy.digest(pattern) for pattern in house.policy.models}
        return house.page("policy.html", guest, policy=house.policy, lines=_lines(house.policy), digests=digests)


def _lines(policy: Policy) -> list[str]:
    """Without where its secrets are."""
    places = sorted(set(policy.references()), key=len, reverse=True)
    return [_without(line, places) for line in explain(policy)]


def _without(line: str, places: Iterable[str]) -> str:
    for place in places:
        line = line.replace(place, "a secret")
    return line
