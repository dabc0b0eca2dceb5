"""Where a model's versions are by the record: which are in a stage, and which are quarantined."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from registrar.ledger import Connection
from registrar.ledger.queries.versions import present_numbers
from registrar.ledger.version_state import current, recorded_creation, states
from registrar.policy import ModelPolicy, Target


@dataclass(frozen=True)
class ModelStanding:
    """A model by the record. policy: the model's. holders: as models.get_model returns them."""

    connection: Connection
    policy: ModelPolicy
    model: str
    holders: Sequence[Mapping[str, Any]]

    @cached_property
    def numbers(self) -> list[int]:
        """Return the numbers of its versions, newest first."""
        return present_numbers(self.connection, self.model)

    @cached_property
    def by_stage(self) -> Mapping[str, Sequence[int]]:
        """Return the versions in each stage; in the mode `aliases` also in each target."""
        targets = {self.policy.holding_key(target): target.stage for target in self.policy.targets}
        stages: dict[str, list[int]] = {}
        for held in self.holders:
            stage = targets.get((held["kind"], held["key"])) or (held["key"] if held["kind"] == "stage" else None)
            if stage and held["version"] not in stages.setdefault(stage, []):
                stages[stage].append(held["version"])
        return stages

    @cached_property
    def in_targets(self) -> Sequence[Mapping[str, Any]]:
        """Return the holders of the policy's targets."""
        keys = {self.policy.holding_key(target) for target in self.policy.targets}
        return [held for held in self.holders if (held["kind"], held["key"]) in keys]

    def holds(self, version: int, target: Target) -> bool:
        """Return whether a version holds a target of the policy."""
        return version in self.by_stage.get(target.stage, ())

    def stage_of(self, version: int) -> str:
        """Return a version's stage, "None" where it is in none; of several, as by alias, the policy's last."""
        order = [target.stage for target in self.policy.targets]
        stages = [stage for stage, versions in self.by_stage.items() if version in versions]
        return max(stages, key=lambda stage: order.index(stage) if stage in order else -1, default="None")

    def step_back(self, version: int) -> str | None:
        """Return the stage one step back from the last target that a version holds; None: it holds none."""
        held = [target for target in self.policy.targets if self.holds(version, target)]
        return self.policy.before(held[-1]) if held else None

    def state_of(self, version: int) -> Mapping[str, str]:
        """Return the present states of a version by key (registrar.ledger.version_state.Key)."""
        created_at = recorded_creation(self.connection, self.model, version)
        found = states(self.connection, self.model, version=version) if created_at else ()
        return current(found, version, created_at) if created_at else {}
