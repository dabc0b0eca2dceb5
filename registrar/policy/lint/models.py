"""Warns about entries of models that never apply."""

from collections.abc import Iterator

from registrar.policy.base_model import most_specific
from registrar.policy.document import Policy
from registrar.policy.errors import Complaint
from registrar.policy.lint.patterns import no_model, samples


def check(policy: Policy) -> Iterator[Complaint]:
    for name in policy.models:
        if why := no_model(name):
            yield ("models", name), why
        elif others := _instead(policy, name):
            yield ("models", name), f"never applies: {others} is more specific wherever it matches"


def _instead(policy: Policy, name: str) -> str | None:
    """Return the more specific entries that win for everything that a glob matches; None where it wins itself."""
    winners = {most_specific(list(policy.models), sample) for sample in samples(name) if sample}
    return None if name in winners else " or ".join(sorted(filter(None, winners)))
