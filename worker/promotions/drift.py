"""Find drift, which is where somebody changed the registry by hand, and record, adopt or revert it.

Only the present state is compared, never a message about the past. A stage or alias is reverted only if it has a
holder by the record: versions from before Registrar was installed stay. No version goes back into an exclusive stage
while one of its recorded holders is there.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from registrar.events.facts import FactType
from registrar.events.outcome import Fact, FollowUp, LedgerChange, Outcome
from registrar.ledger.holders import Holder, HoldingEnded, HoldingStarted, held_before, held_now
from registrar.policy import Target
from worker.registry.entities import Model, Version
from worker.registry.protocol import find_version
from worker.task_context import TaskContext


@dataclass(frozen=True)
class Drift:
    """One stage or alias that differs from the record: recorded as it is, or adopted or reverted by a follow-up.

    The fact is in the same commit, so that nothing is reverted unannounced.
    """

    fact: Fact
    records: tuple[LedgerChange, ...] = ()
    follow_ups: tuple[FollowUp, ...] = ()


def check_alias(context: TaskContext, alias: str) -> Drift | None:
    """Compare the holder of an alias in MLflow with the record."""
    holder = context.registry.by_alias(context.model, alias)
    return _compare_alias(context, alias, holder.version if holder else None, _recorded_aliases(context).get(alias))


def _compare_alias(context: TaskContext, alias: str, current: int | None, known: int | None) -> Drift | None:
    if current == known:
        return None
    text = f"@{alias} of {context.model} was moved by hand in MLflow, from {_name(known)} to {_name(current)}"
    target = next((t for t in context.policy.model(context.model).targets if t.alias == alias), None)
    details = {"alias": alias, "before": known, "after": current}
    if known is not None and _reverts(context, target) and find_version(context.registry, context.model, known):
        return _reverted(context, text, known, details, how={"alias": alias, "version": known})
    if current is not None and target and _adopts(context):
        return _adopted(text, context.model, details, (current, target.stage))
    records: list[LedgerChange] = [HoldingEnded(context.model, "alias", known, alias)] if known is not None else []
    if current is not None:
        records.append(HoldingStarted(context.model, "alias", alias, current, alone=True))
    return _recorded(context, text, current, details, target=target, records=tuple(records))


def check_model(context: TaskContext, model: Model | None, versions: Iterable[Version]) -> list[Drift]:
    """Compare every alias and stage of the model that the record or the registry knows.

    model: None where the registry has none of that name. versions: all that the registry has, read by number where no
    search shows them: a missing one was deleted.

    Targets with a recorded holder come first, then the other targets: a version that goes back into a target leaves
    the stage that it was moved to, and is no drift there.
    """
    current, known = dict(model.aliases) if model else {}, _recorded_aliases(context)
    drifts = [
        _compare_alias(context, alias, current.get(alias), known.get(alias)) for alias in sorted({*current, *known})
    ]
    recorded = _load_holders(context, "stage")
    held = {holding.key for holding in recorded}
    targets = [target.stage for target in context.policy.model(context.model).targets]
    targets.sort(key=lambda stage: stage not in held)
    stages = {version.version: version.stage for version in versions}
    others = {*stages.values(), *held} - {"None", *targets}
    drifts += [_compare_stage(context, stage, stages, recorded) for stage in (*targets, *sorted(others))]
    return [drift for drift in drifts if drift]


def combine(drifts: Sequence[Drift], otherwise: str) -> Outcome:
    """Return one outcome for all drifts. otherwise: its summary where there are none."""
    return Outcome(
        "; ".join(drift.fact.text for drift in drifts) or otherwise,
        facts=tuple(drift.fact for drift in drifts),
        records=tuple(record for drift in drifts for record in drift.records),
        follow_ups=tuple(step for drift in drifts for step in drift.follow_ups),
    )


def _compare_stage(context: TaskContext, stage: str, stages: dict[int, str], recorded: list[Holder]) -> Drift | None:
    """Compare the versions in a stage with the record. stages: by version; moves that will revert drift are applied
    to it.
    """
    current = {number for number, stage_now in stages.items() if stage_now == stage}
    known = {holding.version for holding in recorded if holding.key == stage}
    came, left = sorted(current - known), sorted(known - current)
    if not came and not left:
        return None
    gone = [number for number in left if number not in stages]
    text = f"{stage} of {context.model} was changed by hand in MLflow: {_moves(came, left, gone)}"
    details = {"stage": stage, "came": came, "left": left}
    policy = context.policy.model(context.model)
    target = policy.target(stage) if policy.mode != "aliases" else None  # in that mode, stages mean nothing
    if known & stages.keys() and target and target.exclusive and _reverts(context, target):
        moves = revert_moves(context, stage, stages, recorded)
        stages.update(moves)
        back = next((number for number, goal in moves if goal == stage), None)
        ended = tuple(HoldingEnded(context.model, "stage", number, stage) for number in left if number != back)
        return _reverted(context, text, back, details, how={"stages": moves}, records=ended)
    version = came[-1] if came else None
    ends: list[LedgerChange] = [HoldingEnded(context.model, "stage", number, stage) for number in left]
    starts: list[LedgerChange] = [HoldingStarted(context.model, "stage", stage, number) for number in came]
    if version is not None and target and _adopts(context):
        return _adopted(text, context.model, details, (version, stage), (*ends, *starts[:-1]))
    return _recorded(context, text, version, details, target=target, records=(*ends, *starts))


def _moves(came: list[int], left: list[int], gone: list[int]) -> str:
    moves = [f"{_name(number)} came" for number in came]
    moves += [f"{_name(number)} {'was deleted' if number in gone else 'left'}" for number in left]
    return ", ".join(moves)


def _reverts(context: TaskContext, target: Target | None) -> bool:
    return context.policy.model(context.model).drift == "revert" and target is not None and target.guarded


def _adopts(context: TaskContext) -> bool:
    return context.policy.model(context.model).drift == "adopt"


def _adopted(
    text: str, model: str, details: Mapping[str, object], move: tuple[int, str], records: tuple[LedgerChange, ...] = ()
) -> Drift:
    """Return drift with the task that completes the move: stage and alias go together, the replaced version leaves."""
    version, stage = move
    fact = _fact(model, f"{text}; it is adopted", version, details)
    return Drift(fact, records, (FollowUp("worker.adopt", {"version": version, "stage": stage}),))


def _reverted(
    context: TaskContext,
    text: str,
    version: int | None,
    details: Mapping[str, object],
    *,
    how: Mapping[str, object],
    records: tuple[LedgerChange, ...] = (),
) -> Drift:
    """Return drift with the task that reverts it. how: the task's arguments; without moves, the records suffice."""
    if not any(how.values()):
        return Drift(_fact(context.model, text, version, details), records)
    fact = _fact(context.model, f"{text}; it is put back", version, details, reverted=True)
    return Drift(fact, records, (FollowUp("worker.revert_drift", how),))


