"""Two versions of a model side by side, by the record: metrics, gates, tags, files, and people."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from registrar.events.incarnation import Incarnation
from registrar.ledger import Connection
from registrar.ledger.incarnations import made_anew_at
from registrar.ledger.queries import models
from registrar.ledger.queries.find import newest_holdings
from registrar.ledger.queries.holdings import Holding
from registrar.ledger.queries.versions import KnownVersion, is_known, present_versions
from registrar.ledger.version_state import TAG, Key
from registrar.policy import Policy
from registrar.policy.metric_directions import Verdict, directions, verdict
from registrar.queries.model_standing import ModelStanding
from registrar.queries.model_versions import VersionRow, read_rows
from registrar.queries.query_service import BadQuestion, Row, Unknown
from registrar.queries.target_cards import how_it_came
from registrar.queries.version_record import held_by, incarnation
from registrar.queries.version_view import unknown_model
from registrar.text.sanitize import is_visible, printable

LARGEST = 2**31 - 1  # of a version's number
_HOLDINGS = 100  # of a version, the newest
_MOMENT = timedelta(minutes=1)
_LONGEST = 320  # characters of a model's name


@dataclass(frozen=True)
class HeldBefore:
    """A holding of a version. name: a stage and aliases, these with an @. how: how it came there, for people."""

    name: str
    since: datetime
    until: datetime | None
    how: str


@dataclass(frozen=True)
class ComparedVersion:
    """A version as the record has it; None, or nothing, where the record lacks it.

    author: who trained it, as its run says. gates: the verdicts of its newest promotion to each target, with the
    target. model_digest, compared: of its files, and which of them the digest covers. policy_digest: of the policy
    under which it was asked for last. tags: those that events gave it. deleted: it is of a deleted model alone.
    """

    version: int
    holds: Sequence[str]
    registered_at: datetime | None
    registered_by: str | None
    author: str | None
    run_id: str | None
    commit: str | None
    source: str | None
    quarantined: str | None
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    gates: Sequence[Mapping[str, Any]]
    model_digest: str | None
    compared: str | None
    policy_digest: str | None
    held: Sequence[HeldBefore]
    deleted: bool


@dataclass(frozen=True)
class ComparedMetric:
    """verdict: b against a, where a gate of the policy says which way is better. difference: b - a, if it is finite."""

    name: str
    a: float | None
    b: float | None
    difference: float | None
    verdict: Verdict | None


@dataclass(frozen=True)
class ComparedTag:
    name: str
    a: str | None
    b: str | None


@dataclass(frozen=True)
class Comparison:
    """metrics: those of gates first, then by name."""

    model: str
    a: ComparedVersion
    b: ComparedVersion
    metrics: Sequence[ComparedMetric]
    tags: Sequence[ComparedTag]

    def same(self, name: str) -> bool | None:
        """Return whether a field of both versions has the same value; None where the record lacks one of them."""
        a, b = getattr(self.a, name), getattr(self.b, name)
        return None if a is None or b is None else a == b

    @property
    def same_files(self) -> bool | None:
        """Return whether the digests of both versions' files are equal; None where they don't cover the same files."""
        return self.same("model_digest") if self.a.compared == self.b.compared else None

    def to_json(self) -> dict[str, Any]:
        """JSON-able but for the datetimes."""
        sides = {
            name: {**vars(side), "held": [dict(vars(one)) for one in side.held]}
            for name, side in (("a", self.a), ("b", self.b))
        }
        lists = {name: [dict(vars(row)) for row in getattr(self, name)] for name in ("metrics", "tags")}
        return {"model": self.model, **sides, **lists, "same_files": self.same_files}


def compare(connection: Connection, policy: Policy, model: str, a: int, b: int) -> Row:
    """Return the comparison for QueryService. Raises Unknown, BadQuestion."""
    return read_comparison(connection, policy, model, a, b).to_json()


def read_comparison(connection: Connection, policy: Policy, model: str, a: int, b: int) -> Comparison:
    """Raises Unknown for a model or a version that the record lacks, BadQuestion for one version twice."""
    if a == b:
        raise BadQuestion("a and b must be two different versions, such as 3 and 5")
    summary = models.get_model(connection, model) if is_visible(model) and len(model) <= _LONGEST else None
    if summary is None:
        raise unknown_model(connection, model)
    for number in (a, b):
        if not (0 < number <= LARGEST and is_known(connection, model, number)):
            raise Unknown(
                f"the record knows no version {str(number)[:20]} of {printable(model)}; MLflow may have one that was "
                "registered past Registrar"
            )
    record = ModelStanding(connection, policy.model(model), model, summary["holders"])
    recreated_at = made_anew_at(connection, [model]).get(model)
    known = {one.version: one for one in present_versions(connection, model, numbers={a, b})}
    rows = read_rows(connection, record.policy, model, (a, b), known=known, recreated_at=recreated_at)
    sides = [
        _side(record, rows[number], incarnation(connection, model, number, since=recreated_at), recreated_at)
        for number in (a, b)
    ]
    return Comparison(model, sides[0], sides[1], _metrics(policy, model, *sides), _tags(*sides))


def _side(
    record: ModelStanding, row: VersionRow, made: Incarnation | None, recreated_at: datetime | None
) -> ComparedVersion:
    known: KnownVersion = row.known
    state = record.state_of(row.version)
    evidence = [request["evidence"] or {} for request in row.requests]
    newest = evidence[0] if evidence else {}
    held = newest_holdings(record.connection, record.model, version=row.version, limit=_HOLDINGS)
    return ComparedVersion(
        version=row.version,
        holds=held_by(record, row.version),
        registered_at=known.registered_at or (made.created_at if made else None),
        registered_by=known.registered_by,
        author=state.get(Key.AUTHOR) or state.get(Key.AUTHOR_SEEN) or newest.get("trained_by") or None,
        run_id=known.run_id or (made.run_id if made else None) or newest.get("run_id"),
        commit=known.commit,
        source=made.source if made else newest.get("source"),
        quarantined=row.quarantined,
        metrics=row.metrics,
        tags={key.removeprefix(TAG): value for key, value in state.items() if key.startswith(TAG)},
        gates=[{"target": request["target"], **gate} for request in row.requests for gate in _gates(request)],
        model_digest=next((one["model_digest"] for one in evidence if one.get("model_digest")), None),
        compared=next((one.get("compared") for one in evidence if one.get("model_digest")), None),
        policy_digest=newest.get("policy_digest"),
        held=_held([one for one in reversed(held) if _is_present(one, recreated_at)]),
        deleted=recreated_at is not None and row.version not in record.numbers,
    )


def _is_present(holding: Holding, recreated_at: datetime | None) -> bool:
    return recreated_at is None or (holding.version_created_at or holding.since) >= recreated_at


def _held(holdings: Sequence[Holding]) -> list[HeldBefore]:
    """Return one row for what a version got together, and lost within a moment."""
    rows: list[HeldBefore] = []
    for one in holdings:
        name, how = f"@{one.key}" if one.kind == "alias" else one.key, how_it_came(one)
        same = next((row for row in rows if (row.since, row.how) == (one.since, how) and _ended(row, one)), None)
        if same is None:
            rows.append(HeldBefore(name, one.since, one.until, how))
        else:
            rows[rows.index(same)] = replace(same, name=f"{name} {same.name}")
    return rows


def _ended(row: HeldBefore, holding: Holding) -> bool:
    """Return whether a holding ended with those of a row: the alias moves a moment before the stage."""
    if row.until is None or holding.until is None:
        return row.until is holding.until
    return abs(row.until - holding.until) < _MOMENT


def _gates(request: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    return (request["evidence"] or {}).get("gates") or ()


def _metrics(policy: Policy, model: str, a: ComparedVersion, b: ComparedVersion) -> list[ComparedMetric]:
    ways = directions(policy.model(model))
    names = dict.fromkeys(
        [*(name for name in ways if name in a.metrics or name in b.metrics), *sorted({*a.metrics, *b.metrics})]
    )
    return [_metric(name, a.metrics.get(name), b.metrics.get(name), ways) for name in names]


def _metric(name: str, a: float | None, b: float | None, ways: Mapping[str, bool]) -> ComparedMetric:
    difference = b - a if a is not None and b is not None else math.nan
    return ComparedMetric(name, a, b, difference if math.isfinite(difference) else None, verdict(name, b, a, ways))


def _tags(a: ComparedVersion, b: ComparedVersion) -> list[ComparedTag]:
    return [ComparedTag(name, a.tags.get(name), b.tags.get(name)) for name in sorted({*a.tags, *b.tags})]
