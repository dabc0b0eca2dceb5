"""Counts entries of the journal, in their order: outcomes of promotions, and how long they took.

It does no I/O: journal_reader.py gives it the entries of a page and what the ledger remembers about them, and stores
the changes.
"""

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from registrar.events.states import DeploymentState, PromotionState
from registrar.ledger.journal.append import EntryKind, canonical, iso
from registrar.ledger.journal.stream import StreamedEntry
from registrar.ledger.metrics_checkpoint import VERSION, Changes, Series, SeriesKey, Subject, SubjectKey
from registrar.policy import Policy
from registrar.policy.document import NONE, policy_of
from webhooks.monitoring.metrics.journal_families import (
    APPROVALS,
    DECISION,
    DEPLOYMENTS,
    ENTRIES,
    LEAD_TIME,
    PROMOTIONS,
    REQUESTED,
    ROLLBACK,
    VOTES,
    Family,
)

log = logging.getLogger(__name__)

PROMOTION, DEPLOYMENT = "promotion", "deployment"  # kinds of subjects, beside VERSION
# The events that move a version back: only these queue worker.rollback.
_ROLLING_BACK = frozenset({"model.rollback", "deployment.failed", "model.review"})


def subjects_of(entries: Iterable[StreamedEntry]) -> set[SubjectKey]:
    """Return the keys of what these entries are counted with, two for each at most."""
    keys: set[SubjectKey] = set()
    for entry in entries:
        if entry.kind in (EntryKind.PROMOTION_OPENED, EntryKind.PROMOTION_DECIDED):
            keys.add(_version(entry))
        for kind, field in ((PROMOTION, "promotion_id"), (DEPLOYMENT, "deployment_id")):
            if entry.kind.startswith(f"{kind}.") and isinstance(id_ := entry.said.get(field), str):
                keys.add((kind, id_))
    return keys


