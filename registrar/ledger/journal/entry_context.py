"""Rebuild from entries what no single row shows: the event behind each entry, and the order in which rows were written.

The order matters where the newest row counts: among a model's holdings, and among the states of a key. It is not known
for rows that were carried over.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from registrar.ledger.journal.append import EntryKind

EVENTS = "events"
POSITION = "place of "  # prefix of the table's name, for rows that say a row's position
_EVENT = ("event_type", "source", "actor", "actor_name", "body_sha256")
# The columns that identify a row, of tables whose order matters.
_IDENTITY = {
    "holders": ("model", "kind", "key", "version", "since", "event_id"),
    "version_states": ("model", "key", "version", "at", "event_id"),
}
_WITHIN = {"holders": ("model",), "version_states": ("model", "key")}
COLUMNS = {EVENTS: ("id", *_EVENT, "sha256"), **{POSITION + name: (*which, "nth") for name, which in _IDENTITY.items()}}
KEYS = {EVENTS: ("id",), **{POSITION + name: (*within, "nth") for name, within in _WITHIN.items()}}

_Row = tuple[str, dict[str, Any]]


@dataclass
class EntryOrder:
    """Count the rows of tables whose order matters, by model. carried: the number of rows that were carried over."""

    carried: Counter[tuple[Any, ...]] = field(default_factory=Counter)
    written: Counter[tuple[Any, ...]] = field(default_factory=Counter)

    def place(self, table: str, row: Mapping[str, Any]) -> Iterator[_Row]:
        """Yield the position of the next row, unless it was carried over."""
        if table not in _IDENTITY:
            return
        within = (table, *(row[name] for name in _WITHIN[table]))
        self.written[within] += 1
        if self.written[within] > self.carried[within]:
            identity = {name: row[name] for name in _IDENTITY[table]}
            yield POSITION + table, {**identity, "nth": self.written[within]}

    def carry(self, table: str, row: Mapping[str, Any]) -> None:
        if table in _IDENTITY:
            self.carried[table, *(row[name] for name in _WITHIN[table])] += 1


def context_rows(entry: Mapping[str, Any], order: EntryOrder) -> Iterator[_Row]:
    """Yield rows of COLUMNS as (table, values)."""
    if entry["event_id"]:
        digest = {"sha256": entry["event_sha256"]} if "event_sha256" in entry else {}
        yield EVENTS, {"id": entry["event_id"], **{name: entry[name] for name in _EVENT}, **digest}
    fields = entry["said"]
    match entry["kind"]:
        case EntryKind.HELD:
            yield from order.place("holders", {**entry, **fields, "since": entry["at"]})
        case EntryKind.VERSION_STATE:
            yield from order.place("version_states", {**entry, **fields})
        case EntryKind.CARRIED_OVER:
            order.carry(fields["table"], fields["row"])
            list(order.place(fields["table"], fields["row"]))
