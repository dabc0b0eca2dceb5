"""Compare every version that a task reads with the record, before the task relies on either.

Numbers start again in a model that is deleted and created again, so a number may be another version than in the record.
Then the records of the former version end first, in a commit of their own, and the task starts again. Where MLflow
shows a version older than the record's, or another registry answers, the two contradict each other: an operator has to
say which one counts, and until then nothing of the model is written.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, cast

from registrar.events.facts import FactType
from registrar.events.incarnation import Incarnation
from registrar.events.outcome import Fact, LedgerChange, Outcome
from registrar.ledger import Ledger
from registrar.ledger.disputes import Dispute, Disputed, Settled, dispute
from registrar.ledger.incarnations import known
from registrar.ledger.open_records import Open, open_records
from worker.registry.entities import Recent, Version
from worker.registry.protocol import PermanentError, Refused, Registry, RetryableError, find_version

_MAX_NUMBERS = 200  # in one query; for more, all records of the model are read


class VersionChanged(RetryableError):
    """A number is another version than before. outcome: recorded before the task starts again."""

    def __init__(self, message: str, outcome: Outcome | None = None) -> None:
        super().__init__(message)
        self.outcome = outcome or Outcome(message)


class VersionIdentityCheck:
    """The check of one attempt, for one model. seen: the versions read so far. wrote: whether the attempt wrote to the
    registry.

    compares: whether versions are compared with the record, or only noted. bound: the number of the version that the
    task is bound to, and when that version was created. named: the number that the event names, and when the event was
    accepted.
    """

    def __init__(
        self,
        ledger: Ledger,
        inner: Registry,
        model: str,
        *,
        compares: bool = True,
        bound: tuple[int, str] | None = None,
        named: tuple[int, datetime] | None = None,
    ) -> None:
        self.seen: dict[tuple[str, int], Incarnation] = {}
        self.wrote = False
        self._ledger, self._inner, self._model = ledger, inner, model
        self._records: dict[int, list[Open]] = {}  # by version number
        self._loaded: set[int] = set()
        self._compares = compares
        self._in_order = False
        self._bound = bound
        self._named = named

    def before_write(self) -> None:
        """Note a write. Raises PermanentError for a model in dispute."""
        if not self.wrote and (open_dispute := self._dispute()) and not open_dispute.moves:
            raise PermanentError(dispute_text(self._model, open_dispute))
        self.wrote = True

    def check(self, versions: Sequence[Version]) -> None:
        """Check versions as the registry returned them. Raises VersionChanged; PermanentError for a model in dispute,
        and where a number is another version than the one that the task is about.
        """
        incarnations = [one.incarnation(self._inner.address) for one in versions if one.model == self._model]
        for one in incarnations:
            before = self.seen.setdefault((one.model, one.version), one)
            if not before.same(one):
                raise VersionChanged(f"{before} was made anew meanwhile: it is now {one}")
        if not self._compares or not incarnations:
            return
        self._load([one.version for one in incarnations])
        if any(self._differs(one) for one in incarnations):
            self._compare_all({one.version: one for one in incarnations})
        for one in incarnations:
            if self._bound and one.version == self._bound[0] and one.created_at.isoformat() != self._bound[1]:
                raise PermanentError(f"this was to be done with another version of that number; now it is {one}")
            if self._named and one.version == self._named[0] and self._is_younger(one, self._named[1]):
                raise Refused(f"this was said of another version of that number; now it is {one}")

    def _is_younger(self, version: Incarnation, accepted_at: datetime) -> bool:
        """Return whether a version was created after the event was accepted, and another one had its number before."""
        if version.created_at <= accepted_at:
            return False
        with self._ledger.read() as connection:
            former = known(connection, version.model, version=version.version).values()
        return any(not one.same(version) for one in former)

    def _load(self, numbers: Sequence[int]) -> None:
        """Load the records of these numbers, and of all versions that are not archived."""
        if self._loaded.issuperset(numbers):
            return
        with self._ledger.read() as connection:
            records = open_records(connection, self._model, about=numbers if len(numbers) <= _MAX_NUMBERS else None)
        self._records.update(_by_number(records))
        self._loaded.update(numbers)

    def _differs(self, version: Incarnation) -> bool:
        """Return whether the record is about another version of that number, or about another model: within a model,
        versions are created in the order of their numbers.
        """
        if any(not record.is_of(version) for record in self._records.get(version.version, ())):
            return True
        return not self._in_order and any(
            (number - version.version) * (record.noted.created_at - version.created_at).total_seconds() < 0
            for number, records in self._records.items()
            for record in records
            if record.noted and record.live
        )

    def _compare_all(self, read: Mapping[int, Incarnation]) -> None:
        """Compare all open records of the model with the registry. Raises VersionChanged or PermanentError where they
        contradict it. read: versions just read, by number.
        """
        with self._ledger.read() as connection:
            records = open_records(connection, self._model)
        existing = {**self._existing(records), **read}
        others = [one for one in records if one.version in existing and not one.is_of(existing[one.version])]
        same = [one for one in records if one.version in existing and one.is_of(existing[one.version])]
        gone = [one for one in records if one.version not in existing] if not same else []
        if not others and not gone:
            self._in_order = True  # the registry's servers have different clocks
            return
        if (open_dispute := self._dispute()) and not open_dispute.moves:
            raise PermanentError(dispute_text(self._model, open_dispute))
        if why := self._contradiction(others, existing):
            raise dispute_error(self._model, why)
        raise _model_changed(self._model, [*others, *gone], [existing[one.version] for one in others], whole=not same)

    def _existing(self, records: Sequence[Open]) -> dict[int, Incarnation]:
        """Return the existing versions by number. Those that no search shows are read singly, unless archived."""
        versions = {version.version: version for version in self._inner.recent(self._model).versions}
        for number in sorted({one.version for one in records if one.live} - versions.keys()):
            if version := find_version(self._inner, self._model, number):
                versions[number] = version
        return {number: version.incarnation(self._inner.address) for number, version in versions.items()}

    def _contradiction(self, others: Sequence[Open], existing: Mapping[int, Incarnation]) -> str | None:
        """Return why the model can't simply have been recreated, for people; None where it can."""
        for record in others:
            version = existing[record.version]
            if record.noted and record.noted.registry != version.registry:
                elsewhere = f"{record.noted}, at {record.noted.registry}"
                return f"MLflow at {version.registry} has {version}; the record knows {elsewhere}"
            if version.created_at < (record.noted.created_at if record.noted else record.since):
                known = record.noted or f"one of {record.what} since {record.since:%Y-%m-%d %H:%M} UTC"
                return f"MLflow has {version}; the record knows a later one: {known}"
        return None

    def _dispute(self) -> Dispute | None:
        with self._ledger.read() as connection:
            return dispute(connection, self._model)


