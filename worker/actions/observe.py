"""worker.observe, on registry.changed: the record learns what was done by hand in MLflow, and people are told.

MLflow does not say who changed what, and our own writes come back too. So nothing is concluded from the message: the
registry as it is now is compared with the record. This runs in the model's lane, behind whatever wrote.
"""

from dataclasses import replace

from registrar.events.outcome import Fact, LedgerChange, Outcome
from registrar.events.types import RegistryChanged
from registrar.ledger.own_tags import own_tags
from registrar.ledger.version_state import Key
from worker.promotions import author, disputes, drift
from worker.registry import limits
from worker.registry.protocol import NotFound, Version, present
from worker.task_context import TaskContext

_REGISTERED = "registrar.event"  # a tag that every version registered here has from the start


def act(work: TaskContext) -> Outcome:
    data = work.data_as(RegistryChanged)
    if unsettled := disputes.unsettled(work):
        return unsettled
    if data.alias is not None:
        return _alias(work, data.alias)
    if data.key is not None and data.version is not None:
        return _tag(work, data.version, data.key)
    if data.version is not None:
        return _version(work, data.version)
    return _model(work)


def _alias(work: TaskContext, alias: str) -> Outcome:
    found = drift.of_alias(work, alias)
    if found and (version := work.registry.by_alias(work.model, alias)):
        disputes.check_record(work, [version])
    same = f"@{alias} of {work.model} is as the record has it; nothing to do"
    return drift.told([found] if found else [], same)


def _version(work: TaskContext, number: int) -> Outcome:
    try:
        version = work.registry.version(work.model, number)
    except NotFound:
        return _nothing(f"{work.model} version {number} is gone again")
    if _registered_here(work, version):
        return _nothing(f"{version} was registered here")
    run = f" from run {version.run_id}" if version.run_id else ""
    told = _told(work, f"{version} was registered by hand in MLflow{run}", version=number, run_id=version.run_id)
    return replace(told, records=_author(work, version))


def _author(work: TaskContext, version: Version) -> tuple[LedgerChange, ...]:
    """Who trained it, as it is seen now; nothing where its run is gone."""
    try:
        return author.seen(work.ledger, version, work.registry.run(version.run_id).user) if version.run_id else ()
    except NotFound:
        return ()


def _model(work: TaskContext) -> Outcome:
    """A model of ours has its first version from us; the task that made both is done, or will try again before us."""
    versions = work.registry.versions(work.model)
    if versions and _registered_here(work, versions[-1]):
        return _nothing(f"{work.model} was registered here")
    return _told(work, f"the model {work.model} was created by hand in MLflow")


def _tag(work: TaskContext, number: int, key: str) -> Outcome:
    """What it is now, against the record; what has been put right again meanwhile is nothing."""
    if (version := present(work.registry, work.model, number)) is None:
        return _nothing(f"{work.model} version {number} is gone again")
    found, ours = version.tags.get(key), _own(work, version).get(key)
    if found == (None if ours is None else limits.cut(ours)):
        return _nothing(f"the tag {key} of {version} is as the record has it")
    done = "removed" if found is None else f"set to {found!r}"
    text = f"the tag {key} of {version} was {done} by hand in MLflow"
    held = "; it stays quarantined until quarantine.lift" if key == Key.QUARANTINED and ours else ""
    return _told(work, text + held, version=number, tag=key, value=found, before=ours)


def _registered_here(work: TaskContext, version: Version) -> bool:
    found = _own(work, version).get(_REGISTERED)
    return found is not None and found == version.tags.get(_REGISTERED)


def _own(work: TaskContext, version: Version) -> dict[str, str]:
    with work.ledger.read() as connection:
        return own_tags(connection, version.model, version.version, version.created_at)


def _nothing(text: str) -> Outcome:
    return Outcome(f"{text}; nothing to do")


def _told(work: TaskContext, text: str, *, version: int | None = None, **details: object) -> Outcome:
    return Outcome(text, facts=(Fact(drift.FACT, text, work.model, version, details),))
