"""Gather evidence, which an approval is bound to: the version's files, its gates' verdicts, and the policy's digest."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cached_property, partial
from typing import Any, Protocol

from registrar.events.states import PromotionState
from registrar.ledger import Ledger
from registrar.ledger.holders import PastHolding, holding_since
from registrar.ledger.promotions import Promotion, latest, promoted_at
from registrar.ledger.version_state import GivenTag, Key, given_tags, states
from registrar.policy import Policy, Target
from registrar.policy.approvals import Approval
from registrar.policy.closed_time_gates import ClosedTimeGate, Times, closed_time_gates
from registrar.policy.gates import Comparison, RequiredTags, Signature
from registrar.policy.time_gates import Timing
from registrar.text.duration import length
from worker.promotions import attribution
from worker.promotions.baseline import find_baseline
from worker.promotions.gates import Baseline, Evaluation, GateInputs, Verdict, evaluate
from worker.promotions.version_state import current_stage, holding_key, recorded
from worker.registry.entities import FILES, FilesSeen, Version
from worker.registry.protocol import Refused, Registry, find_run
from worker.task_context import TaskContext

_NAMES = {
    "policy_digest": "the policy",
    "source": "the model",
    "model_digest": "the model's files",
    "run_id": "the run",
    "gates": "a gate's result",
}


@dataclass(frozen=True)
class Evidence:
    """The evidence for one version and target, as it is now.

    closed_gates: time gates that are not open yet; shown, but no approval is bound to them. look_at_files: slow, so
    it is called only when the files are needed, and once.
    """

    version: Version
    target: Target
    verdicts: list[Verdict]
    closed_gates: list[ClosedTimeGate]
    policy_digest: str
    look_at_files: Callable[[], FilesSeen]
    metrics: Mapping[str, float]
    trained_at: datetime | None = None
    trained_by: str = ""

    @cached_property
    def files(self) -> FilesSeen:
        return self.look_at_files()

    @property
    def reasons(self) -> list[str]:
        return [verdict.reason for verdict in self.verdicts if not verdict.passed]

    def to_json(self) -> dict[str, Any]:
        return {
            "run_id": self.version.run_id,
            "source": self.version.source,
            "model_digest": self.files.digest,
            "compared": self.files.compared,  # what the digest covers
            "gates": [asdict(verdict) for verdict in self.verdicts],
            "policy_digest": self.policy_digest,
            "trained_by": self.trained_by,  # no approval is bound to it; who may approve is known without MLflow
        }

    def changed_since(self, shown: Mapping[str, Any]) -> str | None:
        """Return what differs from the evidence that approvers saw, for people; None where their approvals hold."""
        now = self.to_json()
        return " and ".join(name for key, name in _NAMES.items() if now[key] != shown.get(key)) or None


def target_of(context: TaskContext, stage: str) -> Target:
    """Return the target of the event's model. Raises Refused, naming the targets there are."""
    return require_target(context.policy, context.model, stage)


def require_target(policy: Policy, model: str, stage: str) -> Target:
    """Return a model's target. Raises Refused, naming the targets there are."""
    targets = policy.model(model).targets
    if target := policy.model(model).target(stage):
        return target
    known = ", ".join(target.stage for target in targets) or "none"
    raise Refused(f"registrar.yml has no target {stage} for {model} (targets: {known}); add one to ask for it")


class EvaluationContext(Protocol):
    """The systems that evaluating a version needs. TaskContext and PlanContext have them."""

    @property
    def registry(self) -> Registry: ...
    @property
    def policy(self) -> Policy: ...
    @property
    def ledger(self) -> Ledger: ...
    @property
    def now(self) -> datetime: ...


def gather(context: EvaluationContext, version: Version, target: Target) -> Evidence:
    """Return the evidence, reading the version's run and those of the versions that gates compare it with.

    A version without a run has no metrics, so gates on metrics fail. Raises NotFound where its run is gone.
    """
    run = context.registry.run(version.run_id) if version.run_id else None
    metrics, author = run.metrics if run else {}, attribution.known_author(context.ledger, version)
    baselines, held_before = _baselines(context, version, target)
    inputs = GateInputs(
        metrics=metrics,
        tags={**(run.tags if run else {}), **version.tags},
        version_tags=version.tags,
        given=_load_given_tags(context, version, target),
        trained_at=run.started_at if run else None,
        now=context.now,
        baselines=baselines,
        held_before=held_before,
        evaluation=_evaluation(context, version),
        signature=_has_signature(context, version, target),
    )
    return Evidence(
        version,
        target,
        evaluate(target.gates, inputs),
        closed_time_gates(target.gates, _load_times(context, version, target)) if _has_time_gates(target) else [],
        context.policy.digest(version.model),
        partial(files_now, context, version, target),
        metrics,
        inputs.trained_at,
        author if author is not None else run.user if run else "",
    )