class _CheckedRegistry:
    """A registry that checks each version that a call returns."""

    def __init__(self, inner: Registry, check: Callable[[Sequence[Version]], None]) -> None:
        self._inner = inner
        self._check = check

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._inner, name)
        return partial(self._call, attribute) if callable(attribute) else attribute

    def _call(self, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        result = call(*args, **kwargs)
        self._check(_versions(result))
        return result


def checked_registry(inner: Registry, identity: VersionIdentityCheck) -> Registry:
    """Return a registry that checks each version that a call returns."""
    return cast("Registry", _CheckedRegistry(inner, identity.check))


def dispute_error(model: str, why: str, *, moves: bool = False) -> VersionChanged:
    """Return the error that puts a model in dispute. why: a sentence. moves: the model may be written to meanwhile."""
    text = dispute_text(model, why)
    fact = Fact(FactType.REGISTRY_DISPUTED, text, model)
    return VersionChanged(text, Outcome(text, (fact,), records=(Disputed(model, text, moves),)))


def dispute_text(model: str, why: Dispute | str) -> str:
    """Return the text for people. why: a recorded dispute, whose text is complete, or the reason for one."""
    if isinstance(why, Dispute):
        return why.why
    return (
        f"MLflow and the record of {model} don't fit together: {why}. One of them was restored, or another registry "
        f"is asked. Nothing of {model} is moved until an operator says which counts: "
        f"`registrar reconcile {model} --plan` shows what either would do"
    )


def _model_changed(model: str, ended: Sequence[Open], now: Sequence[Incarnation], *, whole: bool) -> VersionChanged:
    """Return the error that ends the records of replaced versions. now: the versions that replaced them. whole: the
    model itself was recreated.
    """
    present = ", ".join(sorted({str(one) for one in now})) or "none of those versions exists now"
    what = f"{model} was made anew in MLflow" if whole else f"of {model}, a version was made anew under its number"
    because = f"{what}: {present}"
    old = "; ".join(dict.fromkeys(f"version {one.version}: {one.what}" for one in ended if one.live))
    old = old or "versions that it had archived"
    text = f"{because}. What the record had of those before has ended ({old})"
    records: list[LedgerChange] = [one.end_record(model, because) for one in ended]
    records.append(Settled(model, because))
    details = {"versions": sorted({one.version for one in ended})}
    facts = [Fact(FactType.REGISTRY_MADE_ANEW, text, model, None, details)]
    facts += [_superseded_fact(model, one, because) for one in ended if one.kind == "promotion"]
    return VersionChanged(text, Outcome(text, tuple(facts), records=tuple(records)))


def _superseded_fact(model: str, one: Open, because: str) -> Fact:
    text = f"the promotion of {model} version {one.version} to {one.target} is superseded: {because}"
    details = {"promotion": one.key, "target": one.target}
    return Fact(FactType.PROMOTION_SUPERSEDED, text, model, one.version, details)


def _by_number(records: Sequence[Open]) -> dict[int, list[Open]]:
    by_number: dict[int, list[Open]] = {}
    for record in records:
        by_number.setdefault(record.version, []).append(record)
    return by_number


def _versions(result: Any) -> list[Version]:
    """Return the versions in a call's result."""
    values = result.versions if isinstance(result, Recent) else result if isinstance(result, list) else [result]
    return [value for value in values if isinstance(value, Version)]
