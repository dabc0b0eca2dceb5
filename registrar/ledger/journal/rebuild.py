"""Rebuild the rows of the tables from the journal: each is yielded once no later entry can change it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from registrar.events.states import DeploymentState
from registrar.ledger.deployments import IN_VAIN
from registrar.ledger.journal import access_rows, entry_context
from registrar.ledger.journal.append import EntryKind, canonical
from registrar.ledger.journal.chain import Damaged
from registrar.ledger.promotions import OPEN

# Columns of a promotion that an entry about it may change.
DECIDED = ("state", "reason", "decided_by", "broke_glass", "evidence", "due_at", "reminded_at", "escalated_at")
_UNDECIDED = dict.fromkeys(("decided_at", "decided_by", "reminded_at", "escalated_at"))
_PROMOTION_KEY = ("id", "model", "version", "target", "requested_by", "event_id", "created_at", "incarnation")
_PROMOTION = (*_PROMOTION_KEY, "decided_at", *DECIDED)
_HOLDING = ("model", "kind", "key", "version", "since", "until", "event_id", "actor", "actor_name", "until_event_id")
_HOLDER = (*_HOLDING, "promotion_id", "until_because", "incarnation")
_VOTE = ("promotion_id", "event_id", "actor", "verdict", "counted", "why", "at")
_REQUEST = ("target", "state", "due_at", "environment", "on_failure")  # of a deployment
_DEPLOYMENT = ("id", "model", "version", "event_id", "requested_at", "ended_at", "ended_by", *_REQUEST, "incarnation")
_STATE_FIELDS = ("key", "value", "version_created_at")  # of a version's state
_STATE = ("model", "version", *_STATE_FIELDS, "at", "event_id")
_SEEN = ("created_at", "run_id", "source", "registry")
COLUMNS = {
    "holders": _HOLDER,
    "promotions": _PROMOTION,
    "votes": _VOTE,
    "deployments": _DEPLOYMENT,
    "version_states": _STATE,
    "incarnations": ("seq", "model", "version", *_SEEN, "event_id", "at"),
    **access_rows.COLUMNS,
    **entry_context.COLUMNS,
}
# Columns that entries of earlier versions, and rows that were carried over, may lack.
OPTIONAL = {"promotions": {"due_at", "reminded_at", "escalated_at"}, **access_rows.OPTIONAL}
# Columns that identify a row, in the journal and in the table.
KEYS = {
    "holders": ("model", "kind", "key", "version", "since"),
    "promotions": ("id",),
    "votes": ("event_id", "actor", "promotion_id"),
    "deployments": ("id",),
    "version_states": ("model", "version", "key", "at"),
    "incarnations": ("model", "version", "created_at"),
    **access_rows.KEYS,
    **entry_context.KEYS,
}
# Columns that entries before schema 0011 do not have.
_BEFORE_0011 = dict.fromkeys(("incarnation", "until_because"))

Entry = Mapping[str, Any]


@dataclass(frozen=True)
class Row:
    """A row of a table. values: without columns that no entry has (OPTIONAL).

    seq: of the last entry about it; 0 where the row was read from its table.
    """

    table: str
    values: dict[str, Any]
    seq: int = 0

    def __str__(self) -> str:
        return f"{self.table} {' '.join(self.shown(name) for name in KEYS[self.table])}"

    def shown(self, column: str) -> str:
        value: Any = self.values[column]
        return value if isinstance(value, str) else canonical(value).strip('"')


@dataclass
class _OpenRows:
    """Rows that later entries may change: few, however long the journal is."""

    holders: dict[tuple[Any, ...], Row] = field(default_factory=dict)
    promotions: dict[str, Row] = field(default_factory=dict)
    deployments: dict[str, Row] = field(default_factory=dict)
    access: access_rows.AccessRows = field(default_factory=access_rows.AccessRows)


def replay(entries: Iterable[Entry], order: entry_context.EntryOrder) -> Iterator[Row]:
    """Yield rebuilt rows, and those of entry_context.py. Raises Damaged where an entry contradicts those before it."""
    open_rows = _OpenRows()
    for entry in entries:
        try:
            yield from (Row(table, values, entry["seq"]) for table, values in entry_context.context_rows(entry, order))
            yield from _apply_entry(open_rows, entry)
        except (KeyError, TypeError, AttributeError):
            raise Damaged(f"entry {entry['seq']} lacks fields of the kind {entry['kind']!r}") from None
    yield from open_rows.holders.values()
    yield from open_rows.promotions.values()
    yield from open_rows.deployments.values()
    yield from (Row(*placed) for placed in open_rows.access.open.values())


def _apply_entry(open_rows: _OpenRows, entry: Entry) -> Iterator[Row]:
    kind, fields = entry["kind"], entry["said"]
    if kind == EntryKind.HELD:
        _begin_holding(open_rows, Row("holders", _holder(entry), entry["seq"]))
    elif kind == EntryKind.RELEASED:
        yield _end_holding(open_rows, entry)
    elif kind == EntryKind.VOTE:
        yield Row("votes", {name: fields.get(name, entry.get(name)) for name in _VOTE}, entry["seq"])
    elif kind == EntryKind.VERSION_STATE:
        values = {name: fields[name] if name in _STATE_FIELDS else entry[name] for name in _STATE}
        yield Row("version_states", values, entry["seq"])
    elif kind == EntryKind.VERSION_SEEN:
        columns = {name: entry[name] for name in ("model", "version", "event_id", "at")}
        seen = {name: fields[name] for name in _SEEN}
        yield Row("incarnations", {**columns, "seq": fields["incarnation"], **seen}, entry["seq"])
    elif kind.startswith("promotion."):
        yield from _change_promotion(open_rows, entry)
    elif kind == EntryKind.DEPLOYMENT_REQUESTED:
        _request_deployment(open_rows, entry)
    elif kind == EntryKind.DEPLOYMENT_ENDED:
        yield from _end_deployment(open_rows, entry)
    elif kind == EntryKind.CARRIED_OVER:
        yield from _carried_over(open_rows, entry)
    else:
        yield from (Row(*placed) for placed in open_rows.access.apply(entry))


def _begin_holding(open_rows: _OpenRows, row: Row) -> None:
    key = tuple(row.values[name] for name in ("model", "kind", "key", "version"))
    if earlier := open_rows.holders.get(key):
        raise Damaged(
            f"entry {row.seq} says {_describe_holder(row.values)}, which entry {earlier.seq} has said already"
        )
    open_rows.holders[key] = row


def _holder(entry: Entry) -> dict[str, Any]:
    columns = {name: entry[name] for name in ("model", "version", "event_id", "actor", "actor_name")}
    holding = {name: entry["said"][name] for name in ("kind", "key", "promotion_id")}
    defaults = {**_BEFORE_0011, "incarnation": entry["said"].get("incarnation")}
    return {**columns, **holding, **defaults, "since": entry["at"], "until": None, "until_event_id": None}


def _end_holding(open_rows: _OpenRows, entry: Entry) -> Row:
    fields = entry["said"]
    held = open_rows.holders.pop((entry["model"], fields["kind"], fields["key"], entry["version"]), None)
    if held is None:
        raise Damaged(
            f"entry {entry['seq']} releases {_describe_holder({**entry, **fields})}, which no entry before it says"
        )
    ended = {"until": entry["at"], "until_event_id": entry["event_id"], "until_because": fields.get("because")}
    return Row("holders", held.values | ended, entry["seq"])


def _change_promotion(open_rows: _OpenRows, entry: Entry) -> Iterator[Row]:
    fields, seq = entry["said"], entry["seq"]
    id_ = fields["promotion_id"]
    if entry["kind"] == EntryKind.PROMOTION_OPENED:
        columns = {name: entry[name] for name in ("model", "version", "event_id")}
        request = {"id": id_, "target": fields["target"], "requested_by": fields["requested_by"]}
        request |= {"incarnation": fields.get("incarnation")}
        before = {**columns, **request, **_UNDECIDED, "created_at": entry["at"]}
    elif id_ in open_rows.promotions:
        before = open_rows.promotions[id_].values
    else:
        raise Damaged(f"entry {seq} is about promotion {id_}, which is not open by the entries before it")
    values = before | {name: fields[name] for name in DECIDED if name in fields}
    if entry["kind"] == EntryKind.PROMOTION_DECIDED:
        values["decided_at"] = entry["at"]
    yield from _keep_promotion(open_rows, Row("promotions", values, seq))


def _keep_promotion(open_rows: _OpenRows, row: Row) -> Iterator[Row]:
    """Yield a promotion that is not open any more: it does not change again."""
    if row.values["state"] in OPEN:
        open_rows.promotions[row.values["id"]] = row
    else:
        open_rows.promotions.pop(row.values["id"], None)
        yield row


def _request_deployment(open_rows: _OpenRows, entry: Entry) -> None:
    fields = entry["said"]
    columns = {name: entry[name] for name in ("model", "version", "event_id")}
    defaults = {"id": fields["deployment_id"], "requested_at": entry["at"], "ended_at": None, "ended_by": None}
    values = {
        **columns,
        **defaults,
        **{name: fields[name] for name in _REQUEST},
        "incarnation": fields.get("incarnation"),
    }
    open_rows.deployments[values["id"]] = Row("deployments", values, entry["seq"])


def _end_deployment(open_rows: _OpenRows, entry: Entry) -> Iterator[Row]:
    fields = entry["said"]
    requested = open_rows.deployments.get(fields["deployment_id"])
    if requested is None:
        raise Damaged(
            f"entry {entry['seq']} ends deployment {fields['deployment_id']}, which no entry before it asks for"
        )
    ended = {"state": fields["state"], "ended_at": entry["at"], "ended_by": entry["event_id"]}
    yield from _keep_deployment(open_rows, Row("deployments", requested.values | ended, entry["seq"]))


def _keep_deployment(open_rows: _OpenRows, row: Row) -> Iterator[Row]:
    """Yield a deployment unless it may still change: a failed or timed out one may be reported live later."""
    if row.values["state"] in (DeploymentState.REQUESTED, *IN_VAIN):
        open_rows.deployments[row.values["id"]] = row
    else:
        open_rows.deployments.pop(row.values["id"], None)
        yield row


def _carried_over(open_rows: _OpenRows, entry: Entry) -> Iterator[Row]:
    table, fields = entry["said"]["table"], entry["said"]["row"]
    optional, fields = OPTIONAL.get(table, set()), {**_BEFORE_0011, **fields}
    values = {name: fields[name] for name in COLUMNS[table] if name in fields or name not in optional}
    row = Row(table, values, entry["seq"])
    if row.table == "promotions":
        yield from _keep_promotion(open_rows, row)
    elif row.table == "holders" and row.values["until"] is None:
        _begin_holding(open_rows, row)
    elif row.table == "deployments":
        yield from _keep_deployment(open_rows, row)
    else:
        yield row


def _describe_holder(holder: Entry) -> str:
    alias = "@" if holder["kind"] == "alias" else ""
    return f"version {holder['version']} of {holder['model']} in {alias}{holder['key']}"
