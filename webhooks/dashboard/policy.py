"""/policy: registrar.yml as it is in effect, in sentences, and the digests that approvals are bound to."""

from collections.abc import Iterable
from typing import Any

from flask import Blueprint, request

from registrar.policy import Policy
from registrar.policy.explain import explain
from registrar.queries.policy_view import bound
from webhooks.dashboard.context import DashboardContext
from webhooks.ingress.errors import NotFound
from webhooks.ingress.validation import clean


def register(pages: Blueprint, context: DashboardContext) -> None:
    @pages.get("/policy")
    def policy() -> str:
        principal = context.require_principal()
        if digest := clean(request.args.get("digest", "")):
            return context.page("policy_text.html", principal, digest=digest, found=_text(context, digest))
        digests = {pattern: context.policy.digest(pattern) for pattern in context.policy.models}
        return context.page(
            "policy.html", principal, policy=context.policy, lines=_lines(context.policy), digests=digests
        )


def _text(context: DashboardContext, digest: str) -> dict[str, Any]:
    """Raises NotFound."""
    with context.ledger.read() as connection:
        found = bound(context.policy, connection, digest)
    if found is None:
        raise NotFound(f"the journal has no text of the policy {digest}")
    return found


def _lines(policy: Policy) -> list[str]:
    """Explain the policy in sentences, without the names of its secrets."""
    places = sorted(set(policy.references()), key=len, reverse=True)
    return [_without(line, places) for line in explain(policy)]


def _without(line: str, places: Iterable[str]) -> str:
    for place in places:
        line = line.replace(place, "a secret")
    return line
