"""Find where the registry differs from the record because somebody changed it by hand; record that, announce it, or
revert it.

Only the present is compared, never a message about the past. Only what has a holder by the record is reverted: what was
there before Registrar came is accepted. No version is put back into an exclusive stage while one of its recorded
holders is there.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from registrar.events.facts import FactType
from registrar.events.outcome import Fact, FollowUp, LedgerChange, Outcome
from registrar.ledger.holders import Holder, HoldingEnded, HoldingStarted, held_before, held_now
from registrar.policy import Target
from worker.registry.entities import Model, Version
from worker.registry.protocol import NotFound, find_version
from worker.task_context import TaskContext


@dataclass(frozen=True)
class Drift:
    """One stage or alias that differs from the record: it is recorded as it is, or reverted by a follow-up.

    The fact is in the same commit, so that nothing is reverted unannounced.
    """

    fact: Fact
    records: tuple[LedgerChange, ...] = ()
    follow_ups: tuple[FollowUp, ...] = ()


def check_alias(context: TaskContext, alias: str) -> Drift | None:
    """Compare the holder of an alias in MLflow with the record."""
    found = context.registry.by_alias(context.model, alias)
    return _compare_alias(context, alias, found.version if found else None, _recorded_aliases(context).get(alias))


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


def check_model(context: TaskContext, versions: Iterable[Version]) -> list[Drift]:
    """Compare every alias and stage of the model that the record or the registry knows.

    versions: all that the registry has, asked for by number where no search shows them: one that is missing was
    deleted.

    Targets come first, and of these the ones with a recorded holder: a version that is put back there has left the
    stage that it was moved to, and is no drift there.
    """
    current, known = _aliases(context), _recorded_aliases(context)
    found = [
        _compare_alias(context, alias, current.get(alias), known.get(alias)) for alias in sorted({*current, *known})
    ]
    recorded = _load_holders(context, "stage")
    held = {holding.key for holding in recorded}
    targets = [target.stage for target in context.policy.model(context.model).targets]
    targets.sort(key=lambda stage: stage not in held)
    stages = {version.version: version.stage for version in versions}
    others = {*stages.values(), *held} - {"None", *targets}
    found += [_compare_stage(context, stage, stages, recorded) for stage in (*targets, *sorted(others))]
    return [drift for drift in found if drift]


def combine(found: Sequence[Drift], otherwise: str) -> Outcome:
    """Return one outcome for all. otherwise: its summary where nothing was found."""
    return Outcome(
        "; ".join(one.fact.text for one in found) or otherwise,
        facts=tuple(one.fact for one in found),
        records=tuple(record for one in found for record in one.records),
        follow_ups=tuple(step for one in found for step in one.follow_ups),
    )


def _compare_stage(context: TaskContext, stage: str, stages: dict[int, str], recorded: list[Holder]) -> Drift | None:
    """stages: of each version; moves to be reverted are applied to it."""
    current = {number for number, found in stages.items() if found == stage}
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
        stale = tuple(HoldingEnded(context.model, "stage", number, stage) for number in left if number != back)
        return _reverted(context, text, back, details, how={"stages": moves}, records=stale)
    version = came[-1] if came else None
    released: list[LedgerChange] = [HoldingEnded(context.model, "stage", number, stage) for number in left]
    held: list[LedgerChange] = [HoldingStarted(context.model, "stage", stage, number) for number in came]
    if version is not None and target and _adopts(context):
        return _adopted(text, context.model, details, (version, stage), (*released, *held[:-1]))
    return _recorded(context, text, version, details, target=target, records=(*released, *held))


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
    """Complete the move as if made here: stage and alias go together, and the replaced version leaves."""
    version, stage = move
    fact = Fact(
        FactType.REGISTRY_CHANGED_BY_HAND, f"{text}; it is adopted", model, version, {**details, "reverted": False}
    )
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
    """how: arguments of the task that reverts; where nothing is to be moved, the records suffice."""
    if not any(how.values()):
        return Drift(
            Fact(FactType.REGISTRY_CHANGED_BY_HAND, text, context.model, version, {**details, "reverted": False}),
            records,
        )
    fact = Fact(
        FactType.REGISTRY_CHANGED_BY_HAND,
        f"{text}; it is put back",
        context.model,
        version,
        {**details, "reverted": True},
    )
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
    return Drift(
        Fact(FactType.REGISTRY_CHANGED_BY_HAND, text, context.model, version, {**details, "reverted": False}), records
    )


def _aliases(context: TaskContext) -> dict[str, int]:
    try:
        found: Model = context.registry.model(context.model)
    except NotFound:
        return {}
    return dict(found.aliases)


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

    stages: of each version now. recorded: all holders by the record, oldest first; at least one that still exists holds
    this stage.
    """
    current = {number for number, found in stages.items() if found == stage}
    holders = [holding.version for holding in recorded if holding.key == stage and holding.version in stages]
    leaving = _moves_away(context, sorted(current - {*holders}), stage, stages, recorded)
    return leaving if current & {*holders} else [*leaving, (_rightful(context, stage, holders), stage)]


def _rightful(context: TaskContext, stage: str, holders: list[int]) -> int:
    """Return the newest recorded holder that did not come by hand; else the newest."""
    with context.ledger.read() as connection:
        times = held_before(connection, context.model, "stage", stage)
    given = [held.version for held in times if held.still and held.given and held.version in holders]
    return given[0] if given else holders[-1]


def _moves_away(
    context: TaskContext, came: list[int], stage: str, stages: Mapping[int, str], recorded: Sequence[Holder]
) -> list[Move]:
    """Send each newcomer to its recorded stage, unless that is exclusive and taken by now."""
    policy = context.policy.model(context.model)
    before = {holding.version: holding.key for holding in recorded if holding.key != stage}
    now = dict(stages)
    for number in came:
        goal = before.get(number, "None")
        target = policy.target(goal)
        taken = any(at == goal for other, at in now.items() if other != number)
        now[number] = "None" if taken and target and target.exclusive else goal
    return [(number, now[number]) for number in came]
