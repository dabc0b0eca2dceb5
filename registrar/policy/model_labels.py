"""What a model is called where names must be few: by the entry of registrar.yml that is in effect for it."""

from registrar.policy.base_model import most_specific
from registrar.policy.document import Policy

NONE = "(none)"  # no entry of registrar.yml: it was there once


def policy_of(policy: Policy, model: str | None) -> str:
    """The key of registrar.yml's models that is in effect for a model: its name, or a glob."""
    return (most_specific(list(policy.models), model) if model else None) or NONE
