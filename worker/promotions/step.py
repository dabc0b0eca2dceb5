"""One move of a version, as the policy has it: which stage, and which aliases go with it."""

from dataclasses import dataclass

from registrar.policy import ModelPolicy, Target
from worker.registry.protocol import Version


@dataclass(frozen=True)
class Step:
    """One version on its way to a stage. target None: a stage that the policy does not govern.

    version: as it was read when this attempt began. promotion: the one that brings it there.
    """

    version: Version
    stage: str
    policy: ModelPolicy
    target: Target | None
    promotion: str | None = None

    @property
    def staged(self) -> bool:
        """Whether MLflow's stage is moved."""
        return self.policy.mode != "aliases"

    @property
    def alias(self) -> str | None:
        return self.target.alias if self.target else None

    @property
    def foreign(self) -> set[str]:
        """The aliases of other targets, and the one of whoever was replaced in this: they don't go with the stage."""
        others = {t.alias for t in self.policy.targets if t.alias and t.stage != self.stage}
        return others | ({self.target.previous_alias} if self.target and self.target.previous_alias else set())
