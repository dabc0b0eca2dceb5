"""/policy: registrar.yml as it is in effect, in sentences, with what approvals are bound to."""

from collections.abc import Iterable
from typing import Any

from flask import Blueprint, request

from registrar.policy import Policy
from registrar.policy.explain import explain
from registrar.queries.policy_digests import bound
from webhooks.dashboard.context import DashboardContext
from webhooks.ingress.errors import NotFound
from webhooks.ingress.sanitize import clean


def register(pages: Blueprint, house: DashboardContext) -> None:
    @pages.get("/policy")
    def policy() -> str:
        guest = house.guest()
        if digest := clean(request.args.get("digest", "")):
            return house.page("policy_text.html", guest, digest=digest, found=_text(house, digest))
        digests = {pattern: house.policy.digest(pattern) for pattern in house.policy.models}
        return house.page("policy.html", guest, policy=house.policy, lines=_lines(house.policy), digests=digests)


def _text(house: DashboardContext, digest: str) -> dict[str, Any]:
    """Raises NotFound."""
    with house.ledger.read() as connection:
        found = bound(house.policy, connection, digest)
    if found is None:
        raise NotFound(f"the journal has no text of the policy {digest}")
    return found


def _lines(policy: Policy) -> list[str]:
    """Without where its secrets are."""
    places = sorted(set(policy.references()), key=len, reverse=True)
    return [_without(line, places) for line in explain(policy)]


def _without(line: str, places: Iterable[str]) -> str:
    for place in places:
        line = line.replace(place, "a secret")
    return line
