"""worker.observe, on registry.changed: the record learns what was done by hand in MLflow, and people are told.

MLflow does not say who changed what, and our own writes come back too. So nothing is concluded from the message: the
registry as it is now is compared with the record. This runs in the model's lane, behind whatever wrote.
"""

from sqlalchemy import select

from registrar.ledger.tables import events
from registrar.outcome import Fact, Outcome
from registrar.vocabulary import RegistryChanged
from worker.door import NotFound
from worker.promotion import drift
from worker.work import Work

_OURS = "registrar."  # tags of ours begin so
_LOOKED_AT = 50  # newest events of the model that set tags


def act(work: Work) -> Outcome:
    data = work.data_as(RegistryChanged)
    if data.alias is not None:
        return _alias(work, data.alias)
    if data.key is not None and data.version is not None:
        return _tag(work, data.version, data.key, data.value)
    if data.version is not None:
        return _version(work, data.version)
    return _model(work)


def _alias(work: Work, alias: str) -> Outcome:
    found = drift.of_alias(work, alias)
    same = f"@{alias} of {work.model} is as the record has it; nothing to do"
    return drift.told([found] if found else [], same)


def _version(work: Work, number: int) -> Outcome:
    try:
        version = work.registry.version(work.model, number)
    except NotFound:
        return _nothing(f"{work.model} version {number} is gone again")
    if f"{_OURS}event" in version.tags:
        return _nothing(f"{version} was registered here")
    run = f" from run {version.run_id}" if version.run_id else ""
    return _told(work, f"{version} was registered by hand in MLflow{run}", version=number, run_id=version.run_id)


def _model(work: Work) -> Outcome:
    """A model of ours has its first version from us; the task that made both is done, or will try again before us."""
    versions = work.registry.versions(work.model)
    if versions and f"{_OURS}event" in versions[-1].tags:
        return _nothing(f"{work.model} was registered here")
    return _told(work, f"the model {work.model} was created by hand in MLflow")


def _tag(work: Work, number: int, key: str, value: str | None) -> Outcome:
    if key.startswith(_OURS) or (value is not None and _we_set(work, number, key, value)):
        return _nothing(f"the tag {key} of {work.model} version {number} was set here")
    done = "removed" if value is None else f"set to {value!r}"
    text = f"the tag {key} of {work.model} version {number} was {done} by hand in MLflow"
    return _told(work, text, version=number, tag=key, value=value)


def _we_set(work: Work, number: int, key: str, value: str) -> bool:
    """Whether one of the model's newest descriptions says so."""
    query = select(events.c.data).where(events.c.model == work.model, events.c.type == "model_version.describe")
    with work.ledger.read() as connection:
        found = connection.execute(query.order_by(events.c.seq.desc()).limit(_LOOKED_AT)).scalars()
        tags = [data.get("tags", {}) for data in found if data.get("version") == number]
    return any(key in each and str(each[key]).startswith(value) for each in tags)


def _nothing(text: str) -> Outcome:
    return Outcome(f"{text}; nothing to do")


def _told(work: Work, text: str, *, version: int | None = None, **details: object) -> Outcome:
    return Outcome(text, facts=(Fact(drift.FACT, text, work.model, version, details),))
