"""Where the registry is not as the record has it: somebody changed it by hand. Found, recorded, told, or put back.

Compared is the present, never a message about the past; what agrees is nothing. Put back is only what the record knows
a holder of: what was there before Registrar came is taken as it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from registrar.ledger.history import Held, Holding, Released, history
from registrar.outcome import Fact, Record
from registrar.policy import Target
from worker.door import Model, NotFound
from worker.work import Work

FACT = "registry.changed_by_hand"


@dataclass(frozen=True)
class Drift:
    """One stage or alias that is not as the record has it. records: none where it was put back."""

    fact: Fact
    records: tuple[Record, ...] = ()


def of_alias(work: Work, alias: str) -> Drift | None:
    """Whom it points at, against whom the record has."""
    current, known = _aliases(work).get(alias), _recorded_aliases(work).get(alias)
    if current == known:
        return None
    text = f"@{alias} of {work.model} was moved by hand in MLflow, from {_shown(known)} to {_shown(current)}"
    target = next((t for t in work.policy.model(work.model).targets if t.alias == alias), None)
    details = {"alias": alias, "before": known, "after": current}
    if known is not None and _to_revert(work, target) and _present(work, known):
        work.registry.set_alias(work.model, alias, known)
        return _reverted(work, text, known, details)
    records: list[Record] = [Released(work.model, "alias", known, alias)] if known is not None else []
    if current is not None:
        records.append(Held(work.model, "alias", alias, current, alone=True))
    return _told(work, text, current, details, target=target, records=tuple(records))


def of_everything(work: Work) -> list[Drift]:
    """Every alias and stage of the model that the record or the registry knows.

    Targets first, and each stage as it is by then: what is put back there leaves the stage it was moved to.
    """
    found = [of_alias(work, alias) for alias in sorted({*_aliases(work), *_recorded_aliases(work)})]
    targets = [target.stage for target in work.policy.model(work.model).targets]
    recorded = _open(work, "stage")
    known = {*(v.stage for v in work.registry.versions(work.model)), *(h.key for h in recorded)} - {"None", *targets}
    found += [_of_stage(work, stage, recorded) for stage in (*targets, *sorted(known))]
    return [drift for drift in found if drift]


def _of_stage(work: Work, stage: str, recorded: list[Holding]) -> Drift | None:
    stages = {version.version: version.stage for version in work.registry.versions(work.model)}
    current = {number for number, found in stages.items() if found == stage}
    known = {holding.version for holding in recorded if holding.key == stage}
    came, left = sorted(current - known), sorted(known - current)
    if not came and not left:
        return None
    gone = [number for number in left if number not in stages]
    text = f"{stage} of {work.model} was changed by hand in MLflow: {_moves(came, left, gone)}"
    target, details = work.policy.model(work.model).target(stage), {"stage": stage, "came": came, "left": left}
    if known and not gone and target and target.exclusive and _to_revert(work, target):
        before = {holding.version: holding.key for holding in recorded}
        for number in came:
            work.registry.set_stage(work.model, number, before.get(number, "None"))
        for number in left:
            work.registry.set_stage(work.model, number, stage)
        return _reverted(work, text, left[0] if left else None, details)
    released: list[Record] = [Released(work.model, "stage", number, stage) for number in left]
    held: list[Record] = [Held(work.model, "stage", stage, number) for number in came]
    version = came[-1] if came else None
    return _told(work, text, version, details, target=target, records=(*released, *held))


def _moves(came: list[int], left: list[int], gone: list[int]) -> str:
    said = [f"{_shown(number)} came" for number in came]
    said += [f"{_shown(number)} {'was deleted' if number in gone else 'left'}" for number in left]
    return ", ".join(said)


def _to_revert(work: Work, target: Target | None) -> bool:
    return work.policy.model(work.model).drift == "revert" and target is not None and target.guarded


def _reverted(work: Work, text: str, version: int | None, details: Mapping[str, object]) -> Drift:
    return Drift(Fact(FACT, f"{text}; it was put back", work.model, version, {**details, "reverted": True}))


def _told(
    work: Work,
    text: str,
    version: int | None,
    details: Mapping[str, object],
    *,
    target: Target | None,
    records: tuple[Record, ...],
) -> Drift:
    if target and target.guarded and version is not None:
        text += f"; {target.stage}'s gates and approvals were not asked"
    return Drift(Fact(FACT, text, work.model, version, {**details, "reverted": False}), records)


def _aliases(work: Work) -> dict[str, int]:
    try:
        found: Model = work.registry.model(work.model)
    except NotFound:
        return {}
    return dict(found.aliases)


def _recorded_aliases(work: Work) -> dict[str, int]:
    return {holding.key: holding.version for holding in _open(work, "alias")}


def _open(work: Work, kind: str) -> list[Holding]:
    with work.ledger.read() as connection:
        return [h for h in history(connection, work.model) if h.kind == kind and h.until is None]


def _present(work: Work, number: int) -> bool:
    try:
        work.registry.version(work.model, number)
    except NotFound:
        return False
    return True


def _shown(version: int | None) -> str:
    return "nothing" if version is None else f"version {version}"
