"""Compare every version that a task reads with the record, before the task relies on either.

The record is about one version under a number, and numbers start again in a model that is deleted and created again.
Where a task sees another version under a number, the records of the former one end first, in a commit of its own, and
the task starts again. Where that is impossible (the registry shows a version older than the record's, or another
registry is asked), an operator has to say which of the two counts; until then nothing of the model is written.
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

_MOST_ASKED = 200  # numbers asked for at once; beyond that, all records of the model are read


class VersionChanged(RetryableError):
    """A number stands for another version than before. outcome: to be recorded before the task starts again."""

    def __init__(self, message: str, outcome: Outcome | None = None) -> None:
        super().__init__(message)
        self.outcome = outcome or Outcome(message)


class VersionIdentityCheck:
    """The check of one attempt, for one model. seen: the versions so far. wrote: whether the registry was written to.

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
        self._open: dict[int, list[Open]] = {}
        self._asked: set[int] = set()
        self._compares = compares
        self._in_order = False
        self._bound = bound
        self._named = named

    def before_write(self) -> None:
        """Raises PermanentError where an operator has to say first which of the two counts."""
        if not self.wrote and (open_ := self._dispute()) and not open_.moves:
            raise PermanentError(dispute_text(self._model, open_))
        self.wrote = True

    def check(self, found: Sequence[Version]) -> None:
        """Raises VersionChanged; PermanentError for a model in dispute."""
        mine = [version.incarnation(self._inner.address) for version in found if version.model == self._model]
        for one in mine:
            before = self.seen.setdefault((one.model, one.version), one)
            if not before.same(one):
                raise VersionChanged(f"{before} was made anew meanwhile: it is now {one}")
        if not self._compares or not mine:
            return
        self._load([one.version for one in mine])
        if any(self._differs(one) for one in mine):
            self._judge({one.version: one for one in mine})
        for one in mine:
            if self._bound and one.version == self._bound[0] and one.created_at.isoformat() != self._bound[1]:
                raise PermanentError(f"this was to be done with another version of that number; now it is {one}")
            if self._named and one.version == self._named[0] and self._is_younger(one, self._named[1]):
                raise Refused(f"this was said of another version of that number; now it is {one}")

    def _is_younger(self, found: Incarnation, accepted_at: datetime) -> bool:
        """Return whether it was created after the event was accepted, under a number that another version had."""
        if found.created_at <= accepted_at:
            return False
        with self._ledger.read() as connection:
            return any(not one.same(found) for one in known(connection, found.model, version=found.version).values())

    def _load(self, numbers: Sequence[int]) -> None:
        """Load what the record says of these numbers, and of all versions that are not archived."""
        if self._asked.issuperset(numbers):
            return
        with self._ledger.read() as connection:
            found = open_records(connection, self._model, about=numbers if len(numbers) <= _MOST_ASKED else None)
        self._open.update(_by_number(found))
        self._asked.update(numbers)

    def _differs(self, found: Incarnation) -> bool:
        """Return whether the record is about another version of that number, or can't be about this model: within a
        model, versions are created in the order of their numbers.
        """
        if any(not record.is_of(found) for record in self._open.get(found.version, ())):
            return True
        return not self._in_order and any(
            (number - found.version) * (record.noted.created_at - found.created_at).total_seconds() < 0
            for number, records in self._open.items()
            for record in records
            if record.noted and record.live
        )

    def _judge(self, found: Mapping[int, Incarnation]) -> None:
        """Compare everything that the record knows. Raises VersionChanged or PermanentError where the two don't fit."""
        with self._ledger.read() as connection:
            records = open_records(connection, self._model)
        there = {**self._there(records), **found}
        others = [one for one in records if one.version in there and not one.is_of(there[one.version])]
        same = [one for one in records if one.version in there and one.is_of(there[one.version])]
        gone = [one for one in records if one.version not in there] if not same else []
        if not others and not gone:
            self._in_order = True  # the registry's servers have different clocks
            return
        if (open_ := self._dispute()) and not open_.moves:
            raise PermanentError(dispute_text(self._model, open_))
        if why := self._contradiction(others, there):
            raise dispute_error(self._model, why)
        raise _model_changed(self._model, [*others, *gone], [there[one.version] for one in others], whole=not same)

    def _there(self, records: Sequence[Open]) -> dict[int, Incarnation]:
        """Return the existing versions by number. Those that no search shows are asked for, unless archived."""
        found = {version.version: version for version in self._inner.recent(self._model).versions}
        for number in sorted({one.version for one in records if one.live} - found.keys()):
            if version := find_version(self._inner, self._model, number):
                found[number] = version
        return {number: version.incarnation(self._inner.address) for number, version in found.items()}

    def _contradiction(self, others: Sequence[Open], there: Mapping[int, Incarnation]) -> str | None:
        """Return why the model can't simply have been recreated, for people."""
        for record in others:
            found = there[record.version]
            if record.noted and record.noted.registry != found.registry:
                elsewhere = f"{record.noted}, at {record.noted.registry}"
                return f"MLflow at {found.registry} has {found}; the record knows {elsewhere}"
            if found.created_at < (record.noted.created_at if record.noted else record.since):
                known = record.noted or f"one of {record.what} since {record.since:%Y-%m-%d %H:%M} UTC"
                return f"MLflow has {found}; the record knows a later one: {known}"
        return None

    def _dispute(self) -> Dispute | None:
        with self._ledger.read() as connection:
            return dispute(connection, self._model)


