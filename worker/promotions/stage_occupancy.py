"""Which versions are in a model's exclusive stages, without reading all versions: MLflow knows no search by stage.

It knows one by what changed last, and who comes to a stage has changed. So a look goes on where the last one ended: who
was seen in a stage then, and who changed since. Say V is in the stage now. Either it was there at the last look and has
not changed since: then it is among those seen. Or it has changed after that look's search: then V's time is at most
APART before the newest that the search saw, and V is among those that changed. So nobody is missed as long as MLflow's
clocks keep what APART asks of them; ours count for nothing.

A first look, one after the policy's stages have changed, and one at a registry that is not the one seen before (it was
restored, say) read everything. So does registry.reconcile, always.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from registrar.ledger.holders import held_now
from registrar.ledger.stage_snapshots import StageSnapshotTaken, last_look
from registrar.policy import ModelPolicy
from worker.promotions.evidence import EvaluationContext
from worker.registry.protocol import Version, find_version, with_known

# In ms. MLflow's servers may differ in their clocks, have them put back, and take a while from a write's stamp to its
# commit: no write's stamp is further than this behind the stamp of one that was seen before it came.
APART = 60 * 60 * 1000
AGAIN_EVERY = 100  # versions of a model: what changed since the last look does not become too much to read


@dataclass(frozen=True)
class StageSnapshot:
    """versions: by exclusive stage. records: what the next look goes on from; for an outcome, or to be dropped."""

    versions: Mapping[str, list[Version]]
    records: tuple[StageSnapshotTaken, ...]

    def others(self, stage: str, version: Version) -> list[Version]:
        """Who else is in an exclusive stage."""
        return [other for other in self.versions[stage] if other.version != version.version]


def take_snapshot(context: EvaluationContext, model: str) -> StageSnapshot:
    """Raises Retryable."""
    stages = exclusive_stages(context.policy.model(model))
    with context.ledger.read() as connection:
        before = last_look(connection, model)
        recorded = {one.version for one in held_now(connection, model, "stage") if one.key in stages}
    known = before and before.registry in (None, context.registry.address)
    if (
        before
        and known
        and stages <= before.held.keys()
        and (found := _snapshot_since(context, before, stages, recorded))
    ):
        return found
    everything = context.registry.recent(model)
    return snapshot_of(
        context, model, stages, with_known(context.registry, model, everything.versions, recorded), everything.at
    )


def snapshot_of(
    context: EvaluationContext, model: str, stages: set[str], versions: Iterable[Version], at: int
) -> StageSnapshot:
    """What is seen in all versions of a model, or in all that may be in its stages. at: as of door.Recent."""
    found = {stage: [one for one in versions if one.stage == stage] for stage in sorted(stages)}
    held = {stage: {one.version: one.changed for one in there} for stage, there in found.items()}
    return StageSnapshot(
        found, (StageSnapshotTaken(model, at, held, context.registry.address),) if at and stages else ()
    )


def exclusive_stages(policy: ModelPolicy) -> set[str]:
    """The stages of which one version may be. Where aliases alone count, none."""
    return {target.stage for target in policy.targets if target.exclusive and policy.mode != "aliases"}


def refresh_periodically(context: EvaluationContext, version: Version) -> tuple[StageSnapshotTaken, ...]:
    """Of a new version: it is looked at, where enough came since it was last."""
    if version.version % AGAIN_EVERY or not exclusive_stages(context.policy.model(version.model)):
        return ()
    return take_snapshot(context, version.model).records


def _snapshot_since(
    context: EvaluationContext, before: StageSnapshotTaken, stages: set[str], recorded: set[int]
) -> StageSnapshot | None:
    """None where the registry is not the one of that look: it was restored, say, or another took its place.

    recorded: whom the record has in the stages. As a rule they were seen then, or have changed since.
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
    there = with_known(context.registry, before.model, [*recent.versions, *kept], recorded)
    return snapshot_of(context, before.model, stages, there, recent.at)
