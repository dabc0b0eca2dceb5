"""worker.observe, on registry.changed: record and announce what was changed by hand in MLflow.

MLflow does not say who changed what, and reports our own writes, too. So nothing is concluded from the message: the
registry as it is now is compared with the record. This runs in the model's lane, after the task that wrote.
"""

from dataclasses import replace

from registrar.events.facts import FactType
from registrar.events.outcome import Fact, LedgerChange, Outcome
from registrar.events.types import RegistryChanged
from registrar.ledger.own_tags import own_tags
from registrar.ledger.version_state import Key
from worker.promotions import attribution, disputes, drift
from worker.registry import entities
from worker.registry.entities import Version
from worker.registry.protocol import NotFound, find_version
from worker.task_context import TaskContext

_REGISTERED = "registrar.event"  # tag of every version that was registered here


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
    found = drift.check_alias(context, alias)
    if found and (version := context.registry.by_alias(context.model, alias)):
        disputes.check_record(context, [version])
    same = f"@{alias} of {context.model} is as the record has it; nothing to do"
    return drift.combine([found] if found else [], same)


def _version(context: TaskContext, number: int) -> Outcome:
    try:
        version = context.registry.version(context.model, number)
    except NotFound:
        return _nothing(f"{context.model} version {number} is gone again")
    if _registered_here(context, version):
        return _nothing(f"{version} was registered here")
    run = f" from run {version.run_id}" if version.run_id else ""
    told = _by_hand(context, f"{version} was registered by hand in MLflow{run}", version=number, run_id=version.run_id)
    return replace(told, records=_author(context, version))


def _author(context: TaskContext, version: Version) -> tuple[LedgerChange, ...]:
    """Return the record of the author as seen now; nothing where the run is gone."""
    try:
        return (
            attribution.first_author_record(context.ledger, version, context.registry.run(version.run_id).user)
            if version.run_id
            else ()
        )
    except NotFound:
        return ()


def _model(context: TaskContext) -> Outcome:
    """A model that was registered here has its first version from us: the task is done, or its retry comes before
    this one.
    """
    versions = context.registry.versions(context.model)
    if versions and _registered_here(context, versions[-1]):
        return _nothing(f"{context.model} was registered here")
    return _by_hand(context, f"the model {context.model} was created by hand in MLflow")


def _tag(context: TaskContext, number: int, key: str) -> Outcome:
    """Compare the tag's present value with the record; one that was restored meanwhile is no change."""
    if (version := find_version(context.registry, context.model, number)) is None:
        return _nothing(f"{context.model} version {number} is gone again")
    found, ours = version.tags.get(key), _own(context, version).get(key)
    if found == (None if ours is None else entities.cut_tag(ours)):
        return _nothing(f"the tag {key} of {version} is as the record has it")
    done = "removed" if found is None else f"set to {found!r}"
    text = f"the tag {key} of {version} was {done} by hand in MLflow"
    held = "; it stays quarantined until quarantine.lift" if key == Key.QUARANTINED and ours else ""
    return _by_hand(context, text + held, version=number, tag=key, value=found, before=ours)


def _registered_here(context: TaskContext, version: Version) -> bool:
    found = _own(context, version).get(_REGISTERED)
    return found is not None and found == version.tags.get(_REGISTERED)


def _own(context: TaskContext, version: Version) -> dict[str, str]:
    with context.ledger.read() as connection:
        return own_tags(connection, version.model, version.version, version.created_at)


def _nothing(text: str) -> Outcome:
    return Outcome(f"{text}; nothing to do")


def _by_hand(context: TaskContext, text: str, *, version: int | None = None, **details: object) -> Outcome:
    return Outcome(text, facts=(Fact(FactType.REGISTRY_CHANGED_BY_HAND, text, context.model, version, details),))
