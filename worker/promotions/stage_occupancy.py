"""Find the versions in a model's exclusive stages without reading all versions: MLflow can't search by stage.

It can search by last change, and entering a stage is a change. So each snapshot continues from the last one: the
versions in a stage then, plus those that changed since. Proof that none is missed: let V be in the stage now. If V was
there at the last snapshot and has not changed since, the snapshot has it. Otherwise V changed after that snapshot's
search, so V's time is at most APART before the newest time that the search saw, and V is among the changed. This needs
only MLflow's clocks to be within APART; our own don't matter.

These read everything: the first snapshot, one after the policy's stages changed, one at another or a restored registry,
and registry.reconcile.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from registrar.ledger.holders import held_now
from registrar.ledger.stage_snapshots import StageSnapshotTaken, last_snapshot
from registrar.policy import ModelPolicy
from worker.promotions.evidence import EvaluationContext
from worker.registry.entities import Version
from worker.registry.protocol import Refused, find_version, with_known

# Milliseconds by which a write's timestamp may be behind one that was seen before it: MLflow's servers have different
# clocks, which may be set back, and a write commits some time after its timestamp is taken.
APART = 60 * 60 * 1000
AGAIN_EVERY = 100  # versions of a model, so that the changes since the last snapshot stay few


@dataclass(frozen=True)
class StageSnapshot:
    """The versions by exclusive stage. records: for the outcome, so that the next snapshot continues from this one;
    they may be dropped.
    """

    versions: Mapping[str, list[Version]]
    records: tuple[StageSnapshotTaken, ...]

    def others(self, stage: str, version: Version) -> list[Version]:
        """Return the other versions in an exclusive stage."""
        return [other for other in self.versions[stage] if other.version != version.version]


def take_snapshot(context: EvaluationContext, model: str) -> StageSnapshot:
    """Return a snapshot as of now. Raises RetryableError."""
    stages = exclusive_stages(context.policy.model(model))
    with context.ledger.read() as connection:
        before = last_snapshot(connection, model)
        recorded = {one.version for one in held_now(connection, model, "stage") if one.key in stages}
    continues = before and before.registry in (None, context.registry.address) and stages <= before.held.keys()
    if before and continues and (snapshot := _snapshot_since(context, before, stages, recorded)):
        return snapshot
    everything = context.registry.recent(model)
    return snapshot_of(
        context, model, stages, with_known(context.registry, model, everything.versions, recorded), everything.at
    )


def snapshot_of(
    context: EvaluationContext, model: str, stages: set[str], versions: Iterable[Version], at: int
) -> StageSnapshot:
    """Return a snapshot of versions: all of a model, or all that may be in its stages. at: as in entities.Recent."""
    by_stage = {stage: [one for one in versions if one.stage == stage] for stage in sorted(stages)}
    held = {stage: {one.version: one.changed for one in those} for stage, those in by_stage.items()}
    return StageSnapshot(
        by_stage, (StageSnapshotTaken(model, at, held, context.registry.address),) if at and stages else ()
    )


def exclusive_stages(policy: ModelPolicy) -> set[str]:
    """Return the stages that hold at most one version; none in the mode `aliases`."""
    return {target.stage for target in policy.targets if target.exclusive and policy.mode != "aliases"}


def require_single_holders(context: EvaluationContext, model: str, places: Iterable[tuple[str, str, int]]) -> None:
    """Raise Refused where MLflow shows several versions in an exclusive stage: the record would have two holders.

    places: stage | alias, its name, a version.
    """
    places = list(places)
    for stage in exclusive_stages(context.policy.model(model)):
        numbers = sorted(number for kind, key, number in places if (kind, key) == ("stage", stage))
        if len(numbers) > 1:
            shown = f"MLflow shows versions {', '.join(map(str, numbers))} of {model} in {stage}"
            raise Refused(f"{shown}, and one may hold it: move the others out of it in MLflow, and say so again")


def refresh_periodically(context: EvaluationContext, version: Version) -> tuple[StageSnapshotTaken, ...]:
    """Return the records of a new snapshot for every AGAIN_EVERYth version; else ()."""
    if version.version % AGAIN_EVERY or not exclusive_stages(context.policy.model(version.model)):
        return ()
    return take_snapshot(context, version.model).records


def _snapshot_since(
    context: EvaluationContext, before: StageSnapshotTaken, stages: set[str], recorded: set[int]
) -> StageSnapshot | None:
    """Continue from a snapshot. Returns None where the registry was restored or replaced since.

    recorded: versions that the record has in the stages; usually in the snapshot, or changed since.
    """
    recent = context.registry.recent(before.model, since=before.at - APART)
    if recent.whole:
        everything = with_known(context.registry, before.model, recent.versions, recorded)
        return snapshot_of(context, before.model, stages, everything, recent.at)
    if recent.at < before.at:
        return None
    changed = {version.version for version in recent.versions}
    kept: list[Version] = []
    for stage in stages:
        for number, time in before.held[stage].items():
            if number in changed or (version := find_version(context.registry, before.model, number)) is None:
                continue
            if (version.stage, version.changed) != (stage, time):
                return None
            kept.append(version)
    candidates = with_known(context.registry, before.model, [*recent.versions, *kept], recorded)
    return snapshot_of(context, before.model, stages, candidates, recent.at)
