"""worker.observe, on registry.changed: record and announce changes made by hand in MLflow, take new versions in.

MLflow's message does not name an author, and reports our own writes, too. So the registry's present state is compared
with the record, and the message only says where. This runs in the model's lane, after any task of ours that wrote.
"""

from collections.abc import Sequence
from dataclasses import replace

from registrar.events.facts import FactType
from registrar.events.outcome import Fact, LedgerChange, Outcome
from registrar.events.types import RegistryChanged
from registrar.ledger.own_tags import own_tags
from registrar.ledger.version_state import Key
from worker.promotions import adoption, attribution, disputes, drift
from worker.registry import entities
from worker.registry.entities import Version
from worker.registry.protocol import find_run, find_version
from worker.task_context import TaskContext


def act(context: TaskContext) -> Outcome:
    data = context.data_as(RegistryChanged)
    if unsettled := disputes.unsettled_outcome(context):
        return unsettled
    if data.alias is not None:
        return _alias(context, data.alias)
    if data.key is not None and data.version is not None:
        return _tag(context, data.version, data.key)
    if data.version is not None:
        return _version(context, data.version)
    return _model(context)


def _alias(context: TaskContext, alias: str) -> Outcome:
    found_drift = drift.check_alias(context, alias)
    if found_drift and (version := context.registry.by_alias(context.model, alias)):
        disputes.check_record(context, [version])
    same = f"@{alias} of {context.model} is as the record has it; nothing to do"
    return drift.combine([found_drift] if found_drift else [], same)


def _version(context: TaskContext, number: int) -> Outcome:
    """Take a new version in, with those before it whose messages were lost; or only announce it."""
    context = context.with_recent_reads()
    if (version := find_version(context.registry, context.model, number)) is None:
        return _nothing(f"{context.model} version {number} is gone again")
    if adoption.is_registered(context, version):
        return replace(_nothing(f"{version} is in the record already"), records=adoption.advance(context, version))
    if adoption.is_noticed(context, version):
        return _nothing(f"{version} was noticed before")
    handled, before = adoption.advance(context, version, whole=True), adoption.numbers_before(context, version)
    match context.policy.from_mlflow(context.model):
        case "adopt":
            steps = adoption.steps([*before, number])
            return Outcome(f"{version} was registered in MLflow", follow_ups=steps, records=handled)
        case "tell":
            return _announced(context, [*_load_versions(context, before), version], handled)
        case _:
            records: tuple[LedgerChange, ...] = (*adoption.notice(context, [version]), *handled)
            return Outcome(f"{version} was registered in MLflow; the policy ignores that", records=records)


def _load_versions(context: TaskContext, numbers: Sequence[int]) -> list[Version]:
    """Return the versions of these numbers that are there, oldest first."""
    found = context.registry.versions(context.model) if numbers else []
    return sorted((one for one in found if one.version in numbers), key=lambda one: one.version)


def _announced(context: TaskContext, versions: Sequence[Version], handled: Sequence[LedgerChange]) -> Outcome:
    """Announce versions, the last of which the message is about."""
    facts = tuple(map(adoption.by_hand_fact, versions))
    records = (*_author_record(context, versions[-1]), *adoption.notice(context, versions), *handled)
    return Outcome(facts[-1].text, facts, records=records)


def _author_record(context: TaskContext, version: Version) -> tuple[LedgerChange, ...]:
    """Return the record of the author by the version's run; () where the run is gone."""
    run = find_run(context.registry, version.run_id)
    return attribution.first_author_record(context.ledger, version, run.user) if run else ()


def _model(context: TaskContext) -> Outcome:
    """Announce a model created by hand, or look out for its versions. A model that we created has its first version
    from us: in the lane, the task that created it is done before this one.
    """
    versions = context.registry.versions(context.model)
    if versions and adoption.is_registered(context, versions[-1]):
        return _nothing(f"{context.model} was registered here")
    # The model is new, so each of its versions is, too.
    first_look = adoption.load_watermark(context, context.model) is None
    handled = (adoption.watermark_of(context, context.model, []),) if first_look else ()
    if context.policy.from_mlflow(context.model) == "tell":
        return replace(_by_hand(context, f"the model {context.model} was created by hand in MLflow"), records=handled)
    return Outcome(f"the model {context.model} was created in MLflow", records=handled)


def _tag(context: TaskContext, number: int, key: str) -> Outcome:
    """Compare a tag's present value with the record; a tag that was restored meanwhile is no change."""
    if (version := find_version(context.registry, context.model, number)) is None:
        return _nothing(f"{context.model} version {number} is gone again")
    value, ours = version.tags.get(key), _our_tags(context, version).get(key)
    if value == (None if ours is None else entities.cut_tag(ours)):
        return _nothing(f"the tag {key} of {version} is as the record has it")
    done = "removed" if value is None else f"set to {value!r}"
    text = f"the tag {key} of {version} was {done} by hand in MLflow"
    held = "; it stays quarantined until quarantine.lift" if key == Key.QUARANTINED and ours else ""
    return _by_hand(context, text + held, version=number, tag=key, value=value, before=ours)


def _our_tags(context: TaskContext, version: Version) -> dict[str, str]:
    with context.ledger.read() as connection:
        return own_tags(connection, version.model, version.version, version.created_at)


def _nothing(text: str) -> Outcome:
    return Outcome(f"{text}; nothing to do")


def _by_hand(context: TaskContext, text: str, *, version: int | None = None, **details: object) -> Outcome:
    return Outcome(text, facts=(Fact(FactType.REGISTRY_CHANGED_BY_HAND, text, context.model, version, details),))
