"""Adoption: a version that was registered in MLflow itself enters the flow once, like one that an event registered.

By which way it was noticed does not matter: MLflow's webhook, a comparison, a training event about its run. The record
says which versions were registered here or taken in, never MLflow's tags, which anybody may set. The model's watermark
says which versions were there before Registrar looked (registrar/ledger/watermarks.py): they are not taken in.

Who registered it, and so counts as the requester, is MLflow's word (attribution.py).
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from registrar.events.facts import FactType
from registrar.events.outcome import Fact, FollowUp, Outcome
from registrar.ledger.holders import held_now
from registrar.ledger.promotions import still_open
from registrar.ledger.queries.find import registers
from registrar.ledger.version_state import Key, StateSet, TagGiven, registered
from registrar.ledger.watermarks import Watermark, watermark
from registrar.policy.approvals import Approval
from worker.promotions import attribution
from worker.promotions.evidence import EvaluationContext
from worker.promotions.registration import commit_of, registered_outcome, with_link
from worker.promotions.version_state import holding_key, recorded
from worker.registry import entities
from worker.registry.entities import Run, Version, is_copy
from worker.registry.protocol import find_run
from worker.task_context import TaskContext

COMMIT = "registrar.commit"  # the tag that says what a version was trained from
_MAX_NAMED = 10
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


def is_registered(context: EvaluationContext, version: Version, *, but_left: bool = False) -> bool:
    """Return whether the record has this very version as registered, here or by an adoption, or will have it.

    A version with the tag of a task that registered its run is that task's, under the name of a renamed model too; a
    task that is not done yet deals with its version itself. Under another number it is what an attempt left, and takes
    back. but_left: this does not count, as a person asks, and anybody may copy the tag.
    """
    if Key.REGISTRANT in recorded(context.ledger, version):
        return True
    if is_copy(version) or (task := version.tags.get("registrar.task")) is None:
        return False
    with context.ledger.read() as connection:
        return registers(connection, task, version=version.version if but_left else None, run_id=version.run_id)


def is_noticed(context: EvaluationContext, version: Version) -> bool:
    """Return whether the record has this very version as noticed, and not to be taken in by that."""
    return Key.NOTICED in recorded(context.ledger, version)


def notice(context: TaskContext, versions: Iterable[Version]) -> tuple[StateSet, ...]:
    """Return the records that versions were noticed, so that each is announced once."""
    event = context.task.event_id
    return tuple(StateSet(one.model, one.version, one.created_at, Key.NOTICED, event, once=True) for one in versions)


def take_in(context: TaskContext, version: Version) -> Outcome:
    """Tag and describe a version that was registered in MLflow, and have it tried against the first targets.

    The record decides whether that was done, so it is only called where `is_registered` is False.
    """
    run = find_run(context.registry, version.run_id)
    registrant = attribution.registrant_in_mlflow(context.policy, version, run)
    commit = version.tags.get(COMMIT) or commit_of(run)
    by = f" by {registrant}, as its {'version' if version.user else 'run'} says" if registrant else ""
    line = with_link(context, version.model, _description_line(run, commit, by))
    version = _mark(context, version, line, commit)
    newer = _overtaken_by(context, version)
    alone = f"; nothing is asked for, as version {newer} came first" if newer else ""
    outcome = registered_outcome(
        context,
        run,
        version,
        f"{version} was registered in MLflow{by}, and taken in{alone}",
        reason=f"it was registered in MLflow{by}",
        asks=newer is None,
        registered_by=f"{registrant or 'somebody'} in MLflow",
    )
    tags = [commit_record(version, commit)] if commit else []
    people = attribution.adoption_records(context, version, run)
    return replace(outcome, records=(*people, *tags, *outcome.records))


def commit_record(version: Version, commit: str) -> TagGiven:
    return TagGiven(version.model, version.version, version.created_at, COMMIT, entities.cut_tag(commit))


def _mark(context: TaskContext, version: Version, line: str, commit: str | None) -> Version:
    """Write the tags, and the line where the description has room for it. Returns the version as it is then."""
    tags = {COMMIT: entities.cut_tag(commit)} if commit else {}
    for key, value in {**tags, str(Key.EVENT): context.task.event_id}.items():
        if version.tags.get(key) != value:
            context.registry.set_tag(version.model, version.version, key, value)
    described = entities.join_description(version.description, line)
    fits = len(version.description) + len(line) < entities.MAX_DESCRIPTION
    if line in version.description or not fits:
        return context.registry.version(version.model, version.version)
    return context.registry.set_description(version.model, version.version, described)


def _description_line(run: Run | None, commit: str | None, by: str) -> str:
    source = f" from run {run.name or run.id} ({run.id})" if run else ""
    built = f" at commit {commit[:12]}" if commit else ""
    return f"registered in MLflow{source}{built}{by}; taken in by Registrar"


def _overtaken_by(context: TaskContext, version: Version) -> int | None:
    """Return a newer version that holds a target, or is asked for one: webhooks come in any order."""
    policy = context.policy.model(version.model)
    with context.ledger.read() as connection:
        open_ = [(one.target, one.version) for one in still_open(connection, model=version.model)]
        held = {kind: held_now(connection, version.model, kind) for kind in ("stage", "alias")}
    there = []
    for target in policy.targets:
        keeps = isinstance(target.approval, Approval) and target.approval.on_newer_candidate == "keep"
        kind, key = holding_key(policy, target)
        there += [holding.version for holding in held[kind] if holding.key == key]
        there += [] if keeps else [number for stage, number in open_ if stage == target.stage]
    return max((number for number in there if number > version.version), default=None)


# The model's watermark.
def load_watermark(context: EvaluationContext, model: str) -> Watermark | None:
    """Return the model's watermark; None: this is Registrar's first look at it."""
    with context.ledger.read() as connection:
        return watermark(connection, model, registry=context.registry.address)


def advance(context: EvaluationContext, version: Version, *, whole: bool = False) -> tuple[Watermark, ...]:
    """Return the record that a version was dealt with; () where the watermark has to stay for those before it.

    whole: those before it were dealt with, too. At the first look, they were there before Registrar.
    """
    mark = load_watermark(context, version.model)
    if mark is None or (version.version == 1 and not mark.covers(1, version.created_at)):
        return (watermark_of(context, version.model, [version]),)
    if version.version > mark.version and (whole or version.version == mark.version + 1):
        # made_at stays: only a look at all versions tells whether the model was made anew with others before this one.
        return (replace(mark, version=version.version),)
    return ()


def watermark_of(context: EvaluationContext, model: str, versions: Iterable[Version]) -> Watermark:
    """Return the watermark that covers these versions alone."""
    everything = list(versions)
    number = max((version.version for version in everything), default=0)
    made_at = max((version.created_at for version in everything), default=_NEVER)
    return Watermark(model, number, made_at, context.registry.address)


def numbers_before(context: EvaluationContext, version: Version) -> list[int]:
    """Return the numbers between the watermark and a version that were not dealt with: their webhooks did not come."""
    if (mark := load_watermark(context, version.model)) is None:
        return []
    with context.ledger.read() as connection:
        known = {number for number, _ in registered(connection, version.model, beyond=mark)}
    return [number for number in range(mark.version + 1, version.version) if number not in known]


def find_new(context: EvaluationContext, model: str, versions: Iterable[Version]) -> list[Version] | None:
    """Return the versions that are new to the record, oldest first; None at Registrar's first look at the model.

    versions: all that the registry has.
    """
    if (mark := load_watermark(context, model)) is None:
        return None
    with context.ledger.read() as connection:
        known = registered(connection, model, beyond=mark)
    beyond = (one for one in versions if not mark.covers(one.version, one.created_at))
    new = (one for one in beyond if (one.version, one.created_at) not in known)
    return sorted(new, key=lambda version: version.version)


def numbered(numbers: Sequence[int]) -> str:
    """Return text such as "versions 3, 4"; of many, the first and the last."""
    if len(numbers) > _MAX_NAMED:
        return f"{len(numbers)} versions from {numbers[0]} to {numbers[-1]}"
    return f"version{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}"


def by_hand_fact(version: Version) -> Fact:
    """Return the fact that a version was registered in MLflow, where the policy has that announced alone."""
    run = f" from run {version.run_id}" if version.run_id else ""
    text = f"{version} was registered by hand in MLflow{run}"
    return Fact(FactType.REGISTRY_CHANGED_BY_HAND, text, version.model, version.version, {"run_id": version.run_id})


def steps(numbers: Iterable[int]) -> tuple[FollowUp, ...]:
    """Return the tasks that take versions in, one each, so that a rollback need not wait for all of them."""
    return tuple(FollowUp("worker.adopt_version", {"version": number}) for number in numbers)
