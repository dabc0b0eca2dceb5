"""One move of a version by the policy: its stage, and the aliases that go with it."""

from dataclasses import dataclass

from registrar.policy import ModelPolicy, Target
from worker.registry.protocol import Version


@dataclass(frozen=True)
class Step:
    """target: None for a stage that the policy does not govern. version: as read when this attempt began. promotion:
    the one that brings it there.
    """

    version: Version
    stage: str
    policy: ModelPolicy
    target: Target | None
    promotion: str | None = None

    @property
    def staged(self) -> bool:
        """Return whether MLflow's stage is moved."""
        return self.policy.mode != "aliases"

    @property
    def alias(self) -> str | None:
        return self.target.alias if self.target else None

    @property
    def foreign(self) -> set[str]:
        """Return the aliases that don't go with the stage: other targets' and the one for replaced versions."""
        others = {t.alias for t in self.policy.targets if t.alias and t.stage != self.stage}
        return others | ({self.target.previous_alias} if self.target and self.target.previous_alias else set())