def files_now(context: EvaluationContext, version: Version, target: Target) -> FilesSeen:
    """Return the files that an approval for the target is bound to, as they are now."""
    most = _compared_bytes(context.policy, version, target)
    return context.registry.look_at_files(version, most=most)


def files_were_rewritten(context: EvaluationContext, version: Version, target: Target, held: PastHolding) -> bool:
    """Return whether the files differ from those that were approved when the version held the target; False where the
    two digests do not cover the same.
    """
    if not (held.digest or "").startswith(FILES):
        return False
    now = files_now(context, version, target)
    return now.compared == held.compared and now.digest != held.digest


def _compared_bytes(policy: Policy, version: Version, target: Target) -> int:
    """Return how many bytes of files are compared by content. 0 without approvals and time gates: then the move follows
    at once, and names, sizes and MLmodel are enough.
    """
    at_once = not isinstance(target.approval, Approval) and not _has_time_gates(target)
    return 0 if at_once else policy.model(version.model).compare_content_mb * 1_000_000


def expired_since(context: TaskContext, promotion: Promotion) -> str | None:
    """Return how long ago a promotion that awaits approval was asked for, for people, if its target allows less."""
    target = context.policy.model(promotion.model).target(promotion.target)
    approval = target.approval if target else None
    limit = approval.expires_after if isinstance(approval, Approval) else None
    since = context.now - promotion.asked_at
    if limit is None or promotion.state != PromotionState.AWAITING_APPROVAL or since <= length(limit):
        return None
    return f"{since.total_seconds() / 3600:.3g} h"


def _has_time_gates(target: Target) -> bool:
    return any(isinstance(gate, Timing) for gate in target.gates)


def _load_times(context: EvaluationContext, version: Version, target: Target) -> Times:
    """Return the times for time gates, by the record. Where it lacks since when the version is in its stage, the time
    of the open request counts.
    """
    policy = context.policy.model(version.model)
    stage = current_stage(policy, version)
    current = policy.target(stage)
    kind, key = holding_key(policy, current) if current else ("stage", stage)
    of = version.incarnation(context.registry.address)
    with context.ledger.read() as connection:
        since = holding_since(connection, kind, key, of=of)
        request = latest(connection, version.model, version.version, target.stage, of=of)
        promoted = promoted_at(connection, version.model, target.stage)
    if since is None:
        since = version.created_at if stage == "None" else request.created_at if request and request.open else None
    return Times(context.now, stage, since, promoted)


def _evaluation(context: EvaluationContext, version: Version) -> Evaluation | None:
    """Return the newest evaluation that an accepted event announced, by the record; None where its run is gone."""
    run = find_run(context.registry, recorded(context.ledger, version).get(Key.EVALUATION))
    return Evaluation(run.id, run.started_at, run.metrics) if run else None


def _has_signature(context: EvaluationContext, version: Version, target: Target) -> bool | None:
    if not any(isinstance(gate, Signature) for gate in target.gates):
        return None
    return bool(context.registry.mlmodel(version.model, version.version).get("signature"))


def _load_given_tags(context: EvaluationContext, version: Version, target: Target) -> Mapping[str, GivenTag]:
    """Return the tags that events set, if a gate checks who set them."""
    if not any(isinstance(gate, RequiredTags) and gate.by for gate in target.gates):
        return {}
    with context.ledger.read() as connection:
        entries = states(connection, version.model, version=version.version)
    return given_tags(entries, version.version, version.created_at)


def _baselines(
    context: EvaluationContext, version: Version, target: Target
) -> tuple[dict[str, Baseline], frozenset[str]]:
    """Return baselines by "@alias", and the aliases that were held before but have no version left to compare with."""
    names = sorted({gate.baseline for gate in target.gates if isinstance(gate, Comparison)})
    policy = context.policy.model(version.model)
    holders = {name: find_baseline(context.registry, context.ledger, policy, version, name[1:]) for name in names}
    baselines = {
        name: _baseline(context, holder.version, last=holder.held_before)
        for name, holder in holders.items()
        if holder.version
    }
    return baselines, frozenset(name for name, one in holders.items() if one.held_before and not one.version)


def _baseline(context: EvaluationContext, holder: Version, *, last: bool) -> Baseline:
    """Return a baseline; without metrics where its run is gone: then the comparison fails, and says so."""
    run, evaluation = find_run(context.registry, holder.run_id), _evaluation(context, holder)
    return Baseline(holder.version, run.metrics if run else {}, evaluation.metrics if evaluation else {}, last)
