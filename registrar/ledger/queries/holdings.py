"""A model's history: its holdings, each with the promotion behind it, its approvals and evidence."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, and_, func, or_, select

from registrar.ledger.tables import events, holders, incarnations, promotions, votes
from registrar.queries.filters import ALL, HistoryFilter
from registrar.text.wording import approved_by, ended_text

_COLUMNS = (
    "seq",
    "model",
    "kind",
    "key",
    "version",
    "since",
    "until",
    "event_id",
    "actor",
    "actor_name",
    "promotion_id",
    "until_because",
    "until_event_id",
)


@dataclass(frozen=True)
class Approval:
    """A vote that counted. why: the voter's reason."""

    actor: str
    name: str
    at: datetime
    why: str
    event_id: str


@dataclass(frozen=True)
class Holding:
    """One row of a model's history. seq: its number, in the order of writing. until None: it goes on.

    reason: that of the event that began it, if it gave one. until_because: the reason of the end, where no move ended
    it. until_event_id, until_event_type, until_by, until_reason: the event that ended it, who sent it, and the reason
    that it gave. version_created_at, run_id: those of the version in the registry; None: not known.

    approvals, gates, policy_digest and broke_glass are those of the promotion that began it, if one did. gates: the
    verdicts that approvers saw. broke_glass: one person approved it, against the rules.
    """

    seq: int
    model: str
    kind: str
    key: str
    version: int
    since: datetime
    until: datetime | None
    event_id: str
    event_type: str
    actor: str
    actor_name: str
    promotion_id: str | None = None
    approvals: tuple[Approval, ...] = ()
    gates: tuple[Mapping[str, Any], ...] = ()
    policy_digest: str | None = None
    broke_glass: bool = False
    until_because: str | None = None
    until_event_id: str | None = None
    until_event_type: str | None = None
    until_by: str | None = None
    until_reason: str | None = None
    version_created_at: datetime | None = None
    run_id: str | None = None
    reason: str | None = None

    def to_json(self) -> dict[str, Any]:
        """JSON-able but for the datetimes."""
        return {**vars(self), "approvals": [dict(vars(each)) for each in self.approvals], "gates": list(self.gates)}

    @property
    def approved_by(self) -> str | None:
        """For people; None where nobody had to."""
        return approved_by((approval.name for approval in self.approvals), self.broke_glass)

    @property
    def ended(self) -> str | None:
        """Why it ended and by whom, for people; None where it goes on, or the event is not known."""
        return ended_text(self.until_because, self.until_event_type, self.until_by, self.until_reason)


def holdings(connection: Connection, which: ColumnElement[bool]) -> list[Holding]:
    """Return holdings, oldest first. which: a condition on the table holders."""
    joined = holders.join(events, holders.c.event_id == events.c.id)
    joined = joined.outerjoin(promotions, holders.c.promotion_id == promotions.c.id)
    joined = joined.outerjoin(incarnations, holders.c.incarnation == incarnations.c.seq)
    ending = events.alias("ending")
    joined = joined.outerjoin(ending, holders.c.until_event_id == ending.c.id)
    version_columns = (incarnations.c.created_at.label("version_created_at"), incarnations.c.run_id)
    columns = (
        holders,
        events.c.type.label("event_type"),
        events.c.data["reason"].as_string().label("reason"),
        promotions.c.evidence,
        promotions.c.broke_glass,
        ending.c.type.label("until_event_type"),
        ending.c.actor_name.label("until_by"),
        ending.c.data["reason"].as_string().label("until_reason"),
        *version_columns,
    )
    query = select(*columns).select_from(joined).where(which).order_by(holders.c.seq)
    rows = connection.execute(query).mappings().all()
    approvals = _approvals(connection, {row["promotion_id"] for row in rows} - {None})
    return [_holding(row, approvals.get(row["promotion_id"], ())) for row in rows]


def _holding(row: RowMapping, approvals: Sequence[Approval]) -> Holding:
    evidence: Mapping[str, Any] = row["evidence"] or {}
    return Holding(
        **{name: row[name] for name in _COLUMNS},
        event_type=row["event_type"],
        approvals=tuple(approvals),
        gates=tuple(evidence.get("gates", ())),
        policy_digest=evidence.get("policy_digest"),
        broke_glass=bool(row["broke_glass"]),
        version_created_at=row["version_created_at"],
        run_id=row["run_id"],
        reason=row["reason"],
        until_event_type=row["until_event_type"],
        until_by=row["until_by"],
        until_reason=row["until_reason"],
    )


def _approvals(connection: Connection, promotion_ids: set[str]) -> Mapping[str, list[Approval]]:
    """Return the counted approvals by promotion id, oldest first."""
    approvals: defaultdict[str, list[Approval]] = defaultdict(list)
    if not promotion_ids:
        return approvals
    counted = and_(votes.c.promotion_id.in_(promotion_ids), votes.c.counted, votes.c.verdict == "approve")
    columns = (votes.c.promotion_id, votes.c.actor, events.c.actor_name, votes.c.at, votes.c.why, votes.c.event_id)
    joined = votes.join(events, votes.c.event_id == events.c.id)
    for id_, *approval in connection.execute(select(*columns).select_from(joined).where(counted).order_by(votes.c.seq)):
        approvals[id_].append(Approval(*approval))
    return approvals


def _within(past: HistoryFilter) -> list[ColumnElement[bool]]:
    """Return the conditions on the table holders."""
    conditions: list[ColumnElement[bool]] = []
    since, until = holders.c.since, holders.c.until
    if past.target is not None:
        kind, key = past.place or ("", "")
        conditions += [holders.c.kind == kind, holders.c.key == key]
    if past.at is not None:
        conditions += [since <= past.at, or_(until.is_(None), until > past.at)]
    if past.since is not None:
        conditions.append(or_(until.is_(None), until > past.since))
    if past.until is not None:
        conditions.append(since < past.until)
    return conditions


def history(
    connection: Connection,
    model: str,
    past: HistoryFilter = ALL,
    *,
    before: int | None = None,
    limit: int | None = None,
) -> list[Holding]:
    """Return a model's holdings in the order of writing. before: only smaller seqs; limit: only so many, the newest."""
    newest = select(holders.c.seq).where(holders.c.model == model, *_within(past))
    if before is not None:
        newest = newest.where(holders.c.seq < before)
    newest = newest.order_by(holders.c.seq.desc()).limit(limit)
    return holdings(connection, holders.c.seq.in_(newest.scalar_subquery()))


def present_holdings(connection: Connection, model: str, places: Collection[tuple[str, str]]) -> list[Holding]:
    """Return the holdings of these stages and aliases that go on, oldest first. places: (kind, key)."""
    if not places:
        return []
    any_place = or_(*(and_(holders.c.kind == kind, holders.c.key == key) for kind, key in places))
    return holdings(connection, and_(holders.c.model == model, holders.c.until.is_(None), any_place))


def count_holdings(connection: Connection, model: str) -> int:
    """Count the holdings of a model."""
    return connection.execute(select(func.count()).where(holders.c.model == model)).scalar_one()
