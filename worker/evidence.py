"""What an approval is bound to: the version's model, its gates' verdicts, and the policy, as they are now."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Protocol

from registrar.ledger.promotions import Promotion
from registrar.policy import Policy, Target
from registrar.policy.gates import Comparison, length
from registrar.policy.models import Approval
from worker.door import Final, NotFound, Registry, Version
from worker.gates import Baseline, Seen, Verdict, evaluate
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


class Look(Protocol):
    """What it takes to judge a version. Work is one, and so is a plan."""

    @property
    def registry(self) -> Registry: ...
    @property
    def policy(self) -> Policy: ...
    @property
    def now(self) -> datetime: ...


def gather(look: Look, version: Version, target: Target) -> Evidence:
    """Reads the version's run, and those of the versions that it is compared with.

    A version without a run has no metrics: its gates fail.
    """
    run = look.registry.run(version.run_id) if version.run_id else None
    metrics = run.metrics if run else {}
    seen = Seen(
        metrics=metrics,
        tags={**(run.tags if run else {}), **version.tags},
        trained_at=run.started_at if run else None,
        now=look.now,
        baselines=_baselines(look, version, target),
    )
    return Evidence(version, target, evaluate(target.gates, seen), look.policy.digest(version.model), metrics)


def expired(work: Work, promotion: Promotion) -> str | None:
    """How long ago an open promotion was asked for, if that is longer than its target allows."""
    target = work.policy.model(promotion.model).target(promotion.target)
    approval = target.approval if target else None
    limit = approval.expires_after if isinstance(approval, Approval) else None
    since = work.now - promotion.created_at
    if limit is None or promotion.state != "awaiting_approval" or since <= length(limit):
        return None
    return f"{since.total_seconds() / 3600:.3g} h"


def _baselines(look: Look, version: Version, target: Target) -> dict[str, Baseline]:
    """By "@alias". A version is not compared with itself."""
    names = {gate.baseline for gate in target.gates if isinstance(gate, Comparison)}
    if not names:
        return {}
    aliases = look.registry.model(version.model).aliases
    holders = {name: aliases[name[1:]] for name in names if aliases.get(name[1:], version.version) != version.version}
    return {name: Baseline(number, _metrics(look, version.model, number)) for name, number in holders.items()}


def _metrics(look: Look, model: str, number: int) -> Mapping[str, float]:
    """None at all where its run is gone: the comparison says so."""
    try:
        holder = look.registry.version(model, number)
        return look.registry.run(holder.run_id).metrics if holder.run_id else {}
    except NotFound:
        return {}