def _recorded(
    context: TaskContext,
    text: str,
    version: int | None,
    details: Mapping[str, object],
    *,
    target: Target | None,
    records: tuple[LedgerChange, ...],
) -> Drift:
    if target and target.guarded and version is not None:
        text += f"; {target.stage}'s gates and approvals were not asked"
    return Drift(_fact(context.model, text, version, details), records)


def _fact(model: str, text: str, version: int | None, details: Mapping[str, object], *, reverted: bool = False) -> Fact:
    return Fact(FactType.REGISTRY_CHANGED_BY_HAND, text, model, version, {**details, "reverted": reverted})


def _recorded_aliases(context: TaskContext) -> dict[str, int]:
    return {holding.key: holding.version for holding in _load_holders(context, "alias")}


def _load_holders(context: TaskContext, kind: str) -> list[Holder]:
    with context.ledger.read() as connection:
        return held_now(connection, context.model, kind)


def _name(version: int | None) -> str:
    return "nothing" if version is None else f"version {version}"


Move = tuple[int, str]  # a version and its new stage


def revert_moves(context: TaskContext, stage: str, stages: Mapping[int, str], recorded: Sequence[Holder]) -> list[Move]:
    """Return the moves that bring a stage back to its recorded holders: newcomers leave; if no holder is there, one
    returns.

    stages: by version, now. recorded: all holders by the record, oldest first; at least one that still exists holds
    this stage.
    """
    current = {number for number, stage_now in stages.items() if stage_now == stage}
    holders = [holding.version for holding in recorded if holding.key == stage and holding.version in stages]
    moves = _moves_away(context, sorted(current - {*holders}), stage, stages, recorded)
    return moves if current & {*holders} else [*moves, (_holder_to_restore(context, stage, holders), stage)]


def _holder_to_restore(context: TaskContext, stage: str, holders: list[int]) -> int:
    """Return the newest recorded holder that the policy admitted; else the newest."""
    with context.ledger.read() as connection:
        holdings = held_before(connection, context.model, "stage", stage)
    admitted = [held.version for held in holdings if held.still and held.given and held.version in holders]
    return admitted[0] if admitted else holders[-1]


def _moves_away(
    context: TaskContext, came: list[int], stage: str, stages: Mapping[int, str], recorded: Sequence[Holder]
) -> list[Move]:
    """Return each newcomer's move to its recorded stage; to None where that stage is exclusive and taken."""
    policy = context.policy.model(context.model)
    home = {holding.version: holding.key for holding in recorded if holding.key != stage}
    now = dict(stages)
    for number in came:
        goal = home.get(number, "None")
        target = policy.target(goal)
        taken = any(at == goal for other, at in now.items() if other != number)
        now[number] = "None" if taken and target and target.exclusive else goal
    return [(number, now[number]) for number in came]
