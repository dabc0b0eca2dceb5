"""Warns about entries of a valid registrar.yml that can't work. Registrar starts all the same.

references.py refuses the file where it names things that it does not define, or would be unsafe.
"""

from registrar.policy.document import Policy
from registrar.policy.errors import Complaint
from registrar.policy.lint import builds, channels, grants, groups, models, targets

_CHECKS = (grants.check, builds.check, groups.check, models.check, targets.check, channels.check)


def warnings(policy: Policy) -> list[Complaint]:
    """Return the warnings, each with its place and what would be right."""
    return [complaint for check in _CHECKS for complaint in check(policy)]
