"""What the tables must say, by the journal: each of their rows, once nothing later can change it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from registrar.events.states import DeploymentState
from registrar.ledger.deployments import IN_VAIN
from registrar.ledger.journal import entry_context
from registrar.ledger.journal.append import EntryKind, canonical
from registrar.ledger.journal.chain import Damaged
from registrar.ledger.promotions import OPEN

# Of a promotion, what an entry about it may change.
DECIDED = ("state", "reason", "decided_by", "broke_glass", "evidence", "due_at", "reminded_at", "escalated_at")
_UNDECIDED = dict.fromkeys(("decided_at", "decided_by", "reminded_at", "escalated_at"))
_OPENED = ("id", "model", "version", "target", "requested_by", "event_id", "created_at", "incarnation")
_PROMOTION = (*_OPENED, "decided_at", *DECIDED)
_HELD = ("model", "kind", "key", "version", "since", "until", "event_id", "actor", "actor_name", "until_event_id")
_HOLDER = (*_HELD, "promotion_id", "until_because", "incarnation")
_VOTE = ("promotion_id", "event_id", "actor", "verdict", "counted", "why", "at")
_ASKED = ("target", "state", "due_at", "environment", "on_failure")  # of a deployment
_DEPLOYMENT = ("id", "model", "version", "event_id", "requested_at", "ended_at", "ended_by", *_ASKED, "incarnation")
_SAID = ("key", "value", "version_created_at")  # of a version's state
_STATE = ("model", "version", *_SAID, "at", "event_id")
_TOKEN = ("name", "role", "person", "expires_at", "fingerprint")
_SEEN = ("created_at", "run_id", "source", "registry")
COLUMNS = {
    "holders": _HOLDER,
    "promotions": _PROMOTION,
    "votes": _VOTE,
    "deployments": _DEPLOYMENT,
    "version_states": _STATE,
    "incarnations": ("seq", "model", "version", *_SEEN, "event_id", "at"),
    "tokens": (*_TOKEN, "created_at", "revoked_at"),
    **entry_context.COLUMNS,
}
# Columns of which entries of earlier versions of Registrar, or what was carried over, may say nothing.
LATER = {"promotions": {"due_at", "reminded_at", "escalated_at"}, "tokens": {"fingerprint"}}
# What a row is told by, and found by in both.
KEYS = {
    "holders": ("model", "kind", "key", "version", "since"),
    "promotions": ("id",),
    "votes": ("event_id", "actor", "promotion_id"),
    "deployments": ("id",),
    "version_states": ("model", "version", "key", "at"),
    "tokens": ("name",),
    "incarnations": ("model", "version", "created_at"),
    **entry_context.KEYS,
}
# Columns that entries before schema 0011 say nothing of.
_LATER = dict.fromkeys(("incarnation", "until_because"))

Entry = Mapping[str, Any]


@dataclass(frozen=True)
class Row:
    """Of a table, and the number of the entry that said the last of it. values: without what no entry says (LATER)."""

    table: str
    values: dict[str, Any]
    seq: int

    def __str__(self) -> str:
        return f"{self.table} {' '.join(self.shown(name) for name in KEYS[self.table])}"

    def shown(self, column: str) -> str:
        value: Any = self.values[column]
        return value if isinstance(value, str) else canonical(value).strip('"')


@dataclass
class _Open:
    """What may still change: few, however long the journal is."""

    holders: dict[tuple[Any, ...], Row] = field(default_factory=dict)
    promotions: dict[str, Row] = field(default_factory=dict)
    deployments: dict[str, Row] = field(default_factory=dict)
    tokens: dict[str, Row] = field(default_factory=dict)


def replay(entries: Iterable[Entry], order: entry_context.EntryOrder) -> Iterator[Row]:
    """With the rows of beside.py. Raises Damaged where an entry can't have been written after those before it."""
    present = _Open()
    for entry in entries:
        try:
            yield from (Row(table, values, entry["seq"]) for table, values in entry_context.context_rows(entry, order))
            yield from _apply_entry(present, entry)
        except (KeyError, TypeError, AttributeError):
            raise Damaged(f"entry {entry['seq']} lacks what a {entry['kind']!r} says") from None
    yield from present.holders.values()
    yield from present.promotions.values()
    yield from present.deployments.values()
    yield from present.tokens.values()


def _apply_entry(present: _Open, entry: Entry) -> Iterator[Row]:
    kind, said = entry["kind"], entry["said"]
    if kind == EntryKind.HELD:
        _begin(present, Row("holders", _holder(entry), entry["seq"]))
    elif kind == EntryKind.RELEASED:
        yield _released(present, entry)
    elif kind == EntryKind.VOTE:
        yield Row("votes", {name: said.get(name, entry.get(name)) for name in _VOTE}, entry["seq"])
    elif kind == EntryKind.VERSION_STATE:
        yield Row(
            "version_states", {name: said[name] if name in _SAID else entry[name] for name in _STATE}, entry["seq"]
        )
    elif kind == EntryKind.VERSION_SEEN:
        told = {**{name: entry[name] for name in ("model", "version", "event_id", "at")}, "seq": said["incarnation"]}
        yield Row("incarnations", {**told, **{name: said[name] for name in _SEEN}}, entry["seq"])
    elif kind.startswith("promotion."):
        yield from _promotion(present, entry)
    elif kind == EntryKind.DEPLOYMENT_REQUESTED:
        _deployed(present, entry)
    elif kind == EntryKind.DEPLOYMENT_ENDED:
        yield from _end_deployment(present, entry)
    elif kind == EntryKind.TOKEN_CREATED:
        values = {name: said[name] for name in _TOKEN if name in said or name not in LATER["tokens"]}
        present.tokens[said["name"]] = Row(
            "tokens", values | {"created_at": entry["at"], "revoked_at": None}, entry["seq"]
        )
    elif kind == EntryKind.TOKEN_REVOKED:
        yield _revoked(present, entry)
    elif kind == EntryKind.CARRIED_OVER:
        yield from _carried_over(present, entry)


