"""worker.adopt_model, on model.adopt: take in a model that MLflow had before Registrar, or before it was looked at.

Nothing is moved. The holders that MLflow shows go into the record as they are, and the model's versions count as known.
Only its newest version is taken in as a candidate, if it holds nothing yet. With `plan`, the answer says all that, and
nothing is written. Without a model, each model of MLflow that registrar.yml names gets an event of its own.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from registrar.events.event import Actor, Event
from registrar.events.facts import FactType
from registrar.events.outcome import Fact, LedgerChange, Outcome
from registrar.events.types import ModelAdopt
from registrar.ledger.disputes import dispute
from registrar.ledger.holders import ARCHIVED, HoldingStarted, held_now
from registrar.ledger.interventions import EventCaused
from registrar.policy.document import NONE, policy_of
from worker.promotions import adoption, disputes, stage_occupancy
from worker.promotions.plan import plan
from worker.registry.entities import Version
from worker.registry.protocol import Refused, RegistryError, RetryableError, with_known
from worker.task_context import TaskContext

Place = tuple[str, str, int]  # stage | alias, its name, a version


@dataclass(frozen=True)
class Survey:
    """What is to be done about a model. holders: places that go into the record. new: versions to take in.

    targets: stages that the newest of these is asked for. records: of the versions that were seen.
    """

    model: str
    holders: Sequence[Place]
    new: Sequence[int]
    others: Sequence[int]
    targets: Sequence[str]
    records: tuple[LedgerChange, ...]


def act(context: TaskContext) -> Outcome:
    data = context.data_as(ModelAdopt)
    if data.model is None:
        return _all(context, data)
    if why := disputes.blocked_reason(context):
        raise Refused(why)
    survey = _survey(context, data.model)
    if data.plan:
        return Outcome("\n".join(_plan(context, survey)))
    if not survey.holders and not survey.new:
        return Outcome(f"nothing of {data.model} is left to take in", records=survey.records)
    because = f": {data.reason}" if data.reason else ""
    text = f"{data.model} was taken in by {context.actor_name}{because} ({'; '.join(_changes(survey))})"
    details = {"versions": list(survey.new), "holders": [list(place) for place in survey.holders]}
    fact = Fact(FactType.MODEL_ADOPTED, text, data.model, None, details)
    held = (HoldingStarted(data.model, *place) for place in survey.holders)
    return Outcome(text, (fact,), adoption.steps(survey.new), (*held, *survey.records))


def _all(context: TaskContext, data: ModelAdopt) -> Outcome:
    names = [model.name for model in context.registry.models(max_results=None)]
    named = sorted(name for name in names if policy_of(context.policy, name) != NONE)
    if not named:
        return Outcome("MLflow has no model that registrar.yml names")
    if data.plan:
        return Outcome("\n".join(line for name in named for line in _plan_or_reason(context, name)))
    complete = {name: survey.records for name in named if (survey := _nothing_new(context, name))}
    left = [name for name in named if name not in complete]
    actor = Actor(context.task.actor, context.actor_name)
    events = [Event(ModelAdopt(model=name, reason=data.reason), actor, context.task.accepted_at) for name in left]
    caused = tuple(EventCaused(event, context.task.source, nth) for nth, event in enumerate(events))
    parts = [f"taken in next, each by an event of its own: {', '.join(left)}"] if left else []
    parts += [f"nothing is left to take in of {', '.join(complete)}"] if complete else []
    records = (*caused, *(record for records in complete.values() for record in records))
    return Outcome("; ".join(parts), records=records)


def _nothing_new(context: TaskContext, model: str) -> Survey | None:
    """Return the survey of a model of which nothing is left to take in; None: an event of its own says more of it."""
    with context.ledger.read() as connection:
        if dispute(connection, model):
            return None
    try:
        survey = _survey(context, model)
    except RetryableError:
        raise
    except RegistryError:
        return None
    return None if survey.holders or survey.new else survey


def _plan_or_reason(context: TaskContext, model: str) -> list[str]:
    try:
        return _plan(context, _survey(context, model))
    except RetryableError:
        raise
    except RegistryError as error:
        return [f"{model} can't be taken in: {error}"]


def _survey(context: TaskContext, model: str) -> Survey:
    """Compare a model with the record. Raises NotFound, and Refused where an exclusive stage has several holders."""
    entity, recent = context.registry.model(model), context.registry.recent(model)
    with context.ledger.read() as connection:
        holders = [(kind, each) for kind in ("stage", "alias") for each in held_now(connection, model, kind)]
    held = {(kind, each.key) for kind, each in holders if each.key != ARCHIVED}
    known = {(kind, each.key, each.version) for kind, each in holders}
    versions = with_known(context.registry, model, recent.versions, {each.version for _, each in holders})
    places = [("stage", one.stage, one.version) for one in versions if one.stage != "None"]
    places += [("alias", alias, number) for alias, number in entity.aliases.items()]
    stage_occupancy.require_single_holders(context, model, places)
    found = [place for place in places if place[:2] not in held and place not in known]
    policy = context.policy.model(model)
    in_use = {number for kind, _, number in places if kind == "alias" or policy.mode != "aliases"}
    new = {one.version for one in adoption.find_new(context, model, versions) or ()}
    newest = max(versions, key=lambda one: one.version, default=None)
    if newest and newest.version not in in_use and not adoption.is_registered(context, newest, but_left=True):
        new.add(newest.version)
    stages = stage_occupancy.exclusive_stages(policy)
    snapshot = stage_occupancy.snapshot_of(context, model, stages, versions, recent.at).records
    return Survey(
        model,
        sorted(found),
        sorted(new),
        sorted({one.version for one in versions} - new),
        [target.stage for target in policy.next_targets("None")],
        (*snapshot, *_watermarks(context, model, versions)),
    )


def _watermarks(context: TaskContext, model: str, versions: Sequence[Version]) -> tuple[LedgerChange, ...]:
    return (adoption.watermark_of(context, model, versions),) if versions else ()


def _changes(survey: Survey) -> list[str]:
    """Return what is done, for people."""
    by_version: defaultdict[int, list[str]] = defaultdict(list)
    for kind, key, number in survey.holders:
        by_version[number].append(f"@{key}" if kind == "alias" else key)
    archived = [number for number, keys in by_version.items() if keys == [ARCHIVED]]
    lines = [
        f"version {number} holds {' and '.join(keys)}, and stays there"
        for number, keys in sorted(by_version.items())
        if number not in archived
    ]
    lines += [f"{adoption.numbered(sorted(archived))}: in Archived"] if archived else []
    asked = f", and asked for {' and '.join(survey.targets)}" if survey.targets else ""
    lines += [f"{adoption.numbered(survey.new)}: tagged{asked}"] if survey.new else []
    return [*lines, f"{adoption.numbered(survey.others)}: known, and nothing is asked for"] if survey.others else lines


def _plan(context: TaskContext, survey: Survey) -> list[str]:
    """Return the plan: a heading, what would be done, and what the gates say of the newest version."""
    if not survey.holders and not survey.new:
        return [f"nothing of {survey.model} is left to take in"]
    lines = [f"  {change}" for change in _changes(survey)]
    for stage in survey.targets if survey.new else ():
        planned = plan(context, survey.model, survey.new[-1], stage)
        lines += [f"  version {survey.new[-1]} to {stage}: {planned.state}", *(f"    {line}" for line in planned.lines)]
    return [f"{survey.model} would be taken in, and nothing moved:", *lines]
