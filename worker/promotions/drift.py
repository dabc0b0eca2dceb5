"""Where the registry is not as the record has it: somebody changed it by hand. Found, recorded, told, or put back.

Compared is the present, never a message about the past; what agrees is nothing. Put back is only what the record knows
a holder of: what was there before Registrar came is taken as it is. Nobody is put back into an exclusive stage where
one of its holders is.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from registrar.events.facts import FactType
from registrar.events.outcome import Fact, FollowUp, LedgerChange, Outcome
from registrar.ledger.holders import Holder, HoldingEnded, HoldingStarted, held_before, held_now
from registrar.policy import Target
from worker.registry.protocol import Model, NotFound, Version, find_version
from worker.task_context import TaskContext


@dataclass(frozen=True)
class Drift:
    """One stage or alias that is not as the record has it: either recorded, or put back by what follows.

    It is told in the same commit, so that nothing is put back without a word.
    """

    fact: Fact
    records: tuple[LedgerChange, ...] = ()
    follow_ups: tuple[FollowUp, ...] = ()


def check_alias(context: TaskContext, alias: str) -> Drift | None:
    """Whom it points at, against whom the record has."""
    found = context.registry.by_alias(context.model, alias)
    return _compare_alias(context, alias, found.version if found else None, _recorded_aliases(context).get(alias))


def _compare_alias(context: TaskContext, alias: str, current: int | None, known: int | None) -> Drift | None:
    if current == known:
        return None
    text = f"@{alias} of {context.model} was moved by hand in MLflow, from {_shown(known)} to {_shown(current)}"
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
    """Every alias and stage of the model that the record or the registry knows.

    versions: all that it has now, asked for by number where no search shows them: what is not among them was deleted.

    Targets first, and of these the ones that have a holder by the record: who is put back there leaves the stage that
    it was moved to, and is no news there.
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
    """All that was found as one outcome; otherwise: what is said where nothing was."""
    return Outcome(
        "; ".join(one.fact.text for one in found) or otherwise,
        facts=tuple(one.fact for one in found),
        records=tuple(record for one in found for record in one.records),
        follow_ups=tuple(step for one in found for step in one.follow_ups),
    )


def _compare_stage(context: TaskContext, stage: str, stages: dict[int, str], recorded: list[Holder]) -> Drift | None:
    """stages: of each version; what is to be put back is changed there."""
    current = {number for number, found in stages.items() if found == stage}
    known = {holding.version for holding in recorded if holding.key == stage}
    came, left = sorted(current - known), sorted(known - current)
    if not came and not left:
        return None
    gone = [number for number in left if number not in stages]
    text = f"{stage} of {context.model} was changed by hand in MLflow: {_moves(came, left, gone)}"
    details = {"stage": stage, "came": came, "left": left}
    policy = context.policy.model(context.model)
    target = policy.target(stage) if policy.mode != "aliases" else None  # there a stage says nothing
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
    said = [f"{_shown(number)} came" for number in came]
    said += [f"{_shown(number)} {'was deleted' if number in gone else 'left'}" for number in left]
    return ", ".join(said)


def _reverts(context: TaskContext, target: Target | None) -> bool:
    return context.policy.model(context.model).drift == "revert" and target is not None and target.guarded


def _adopts(context: TaskContext) -> bool:
    return context.policy.model(context.model).drift == "adopt"


def _adopted(
    text: str, model: str, details: Mapping[str, object], move: tuple[int, str], records: tuple[LedgerChange, ...] = ()
) -> Drift:
    """The move is made whole, as if it had been made here: stage and alias go together, the one replaced leaves."""
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
    """how: what worker.put_back is given; without anything to move, the records say it all."""
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
    return Drift(fact, records, (FollowUp("worker.put_back", how),))


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


def _shown(version: int | None) -> str:
    return "nothing" if version is None else f"version {version}"


Move = tuple[int, str]  # a version, and the stage that it goes to


def revert_moves(context: TaskContext, stage: str, stages: Mapping[int, str], recorded: Sequence[Holder]) -> list[Move]:
    """Who came goes away again; where none of the holders by the record is there any more, one comes back.

    stages: of each version now. recorded: who holds what by the record, oldest first; at least one that is still a
    version holds this stage.
    """
    current = {number for number, found in stages.items() if found == stage}
    holders = [holding.version for holding in recorded if holding.key == stage and holding.version in stages]
    leaving = _moves_away(context, sorted(current - {*holders}), stage, stages, recorded)
    return leaving if current & {*holders} else [*leaving, (_rightful(context, stage, holders), stage)]


def _rightful(context: TaskContext, stage: str, holders: list[int]) -> int:
    """Of the versions that hold a stage by the record, the newest that did not come by hand alone; else the newest."""
    with context.ledger.read() as connection:
        times = held_before(connection, context.model, "stage", stage)
    given = [held.version for held in times if held.still and held.given and held.version in holders]
    return given[0] if given else holders[-1]


def _moves_away(
    context: TaskContext, came: list[int], stage: str, stages: Mapping[int, str], recorded: Sequence[Holder]
) -> list[Move]:
    """Each goes to where the record has it, unless that takes one alone and another is there by now."""
    policy = context.policy.model(context.model)
    before = {holding.version: holding.key for holding in recorded if holding.key != stage}
    now = dict(stages)
    for number in came:
        goal = before.get(number, "None")
        target = policy.target(goal)
        taken = any(at == goal for other, at in now.items() if other != number)
        now[number] = "None" if taken and target and target.exclusive else goal
    return [(number, now[number]) for number in came]