def _begin(present: _Open, row: Row) -> None:
    where = tuple(row.values[name] for name in ("model", "kind", "key", "version"))
    if earlier := present.holders.get(where):
        raise Damaged(
            f"entry {row.seq} says {_describe_holder(row.values)}, which entry {earlier.seq} has said already"
        )
    present.holders[where] = row


def _holder(entry: Entry) -> dict[str, Any]:
    told = {name: entry[name] for name in ("model", "version", "event_id", "actor", "actor_name")}
    what = {name: entry["said"][name] for name in ("kind", "key", "promotion_id")}
    which = {**_LATER, "incarnation": entry["said"].get("incarnation")}
    return {**told, **what, **which, "since": entry["at"], "until": None, "until_event_id": None}


def _released(present: _Open, entry: Entry) -> Row:
    said = entry["said"]
    held = present.holders.pop((entry["model"], said["kind"], said["key"], entry["version"]), None)
    if held is None:
        raise Damaged(
            f"entry {entry['seq']} releases {_describe_holder({**entry, **said})}, which no entry before it says"
        )
    ended = {"until": entry["at"], "until_event_id": entry["event_id"], "until_because": said.get("because")}
    return Row("holders", held.values | ended, entry["seq"])


def _promotion(present: _Open, entry: Entry) -> Iterator[Row]:
    said, seq = entry["said"], entry["seq"]
    id_ = said["promotion_id"]
    if entry["kind"] == EntryKind.PROMOTION_OPENED:
        told = {name: entry[name] for name in ("model", "version", "event_id")}
        asked = {"id": id_, "target": said["target"], "requested_by": said["requested_by"]}
        asked |= {"incarnation": said.get("incarnation")}
        before = {**told, **asked, **_UNDECIDED, "created_at": entry["at"]}
    elif id_ in present.promotions:
        before = present.promotions[id_].values
    else:
        raise Damaged(f"entry {seq} is about promotion {id_}, which is not open by the entries before it")
    now = before | {name: said[name] for name in DECIDED if name in said}
    if entry["kind"] == EntryKind.PROMOTION_DECIDED:
        now["decided_at"] = entry["at"]
    yield from _keep(present, Row("promotions", now, seq))


def _keep(present: _Open, row: Row) -> Iterator[Row]:
    """A promotion that is not open any more does not change again."""
    if row.values["state"] in OPEN:
        present.promotions[row.values["id"]] = row
    else:
        present.promotions.pop(row.values["id"], None)
        yield row


def _deployed(present: _Open, entry: Entry) -> None:
    said = entry["said"]
    told = {name: entry[name] for name in ("model", "version", "event_id")}
    new = {"id": said["deployment_id"], "requested_at": entry["at"], "ended_at": None, "ended_by": None}
    values = {**told, **new, **{name: said[name] for name in _ASKED}, "incarnation": said.get("incarnation")}
    present.deployments[values["id"]] = Row("deployments", values, entry["seq"])


def _end_deployment(present: _Open, entry: Entry) -> Iterator[Row]:
    said = entry["said"]
    asked = present.deployments.get(said["deployment_id"])
    if asked is None:
        raise Damaged(
            f"entry {entry['seq']} ends deployment {said['deployment_id']}, which no entry before it asks for"
        )
    ended = {"state": said["state"], "ended_at": entry["at"], "ended_by": entry["event_id"]}
    yield from _keep_deployment(present, Row("deployments", asked.values | ended, entry["seq"]))


def _keep_deployment(present: _Open, row: Row) -> Iterator[Row]:
    """What failed or timed out may be reported live later."""
    if row.values["state"] in (DeploymentState.REQUESTED, *IN_VAIN):
        present.deployments[row.values["id"]] = row
    else:
        present.deployments.pop(row.values["id"], None)
        yield row


def _revoked(present: _Open, entry: Entry) -> Row:
    name = entry["said"]["name"]
    if (made := present.tokens.pop(name, None)) is None:
        raise Damaged(f"entry {entry['seq']} revokes the token {name}, which no entry before it made")
    return Row("tokens", made.values | {"revoked_at": entry["at"]}, entry["seq"])


def _carried_over(present: _Open, entry: Entry) -> Iterator[Row]:
    table, said = entry["said"]["table"], entry["said"]["row"]
    later, said = LATER.get(table, set()), {**_LATER, **said}
    row = Row(table, {name: said[name] for name in COLUMNS[table] if name in said or name not in later}, entry["seq"])
    if row.table == "promotions":
        yield from _keep(present, row)
    elif row.table == "holders" and row.values["until"] is None:
        _begin(present, row)
    elif row.table == "deployments":
        yield from _keep_deployment(present, row)
    else:
        yield row


def _describe_holder(holder: Entry) -> str:
    alias = "@" if holder["kind"] == "alias" else ""
    return f"version {holder['version']} of {holder['model']} in {alias}{holder['key']}"
