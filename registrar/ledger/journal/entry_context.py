"""What entries say beside the rows that they change: which event is behind each, and in what order rows were written.

The order counts where the newest row counts: among a model's holdings, and among the states of a kind. Of what was
carried over it is not known.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from registrar.ledger.journal.append import EntryKind

EVENTS = "events"
PLACE = "place of "  # begins the name of such rows, before the table's
_EVENT = ("event_type", "source", "actor", "actor_name", "body_sha256")
_WHICH = {  # of a table whose order counts: what says which row it is
    "holders": ("model", "kind", "key", "version", "since", "event_id"),
    "version_states": ("model", "key", "version", "at", "event_id"),
}
_WITHIN = {"holders": ("model",), "version_states": ("model", "key")}
COLUMNS = {EVENTS: ("id", *_EVENT, "sha256"), **{PLACE + name: (*which, "nth") for name, which in _WHICH.items()}}
KEYS = {EVENTS: ("id",), **{PLACE + name: (*within, "nth") for name, within in _WITHIN.items()}}

_Said = tuple[str, dict[str, Any]]


@dataclass
class EntryOrder:
    """Counts rows where their order counts, in memory by model. carried: how many of them were carried over."""

    carried: Counter[tuple[Any, ...]] = field(default_factory=Counter)
    written: Counter[tuple[Any, ...]] = field(default_factory=Counter)

    def place(self, table: str, row: Mapping[str, Any]) -> Iterator[_Said]:
        """Of the next row that was written, unless it is one of those that were carried over."""
        if table not in _WHICH:
            return
        within = (table, *(row[name] for name in _WITHIN[table]))
        self.written[within] += 1
        if self.written[within] > self.carried[within]:
            which = {name: row[name] for name in _WHICH[table]}
            yield PLACE + table, {**which, "nth": self.written[within]}

    def carry(self, table: str, row: Mapping[str, Any]) -> None:
        if table in _WHICH:
            self.carried[table, *(row[name] for name in _WITHIN[table])] += 1


def context_rows(entry: Mapping[str, Any], order: EntryOrder) -> Iterator[_Said]:
    """Rows of COLUMNS, as (table, values)."""
    if entry["event_id"]:
        digest = {"sha256": entry["event_sha256"]} if "event_sha256" in entry else {}
        yield EVENTS, {"id": entry["event_id"], **{name: entry[name] for name in _EVENT}, **digest}
    told = entry["said"]
    match entry["kind"]:
        case EntryKind.HELD:
            yield from order.place("holders", {**entry, **told, "kind": told["kind"], "since": entry["at"]})
        case EntryKind.VERSION_STATE:
            yield from order.place("version_states", {**entry, **told})
        case EntryKind.CARRIED_OVER:
            order.carry(told["table"], told["row"])
            list(order.place(told["table"], told["row"]))
