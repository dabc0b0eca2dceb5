"""Where a version is, by what the model's policy goes by: MLflow's stage, or the aliases that it holds."""

from registrar.policy import ModelPolicy
from worker.registry.protocol import Version


def current_stage(policy: ModelPolicy, version: Version) -> str:
    """Return the stage; in the mode `aliases` that of the last target whose alias the version holds, else "None".

    A version from a search lacks its aliases: read it by its number first.
    """
    if policy.mode != "aliases":
        return version.stage
    held = [target.stage for target in policy.targets if target.alias in version.aliases]
    return held[-1] if held else "None"
