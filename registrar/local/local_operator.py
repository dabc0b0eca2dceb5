"""As whom whoever sits at this machine acts, where `registrar up` runs."""

from collections.abc import Mapping
from pathlib import Path

from registrar import policy
from registrar.policy import PolicyError

SOURCE = "operator"  # as `registrar send --source operator`; the first registrar.yml has it


def local_operator(config: Path, outer: Mapping[str, str]) -> str | None:
    """As the outer environment says; else the source `operator`, where registrar.yml has one; else nobody."""
    if named := outer.get("REGISTRAR_LOCAL_OPERATOR"):
        return named
    try:
        return f"source:{SOURCE}" if SOURCE in policy.load(config).sources else None
    except PolicyError:  # the receiver says what is wrong with it
        return None
