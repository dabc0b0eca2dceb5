"""worker.settle, on registry.settle: end a model's dispute, as an operator says whether MLflow or the record counts.

If MLflow counts, the record takes its state over, as that operator's change. If the record counts, MLflow is changed
back to it, for versions that still exist; holdings of others end.

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
from worker.promotions import adoption, disputes, stage_occupancy
from worker.registry.entities import Version
from worker.registry.protocol import Refused, find_model, with_known
from worker.task_context import TaskContext

Place = tuple[str, str, int]  # stage | alias, its name, a version


@dataclass(frozen=True)
class TwoStates:
    """The states of a model in MLflow and in the record. shown: MLflow's places. lost: records of versions that are
    gone. unrecorded: versions about which the record lacks something. snapshots: of what was seen, for the record.
    """

    shown: Sequence[Place]
    records: Sequence[Open]
    lost: Sequence[Open]
    unrecorded: Sequence[Version]
    snapshots: tuple[LedgerChange, ...]

    @property
    def held(self) -> list[Place]:
        """Return the recorded places of versions that still exist."""
        lost = {id(record) for record in self.lost}
        return [_place(each) for each in self.records if each.kind in ("stage", "alias") and id(each) not in lost]

    @property
    def came(self) -> list[Place]:
        return [place for place in self.shown if place not in self.held]

    @property
    def left(self) -> list[Place]:
        return [place for place in self.held if place not in self.shown]


def act(context: TaskContext) -> Outcome:
    data = context.data_as(RegistrySettle)
    states = _read_states(context)
    if data.plan:
        plans = {"mlflow": _plan_by_mlflow(states), "ledger": _plan_by_ledger(context, states)}
        shown = [trust for trust in plans if data.trust in (None, trust)]
        would = (f"--trust {trust} would: {', '.join(plans[trust]) or 'change nothing'}" for trust in shown)
        return Outcome(f"of {context.model}, {'; '.join(would)}")  # one line per model
    _require_dispute(context)
    by_mlflow = data.trust == "mlflow"
    if by_mlflow:
        stage_occupancy.require_single_holders(context, context.model, states.shown)
    changes = _plan_by_mlflow(states) if by_mlflow else _plan_by_ledger(context, states)
    why = f"{context.actor_name} said that {'MLflow' if by_mlflow else 'the record'} counts"
    because = f": {data.reason}" if data.reason else ""
    text = f"{why} for {context.model}{because} ({', '.join(changes) or 'nothing differs'})"
    fact = Fact(FactType.REGISTRY_SETTLED, text, context.model, None, {"trust": data.trust, "by": context.actor_name})
    ended: list[LedgerChange] = [record.end_record(context.model, why) for record in states.lost]
    noted = [Noted(context.model, version.version) for version in states.unrecorded]
    taken_over = _take_over(context, states, why) if by_mlflow else []
    steps = [] if by_mlflow else _put_back(context, states)
    records = (*ended, *taken_over, *noted, *states.snapshots, Settled(context.model, text))
    return Outcome(text, (fact,), tuple(steps), records)


def _require_dispute(context: TaskContext) -> None:
    """Raise Refused for a model that is not in dispute."""
    with context.ledger.read() as connection:
        if dispute(connection, context.model) is None:
            how = f"registrar reconcile {context.model} does what the policy says of a difference (drift)"
            raise Refused(f"MLflow and the record of {context.model} are not in dispute: {how}")


def _read_states(context: TaskContext) -> TwoStates:
    with context.ledger.read() as connection:
        records = open_records(connection, context.model)
    recent, model = context.registry.recent(context.model), find_model(context.registry, context.model)
    live = {record.version for record in records if record.live}
    versions = {each.version: each for each in with_known(context.registry, context.model, recent.versions, live)}
    incarnations = {number: each.incarnation(context.registry.address) for number, each in versions.items()}
    lost = [
        record
        for record in records
        if record.version not in incarnations or not record.is_of(incarnations[record.version])
    ]
    shown = [("stage", each.stage, each.version) for each in versions.values() if each.stage != "None"]
    shown += [("alias", alias, number) for alias, number in (model.aliases.items() if model else ())]
    unrecorded = [version for version, _ in disputes.find_unrecorded(context, list(versions.values()))]
    stages = stage_occupancy.exclusive_stages(context.policy.model(context.model))
    snapshots = stage_occupancy.snapshot_of(context, context.model, stages, versions.values(), recent.at).records
    # What is there now was settled: none of it is taken in as new.
    known = (adoption.watermark_of(context, context.model, versions.values()),) if versions else ()
    return TwoStates(sorted(shown), records, lost, unrecorded, (*snapshots, *known))


def _take_over(context: TaskContext, states: TwoStates, why: str) -> list[LedgerChange]:
    """Return the records that make MLflow's state the record's. Promotions to a stage that the version is in end."""
    promotions = [record for record in states.records if record.kind == "promotion"]
    done = {each.key for each in promotions if ("stage", each.target, each.version) in states.shown}
    ended = [
        record.end_record(context.model, why)
        for record in states.records
        if _place(record) in states.left or record.key in done
    ]
    return [*ended, *(HoldingStarted(context.model, kind, key, number) for kind, key, number in states.came)]


def _put_back(context: TaskContext, states: TwoStates) -> list[FollowUp]:
    """Return the tasks, in this lane, that change MLflow back to the record."""
    stages = [[number, stage] for number, stage in _moves(context, states)]
    steps = [FollowUp("worker.revert_drift", {"stages": stages})] if stages else []
    aliases = _alias_moves(context, states)
    return [*steps, *(FollowUp("worker.revert_drift", {"alias": a, "version": n}) for a, n in aliases.items())]


def _moves(context: TaskContext, states: TwoStates) -> list[tuple[int, str]]:
    """Return versions and the stages that they go back to; none in the mode `aliases`.

    A version that is in another's place comes first, so that it leaves before that one returns.
    """
    if context.policy.model(context.model).mode == "aliases":
        return []
    home = {number: stage for kind, stage, number in states.held if kind == "stage"}
    came = [number for kind, _, number in states.came if kind == "stage"]
    returns = [(number, stage) for kind, stage, number in states.left if kind == "stage" and number not in came]
    moves = [(number, home.get(number, "None")) for number in came]
    taken = {stage for kind, stage, _ in states.shown if kind == "stage"}
    return sorted([*moves, *returns], key=lambda move: move[1] in taken)


def _alias_moves(context: TaskContext, states: TwoStates) -> dict[str, int | None]:
    """Return the aliases to set or remove, of targets and of the record, each with its version; None: to be removed."""
    held = {key: number for kind, key, number in states.held if kind == "alias"}
    ours = {target.alias for target in context.policy.model(context.model).targets if target.alias}
    came = {key for kind, key, _ in states.came if kind == "alias" and (key in ours or key in held)}
    left = {key for kind, key, _ in states.left if kind == "alias"}
    return {key: held.get(key) for key in sorted(came | left)}


def _plan_by_mlflow(states: TwoStates) -> list[str]:
    return [
        *(f"record {_place_text(place)}" for place in states.came),
        *(f"end {_place_text(place)} in the record" for place in states.left),
        *_end_texts(states.lost),
    ]


def _plan_by_ledger(context: TaskContext, states: TwoStates) -> list[str]:
    return [
        *(f"move version {number} to {stage}" for number, stage in _moves(context, states)),
        *(
            f"point @{alias} at version {number}" if number else f"take @{alias} away"
            for alias, number in _alias_moves(context, states).items()
        ),
        *_end_texts(states.lost),
    ]


def _end_texts(lost: Iterable[Open]) -> list[str]:
    return [f"end what the record has of version {record.version} that is gone: {record.what}" for record in lost]


def _place(record: Open) -> Place:
    return record.kind, record.key, record.version


def _place_text(place: Place) -> str:
    kind, key, number = place
    return f"version {number} {f'as @{key}' if kind == 'alias' else f'in {key}'}"
