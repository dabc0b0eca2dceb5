"""What an approval is bound to: the version's model, its gates' verdicts, and the policy, as they are now."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from registrar.policy import Target
from worker.door import Final, Version
from worker.gates import Verdict, evaluate
from worker.work import Work


@dataclass(frozen=True)
class Evidence:
    """Read afresh each time; two equal pieces of evidence show an approver the same."""

    version: Version
    target: Target
    verdicts: list[Verdict]
    policy_digest: str
    metrics: Mapping[str, float]

    @property
    def reasons(self) -> list[str]:
        return [verdict.reason for verdict in self.verdicts if not verdict.passed]

    def to_json(self) -> dict[str, Any]:
        """source: the model's address; MLflow's logged models (m-...) never change under theirs."""
        return {
            "run_id": self.version.run_id,
            "source": self.version.source,
            "gates": [asdict(verdict) for verdict in self.verdicts],
            "policy_digest": self.policy_digest,
        }


def target_of(work: Work, stage: str) -> Target:
    """The target in effect. Raises Final, saying which targets there are."""
    policy = work.policy.model(work.model)
    if target := policy.target(stage):
        return target
    known = ", ".join(t.stage for t in policy.targets) or "none"
    raise Final(f"registrar.yml has no target {stage} for {work.model} (targets: {known}); add one to ask for it")


def gather(work: Work, version: Version, target: Target) -> Evidence:
    """Reads the version's run. A version without a run has no metrics: its gates fail."""
    metrics = work.registry.run(version.run_id).metrics if version.run_id else {}
    return Evidence(version, target, evaluate(target.gates, metrics), work.policy.digest(work.model), metrics)
