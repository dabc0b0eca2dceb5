"""Where a version is on its way, by whatever the model's policy goes by: MLflow's stage, or the aliases it holds."""

from registrar.policy import ModelPolicy
from worker.registry.protocol import Version


def current_stage(policy: ModelPolicy, version: Version) -> str:
    """The stage; in the mode `aliases` that of the last target whose alias it holds, else None.

    A version out of a search says nothing of aliases: read it by its number first.
    """
    if policy.mode != "aliases":
        return version.stage
    held = [target.stage for target in policy.targets if target.alias in version.aliases]
    return held[-1] if held else "None"
