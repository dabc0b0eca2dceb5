"""worker.settle, on registry.settle: an operator says whether MLflow or the record of a model counts.

If MLflow does, the record takes over what it shows, as that operator's doing. If the record does, MLflow is changed
back to it, for versions that the record is about; holdings of others end.

Only for a model in dispute: other differences are drift, which the policy decides about.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from registrar.events.facts import FactType
from registrar.events.outcome import Fact, FollowUp, LedgerChange, Outcome
from registrar.events.types import RegistrySettle
from registrar.ledger.disputes import Settled, dispute
from registrar.ledger.holders import HoldingStarted
from registrar.ledger.incarnations import Noted
from registrar.ledger.open_records import Open, open_records
from worker.promotions import disputes, stage_occupancy
from worker.registry.entities import Version
from worker.registry.protocol import NotFound, Refused, with_known
from worker.task_context import TaskContext

Place = tuple[str, str, int]  # stage | alias, its name, a version


@dataclass(frozen=True)
class Both:
    """What MLflow and the record say of a model. shown: MLflow's places. lost: records about versions that are gone.
    snapshots: what later snapshots continue from.
    """

    shown: Sequence[Place]
    records: Sequence[Open]
    lost: Sequence[Open]
    lacking: Sequence[Version]
    snapshots: tuple[LedgerChange, ...]

    @property
    def held(self) -> list[Place]:
        """Return the places by the record, of versions that still exist."""
        lost = {id(one) for one in self.lost}
        return [_place(one) for one in self.records if one.kind in ("stage", "alias") and id(one) not in lost]

    @property
    def came(self) -> list[Place]:
        return [place for place in self.shown if place not in self.held]

    @property
    def left(self) -> list[Place]:
        return [place for place in self.held if place not in self.shown]


def act(context: TaskContext) -> Outcome:
    data = context.data_as(RegistrySettle)
    both = _both(context)
    if data.plan:
        plans = {"mlflow": _by_mlflow(both), "ledger": _by_ledger(context, both)}
        wanted = [trust for trust in plans if data.trust in (None, trust)]
        would = (f"--trust {trust} would: {', '.join(plans[trust]) or 'change nothing'}" for trust in wanted)
        return Outcome(f"of {context.model}, {'; '.join(would)}")  # one line per model
    _require_dispute(context)
    if data.trust == "mlflow":
        _require_single_holders(context, both)
    changes = _by_mlflow(both) if data.trust == "mlflow" else _by_ledger(context, both)
    why = f"{context.actor_name} said that {_name(data.trust)} counts"
    because = f": {data.reason}" if data.reason else ""
    text = f"{why} for {context.model}{because} ({', '.join(changes) or 'nothing differs'})"
    fact = Fact(FactType.REGISTRY_SETTLED, text, context.model, None, {"trust": data.trust, "by": context.actor_name})
    gone: list[LedgerChange] = [one.end_record(context.model, why) for one in both.lost]
    known = [Noted(context.model, one.version) for one in both.lacking]
    rest, steps = _taken_over(context, both, why) if data.trust == "mlflow" else _put_back(context, both)
    return Outcome(text, (fact,), tuple(steps), (*gone, *rest, *known, *both.snapshots, Settled(context.model, text)))


def _require_dispute(context: TaskContext) -> None:
    """Raises Refused for a model that is not in dispute."""
    with context.ledger.read() as connection:
        if dispute(connection, context.model) is None:
            how = f"registrar reconcile {context.model} does what the policy says of a difference (drift)"
            raise Refused(f"MLflow and the record of {context.model} are not in dispute: {how}")


def _require_single_holders(context: TaskContext, both: Both) -> None:
    """Raises Refused where MLflow shows several versions in an exclusive stage: the record would have two holders."""
    for stage in stage_occupancy.exclusive_stages(context.policy.model(context.model)):
        there = sorted(number for kind, key, number in both.shown if (kind, key) == ("stage", stage))
        if len(there) > 1:
            found = f"MLflow shows versions {', '.join(map(str, there))} of {context.model} in {stage}"
            raise Refused(f"{found}, and one may hold it: move the others out of it in MLflow, and say so again")


def _name(trust: str | None) -> str:
    return "MLflow" if trust == "mlflow" else "the record"


def _both(context: TaskContext) -> Both:
    with context.ledger.read() as connection:
        records = open_records(connection, context.model)
    found = context.registry.recent(context.model)
    live = {one.version for one in records if one.live}
    versions = {one.version: one for one in with_known(context.registry, context.model, found.versions, live)}
    lost = [
        one
        for one in records
        if one.version not in versions or not one.is_of(versions[one.version].incarnation(context.registry.address))
    ]
    shown = [("stage", one.stage, one.version) for one in versions.values() if one.stage != "None"]
    shown += [("alias", alias, number) for alias, number in _aliases(context).items()]
    lacking = [one for one, _ in disputes.find_unrecorded(context, list(versions.values()))]
    stages = stage_occupancy.exclusive_stages(context.policy.model(context.model))
    snapshots = stage_occupancy.snapshot_of(context, context.model, stages, versions.values(), found.at).records
    return Both(sorted(shown), records, lost, lacking, snapshots)


def _aliases(context: TaskContext) -> dict[str, int]:
    try:
        return dict(context.registry.model(context.model).aliases)
    except NotFound:
        return {}


def _taken_over(context: TaskContext, both: Both, why: str) -> tuple[list[LedgerChange], list[FollowUp]]:
    """What is there already waits for no approval any more."""
    asked = [one for one in both.records if one.kind == "promotion"]
    there = {one.key for one in asked if ("stage", one.target, one.version) in both.shown}
    left = [one.end_record(context.model, why) for one in both.records if _place(one) in both.left or one.key in there]
    return [*left, *(HoldingStarted(context.model, kind, key, number) for kind, key, number in both.came)], []


def _put_back(context: TaskContext, both: Both) -> tuple[list[LedgerChange], list[FollowUp]]:
    """In the lane, after this: who came leaves first."""
    stages = [[number, stage] for number, stage in _moves(context, both)]
    steps = [FollowUp("worker.revert_drift", {"stages": stages})] if stages else []
    aliases = _alias_moves(context, both)
    return [], [*steps, *(FollowUp("worker.revert_drift", {"alias": a, "version": n}) for a, n in aliases.items())]


def _moves(context: TaskContext, both: Both) -> list[tuple[int, str]]:
    """Who goes to which stage; where the policy goes by aliases alone, nobody."""
    if context.policy.model(context.model).mode == "aliases":
        return []
    home = {number: stage for kind, stage, number in both.held if kind == "stage"}
    came = [number for kind, _, number in both.came if kind == "stage"]
    left = [(number, stage) for kind, stage, number in both.left if kind == "stage" and number not in came]
    moves = [(number, home.get(number, "None")) for number in came]
    taken = {stage for kind, stage, _ in both.shown if kind == "stage"}
    return sorted([*moves, *left], key=lambda move: move[1] in taken)  # who is in another's place leaves first


def _alias_moves(context: TaskContext, both: Both) -> dict[str, int | None]:
    """Of the targets' aliases and those that the record knows: who gets them; None: nobody."""
    held = {key: number for kind, key, number in both.held if kind == "alias"}
    ours = {target.alias for target in context.policy.model(context.model).targets if target.alias}
    came = {key for kind, key, _ in both.came if kind == "alias" and (key in ours or key in held)}
    left = {key for kind, key, _ in both.left if kind == "alias"}
    return {key: held.get(key) for key in sorted(came | left)}


def _by_mlflow(both: Both) -> list[str]:
    return [
        *(f"record {_shown(place)}" for place in both.came),
        *(f"end {_shown(place)} in the record" for place in both.left),
        *_ended(both.lost),
    ]


def _by_ledger(context: TaskContext, both: Both) -> list[str]:
    return [
        *(f"move version {number} to {stage}" for number, stage in _moves(context, both)),
        *(
            f"point @{alias} at version {number}" if number else f"take @{alias} away"
            for alias, number in _alias_moves(context, both).items()
        ),
        *_ended(both.lost),
    ]


def _ended(lost: Iterable[Open]) -> list[str]:
    return [f"end what the record has of version {one.version} that is gone: {one.what}" for one in lost]


def _place(one: Open) -> Place:
    return one.kind, one.key, one.version


def _shown(place: Place) -> str:
    kind, key, number = place
    return f"version {number} {f'as @{key}' if kind == 'alias' else f'in {key}'}"
