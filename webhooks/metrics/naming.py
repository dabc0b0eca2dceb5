"""What labels are made of: names of registrar.yml and our own alone. Others would make series without end."""

from registrar.policy import Policy
from registrar.policy.strict import most_specific

UNKNOWN = "(unknown)"  # stands for all sources that registrar.yml does not have
NONE = "(none)"  # no entry of registrar.yml: it was there once


def policy_of(policy: Policy, model: str | None) -> str:
    """The key of registrar.yml's models that is in effect for a model: its name, or a glob."""
    return (most_specific(list(policy.models), model) if model else None) or NONE