class JournalCounter:
    """Counts until `changes` is asked for. subjects: what is remembered about those of the entries.

    Values of subjects: a promotion has `labels` (policy and target) and the times `requested`, `asked` (people, for
    approval) and `approved`; a deployment has `labels` and `requested`; a version has `trained` and `registered`.
    """

    def __init__(self, policy: Policy, subjects: Mapping[SubjectKey, Subject]) -> None:
        self._policy = policy
        self._subjects: dict[SubjectKey, Subject] = dict(subjects)
        self._changed: set[SubjectKey] = set()
        self._counted: dict[tuple[Family, tuple[str, ...]], list[float]] = defaultdict(list)

    def count(self, entry: StreamedEntry) -> None:
        """Count the next entry. An entry about a promotion from before the journal counts by its kind alone."""
        self._count(ENTRIES, (entry.kind,))
        if handle := self._HANDLERS.get(entry.kind):
            try:
                handle(self, entry)
            except (LookupError, TypeError, ValueError, AttributeError):
                log.warning("entry %d lacks fields of the kind %r: it counts by its kind alone", entry.seq, entry.kind)

    def series(self) -> set[SeriesKey]:
        """Return the keys of what was counted."""
        return {_key(family, labels) for family, labels in self._counted}

    def changes(self, stored: Mapping[SeriesKey, Series]) -> Changes:
        """Return what must be written. stored: those of `series()` that are there already; they are changed."""
        changes = Changes()
        for (family, labels), values in self._counted.items():
            key = _key(family, labels)
            series = changes.series[key] = stored.get(key) or Series()
            for value in values:
                family.add(series, value)
        for subject in self._changed:
            if found := self._subjects.get(subject):
                changes.subjects[subject] = found
            else:
                changes.done.add(subject)
        return changes

    def _opened(self, entry: StreamedEntry) -> None:
        labels, state, at = self._labels(entry), entry.said["state"], iso(entry.at)
        self._count(REQUESTED, labels)
        self._keep(
            (PROMOTION, entry.said["promotion_id"]),
            entry,
            labels=labels,
            requested=at,
            asked=at if state == PromotionState.AWAITING_APPROVAL else None,
            approved=at if state == PromotionState.APPROVED else None,
        )
        self._remember(entry)

    def _remember(self, entry: StreamedEntry) -> None:
        """Keep when a version was trained and registered. The event that registered it made the first request too."""
        if entry.registered_at and _version(entry) not in self._subjects:
            trained = entry.occurred_at if entry.event_type == "training_run.finished" else None
            times = {"trained": iso(trained) if trained else None, "registered": iso(entry.registered_at)}
            self._keep(_version(entry), entry, **times)

    def _judged(self, entry: StreamedEntry) -> None:
        promotion, state = self._promotion(entry), entry.said["state"]
        if promotion and state == PromotionState.AWAITING_APPROVAL:
            self._keep(_id(entry), entry, **{**promotion, "asked": iso(entry.at)})
        elif promotion and state == PromotionState.APPROVED:
            self._keep(_id(entry), entry, **{**promotion, "approved": promotion.get("approved") or iso(entry.at)})

    def _ended(self, entry: StreamedEntry) -> None:
        state = entry.said["state"]
        if state == PromotionState.APPROVED:
            self._granted(entry)
        elif promotion := self._promotion(entry):
            self._drop(_id(entry))
            self._count(PROMOTIONS, (*promotion["labels"], state))
            if promotion.get("asked") and not promotion.get("approved"):
                self._answered(promotion, state, entry.at)
            if state == PromotionState.PROMOTED:
                self._arrived(promotion, entry)

    def _granted(self, entry: StreamedEntry) -> None:
        if promotion := self._promotion(entry):
            self._keep(_id(entry), entry, **{**promotion, "approved": iso(entry.at)})
            if promotion.get("asked"):
                self._answered(promotion, "broke_glass" if entry.said.get("broke_glass") else "granted", entry.at)

    def _answered(self, promotion: Mapping[str, Any], outcome: str, at: datetime) -> None:
        labels = (*promotion["labels"], outcome)
        self._count(APPROVALS, labels)
        self._count(DECISION, labels, _seconds(_time(promotion, "asked"), at))

    def _arrived(self, promotion: Mapping[str, Any], entry: StreamedEntry) -> None:
        remembered = self._subjects.get(_version(entry))
        version = remembered.value if remembered else {}
        trained, registered = _time(version, "trained"), _time(version, "registered")
        requested, approved = _time(promotion, "requested"), _time(promotion, "approved")
        legs = {
            "trained_to_registered": (trained, registered),
            "registered_to_requested": (registered, requested),
            "requested_to_decided": (requested, approved),
            "decided_to_promoted": (approved, entry.at),
            "trained_to_promoted": (trained, entry.at),
        }
        for leg, (begin, end) in legs.items():
            if begin and end:
                self._count(LEAD_TIME, (*promotion["labels"], leg), _seconds(begin, end))

    def _count_vote(self, entry: StreamedEntry) -> None:
        self._count(VOTES, (entry.said["verdict"], "yes" if entry.said["counted"] else "no"))

    def _deploy(self, entry: StreamedEntry) -> None:
        key = DEPLOYMENT, entry.said["deployment_id"]
        self._keep(key, entry, labels=self._labels(entry), requested=iso(entry.at))

    def _deployed(self, entry: StreamedEntry) -> None:
        key = DEPLOYMENT, entry.said["deployment_id"]
        if deployment := self._subjects.get(key):
            self._drop(key)
            labels = deployment.value["labels"]
            self._count(DEPLOYMENTS, (*labels, entry.said["state"]))
            if entry.said["state"] == DeploymentState.LIVE:
                seconds = _seconds(_time(deployment.value, "requested"), entry.at)
                self._count(LEAD_TIME, (*labels, "promoted_to_live"), seconds)

    def _holds(self, entry: StreamedEntry) -> None:
        """Count a rollback: a holding without a promotion, caused by one of _ROLLING_BACK."""
        if entry.event_type not in _ROLLING_BACK or entry.said["promotion_id"] or entry.model is None:
            return
        model_policy = self._policy.model(entry.model)
        kind = "alias" if model_policy.mode == "aliases" else "stage"
        for target in model_policy.targets:
            if entry.said["kind"] == kind and entry.said["key"] == (target.alias if kind == "alias" else target.stage):
                labels = policy_of(self._policy, entry.model), target.stage
                self._count(ROLLBACK, labels, _seconds(entry.accepted_at or entry.at, entry.at))

    _HANDLERS: dict[str, Callable[["JournalCounter", StreamedEntry], None]] = {
        EntryKind.PROMOTION_OPENED: _opened,
        EntryKind.PROMOTION_REEVALUATED: _judged,
        EntryKind.PROMOTION_DECIDED: _ended,
        EntryKind.VOTE: _count_vote,
        EntryKind.DEPLOYMENT_REQUESTED: _deploy,
        EntryKind.DEPLOYMENT_ENDED: _deployed,
        EntryKind.HELD: _holds,
    }

    def _labels(self, entry: StreamedEntry) -> tuple[str, str]:
        return policy_of(self._policy, entry.model), str(entry.said.get("target") or NONE)

    def _promotion(self, entry: StreamedEntry) -> Mapping[str, Any] | None:
        found = self._subjects.get(_id(entry))
        return found.value if found else None

    def _keep(self, key: SubjectKey, entry: StreamedEntry, **value: Any) -> None:
        self._subjects[key] = Subject(entry.seq, value)
        self._changed.add(key)

    def _drop(self, key: SubjectKey) -> None:
        del self._subjects[key]
        self._changed.add(key)

    def _count(self, family: Family, labels: tuple[str, ...], value: float = 1.0) -> None:
        self._counted[family, labels].append(value)


# The kinds of entries that are counted by more than their kind.
HANDLED = frozenset(JournalCounter._HANDLERS)


def _key(family: Family, labels: tuple[str, ...]) -> SeriesKey:
    return family.name, canonical(dict(zip(family.labels, map(str, labels), strict=True)))


def _id(entry: StreamedEntry) -> SubjectKey:
    return PROMOTION, entry.said["promotion_id"]


def _version(entry: StreamedEntry) -> SubjectKey:
    return VERSION, f"{entry.version}:{entry.model}"


def _time(value: Mapping[str, Any], name: str) -> datetime | None:
    """Return a time of a subject; None: not known, or not yet."""
    return datetime.fromisoformat(value[name]) if value.get(name) else None


def _seconds(begin: datetime | None, end: datetime) -> float:
    """Return seconds, at least 0: two machines' clocks may differ."""
    return max(0.0, (end - begin).total_seconds()) if begin else 0.0
