"""registrar.yml: who may send what, who may approve what, what a version must show, who is told.

Everything is default-deny, unknown keys are errors, and secrets are only ever named, never written.
"""

from registrar.policy.document import Policy
from registrar.policy.gates import Gate
from registrar.policy.load import PolicyError, load
from registrar.policy.models import ModelPolicy, Target
from registrar.policy.sources import Source

__all__ = ["Gate", "ModelPolicy", "Policy", "PolicyError", "Source", "Target", "load"]
