"""Warnings about a valid registrar.yml: Registrar starts with it, and it can never do what it says.

Refused is only what can't be read, names what is not there, or would be unsafe to start with (references.py).
"""

from registrar.policy.document import Policy
from registrar.policy.errors import Complaint
from registrar.policy.lint import builds, channels, grants, groups, models, targets

_LOOKS = (grants.look, builds.look, groups.look, models.look, targets.look, channels.look)


def warnings(policy: Policy) -> list[Complaint]:
    """Each with its place, and what would be right."""
    return [complaint for look in _LOOKS for complaint in look(policy)]
