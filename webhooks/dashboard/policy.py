"""/policy: registrar.yml as in effect, in sentences, and the digests that approvals are bound to."""

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
            return context.page("policy_text.html", principal, digest=digest, policy_text=_text(context, digest))
        digests = {pattern: context.policy.digest(pattern) for pattern in context.policy.models}
        return context.page(
            "policy.html", principal, policy=context.policy, lines=_lines(context.policy), digests=digests
        )


def _text(context: DashboardContext, digest: str) -> dict[str, Any]:
    """Raises NotFound."""
    with context.ledger.read() as connection:
        text = bound(context.policy, connection, digest)
    if text is None:
        raise NotFound(f"the journal has no policy with the digest {digest}")
    return text


def _lines(policy: Policy) -> list[str]:
    """Explain the policy in sentences, without the names of its secrets."""
    references = sorted(set(policy.references()), key=len, reverse=True)
    return [_without(line, references) for line in explain(policy)]


def _without(line: str, references: Iterable[str]) -> str:
    for reference in references:
        line = line.replace(reference, "a secret")
    return line