class _CheckedRegistry:
    """A registry that checks versions as they are read."""

    def __init__(self, inner: Registry, check: Callable[[Sequence[Version]], None]) -> None:
        self._inner = inner
        self._check = check

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        return partial(self._called, found) if callable(found) else found

    def _called(self, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        found = call(*args, **kwargs)
        self._check(_versions(found))
        return found


def checked_registry(inner: Registry, sightings: VersionIdentityCheck) -> Registry:
    return cast("Registry", _CheckedRegistry(inner, sightings.check))


def dispute_error(model: str, why: str, *, moves: bool = False) -> VersionChanged:
    """Return the error that puts a model in dispute. why: a sentence."""
    text = dispute_text(model, why)
    return VersionChanged(
        text, Outcome(text, (Fact(FactType.REGISTRY_DISPUTED, text, model),), records=(Disputed(model, text, moves),))
    )


def dispute_text(model: str, found: Dispute | str) -> str:
    """Return the text for people. found: the dispute, whose sentence is complete, or why there is one."""
    if isinstance(found, Dispute):
        return found.why
    return (
        f"MLflow and the record of {model} don't fit together: {found}. One of them was restored, or another registry "
        f"is asked. Nothing of {model} is moved until an operator says which counts: "
        f"`registrar reconcile {model} --plan` shows what either would do"
    )


def _model_changed(model: str, ended: Sequence[Open], there: Sequence[Incarnation], *, whole: bool) -> VersionChanged:
    """there: the versions in their place. whole: the model itself was recreated."""
    now = ", ".join(sorted({str(one) for one in there})) or "none of those versions is there any more"
    what = f"{model} was made anew in MLflow" if whole else f"of {model}, a version was made anew under its number"
    because = f"{what}: {now}"
    old = "; ".join(dict.fromkeys(f"version {one.version}: {one.what}" for one in ended if one.live))
    old = old or "whom it had archived"
    text = f"{because}. What the record had of those before has ended ({old})"
    records: list[LedgerChange] = [one.end_record(model, because) for one in ended]
    records.append(Settled(model, because))
    details = {"versions": sorted({one.version for one in ended})}
    asked = [_superseded_fact(model, one, because) for one in ended if one.kind == "promotion"]
    return VersionChanged(
        text,
        Outcome(text, (Fact(FactType.REGISTRY_MADE_ANEW, text, model, None, details), *asked), records=tuple(records)),
    )


def _superseded_fact(model: str, one: Open, because: str) -> Fact:
    text = f"the promotion of {model} version {one.version} to {one.target} is superseded: {because}"
    details = {"promotion": one.key, "target": one.target}
    return Fact(FactType.PROMOTION_SUPERSEDED, text, model, one.version, details)


def _by_number(records: Sequence[Open]) -> dict[int, list[Open]]:
    found: dict[int, list[Open]] = {}
    for record in records:
        found.setdefault(record.version, []).append(record)
    return found


def _versions(found: Any) -> list[Version]:
    """Return the versions in a call's result."""
    several = found.versions if isinstance(found, Recent) else found if isinstance(found, list) else [found]
    return [one for one in several if isinstance(one, Version)]
