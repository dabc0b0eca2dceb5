"""A ledger with a past of main jobs: one that the worker really did, with all its rows, copied as often as wanted.

An event, its tasks, journal entries, holdings, promotion, states and incarnation are what the code of today writes for
a training run that is registered and moved to an automatic first target, with people told of each step. Copies have
ids, versions and times of their own, and the journal's chain is a right one: `audit verify` finds nothing.
"""

import hashlib
import json
import re
import tempfile
import uuid
from collections import deque
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, insert, select, text

from registrar.ledger import Ledger, tables
from registrar.ledger.archive_rows import from_json, to_json
from registrar.ledger.journal.append import BODY_COLUMNS, GENESIS, canonical, event_digest, link
from registrar.ledger.migrate import migrate
from tests.worker.harness import WorkerHarness

POLICY = """
version: 1
sources:
  ci: {kind: standard, secrets: [env:CI]}
models:
  taxi:
    targets:
      - {stage: Staging, alias: challenger, gates: [{metric: rmse, op: "<", threshold: 7}], approval: automatic}
channels:
  log: {kind: log}
notify:
  - {outcomes: ["*"], to: [log]}
"""
# The version of the event that is copied: a number that nothing else in its rows is.
_VERSION = 61
_COPIED: tuple[Table, ...] = (
    tables.events,
    tables.incarnations,
    tables.promotions,
    tables.tasks,
    tables.holders,
    tables.version_states,
    tables.journal,
)
_OF_A_VERSION = ("journal", "holders", "version_states")
_TIME = r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?\+00:00"
_AT_ONCE = 500  # events of one transaction
_FAST = {"postgresql": "SET LOCAL synchronous_commit = off", "sqlite": "PRAGMA cache_size=-400000"}


class Template:
    """The rows of one event as text, cut where copies differ: ids, versions and times."""

    def __init__(self, folder: Path) -> None:
        ledger = Ledger(f"sqlite:///{folder}/template.db")
        migrate(ledger)
        harness = WorkerHarness(ledger, folder, policy=POLICY)
        ids = [self._train(harness) for _ in range(_VERSION + 1)]
        with ledger.read() as connection:
            rows = {table.name: _rows_of(connection, table, ids[-2]) for table in _COPIED}
            self._next = ids[-1]
        ledger.close()
        self._begin = datetime.fromisoformat(rows["events"][0]["accepted_at"])
        for entry in rows["journal"]:
            entry["body"] = json.loads(entry["body"])
        self.tasks, self.entries = len(rows["tasks"]), len(rows["journal"])
        own = {value for table in rows.values() for row in table for value in row.values() if _is_id(value)}
        own |= {rows["events"][0]["delivery_id"], rows["events"][0]["data"]["run_id"]}
        pattern = "|".join([*map(re.escape, sorted(own, key=len, reverse=True)), rf"\b{_VERSION}\b"])
        pattern = f"({pattern}|\\b{_VERSION - 1}\\b|{_TIME})"
        # Odd pieces differ from copy to copy.
        self._pieces = re.split(pattern, json.dumps(rows))

    @staticmethod
    def _train(harness: WorkerHarness) -> str:
        run_id = uuid.uuid4().hex
        harness.registry.trained(run_id, "model", rmse=2.5)
        tags = {"git_sha": uuid.uuid4().hex, "pipeline": "nightly"}
        return harness.post("training_run.finished", model="taxi", run_id=run_id, tags=tags)

    def copy(self, number: int, at: datetime, *, models: int) -> dict[str, list[dict[str, Any]]]:
        """Return the rows of the event `number` (1, 2 ...), by table. The version and incarnation have that number."""
        pieces = list(self._pieces)
        for place in range(1, len(pieces), 2):
            pieces[place] = self._own(pieces[place], number, at, models)
        rows: dict[str, list[dict[str, Any]]] = json.loads(
            "".join(pieces).replace('"taxi"', f'"model-{number % models}"')
        )
        rows["events"][0]["model"] = f"model-{number % models}"
        return rows

    def _own(self, piece: str, number: int, at: datetime, models: int) -> str:
        if piece == str(_VERSION):
            return str(number)
        if piece == str(_VERSION - 1):
            return str(number - models)
        if re.fullmatch(_TIME, piece):
            then = datetime.fromisoformat(piece)
            moved = then - self._begin + at if abs(then - self._begin) < timedelta(hours=1) else then
            return moved.isoformat(timespec="microseconds")
        if piece == self._next:
            return _id(ids_of(number + models), self._pieces_id)
        return _id(ids_of(number), piece)

    @property
    def _pieces_id(self) -> str:
        return "evt_"


def ids_of(number: int) -> str:
    return f"{number:08x}"


def _id(number: str, piece: str) -> str:
    """Return an id of the same kind and length for an event. An event's begins with a growing number, as real ones."""
    kind, _, rest = piece.rpartition("_")
    if kind == "evt":
        return f"evt_{number}{hashlib.sha256(number.encode()).hexdigest()[:24]}"
    digest = hashlib.sha256(f"{number}{piece}".encode()).hexdigest()
    return f"{kind}_{digest[: len(rest)]}" if kind else digest[: len(rest)]


def _is_id(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(r"(evt|tsk|prm)_[0-9a-f]+", value) is not None


def _rows_of(connection: Connection, table: Table, event_id: str) -> list[dict[str, Any]]:
    key = table.c.id if table is tables.events else table.c.event_id
    rows = connection.execute(select(table).where(key == event_id).order_by(table.c[_order(table)])).mappings()
    return [to_json(row) for row in rows]


def _order(table: Table) -> str:
    return "seq" if "seq" in table.c else "id"


def fill(ledger: Ledger, count: int, *, models: int, until: datetime, days: float) -> Template:
    """Write `count` events, evenly over the `days` before a time, into an empty ledger."""
    with tempfile.TemporaryDirectory() as folder:
        template = Template(Path(folder))
    copies = _copies(template, count, models=models, until=until, days=days)
    # Holdings are written when the event that ended them is there.
    ending: deque[list[dict[str, Any]]] = deque()
    while batch := list(islice(copies, _AT_ONCE)):
        ending.extend(event.pop("holders") for event in batch)
        last = batch[-1]["events"][0]["seq"] == count
        ended = [ending.popleft() for _ in range(len(ending) if last else len(ending) - models)]
        with ledger.write() as connection:
            connection.execute(text(_FAST[connection.dialect.name]))
            for table in _COPIED:
                written = ended if table is tables.holders else [event[table.name] for event in batch]
                if rows := [from_json(table, row) for of_event in written for row in of_event]:
                    connection.execute(insert(table), rows)
    _number_from_here(ledger)
    return template


def _number_from_here(ledger: Ledger) -> None:
    """Let PostgreSQL number new rows after those that were written with their numbers; SQLite does so by itself."""
    if ledger.engine.dialect.name == "postgresql":
        with ledger.write() as connection:
            for table in (tables.events, tables.incarnations, tables.tasks, tables.holders, tables.version_states):
                sequence = f"pg_get_serial_sequence('{table.name}', 'seq')"
                connection.execute(text(f"SELECT setval({sequence}, (SELECT max(seq) FROM {table.name}))"))  # noqa: S608 (names of our own)


def _copies(
    template: Template, count: int, *, models: int, until: datetime, days: float
) -> Iterator[dict[str, list[dict[str, Any]]]]:
    """Yield the rows of each event. Holdings of each model's last event are still open."""
    begin, apart, previous, seq = until - timedelta(days=days), timedelta(days=days) / count, GENESIS, 0
    for number in range(1, count + 1):
        at = begin + (number - 1) * apart
        rows = template.copy(number, at, models=models)
        released = _released(rows)
        if number <= models:  # nobody was there before it
            rows |= {name: [row for row in rows[name] if row["version"] == number] for name in _OF_A_VERSION}
        rows["events"][0]["seq"] = rows["incarnations"][0]["seq"] = number
        for entry in rows["journal"]:
            seq += 1
            previous = _chain(entry, from_json(tables.events, rows["events"][0]), seq, previous)
        for name in ("tasks", "holders", "version_states"):
            for place, row in enumerate(rows[name], start=1):
                row["seq"] = (number - 1) * len(rows[name]) + place
        for row in rows["tasks"]:
            row["event_seq"] = number
        _end_holdings(rows, models * apart if number + models <= count else None, released)
        yield rows


def _chain(entry: dict[str, Any], event: dict[str, Any], seq: int, previous: str) -> str:
    """Make it the journal's next entry, stored as its template was. Returns its hash."""
    entry["seq"], body, digest = seq, entry["body"], {"event_sha256": event_digest(event)}
    columns = {name: entry[name] for name in BODY_COLUMNS} | {"body_sha256": event["body_sha256"]}
    whole = canonical({**columns, "said": body["said"], **digest})
    shortened = {**body, **{name: value for name, value in digest.items() if name in body}}
    entry["body"] = whole if "seq" in body else canonical(shortened)
    entry["previous"], entry["hash"] = entry["previous"] and previous, link(previous, whole)
    return str(entry["hash"])


def _released(rows: dict[str, list[dict[str, Any]]]) -> dict[tuple[str, str], datetime]:
    """Return when the event ended what its model's version before it held, by kind and key."""
    said = [(entry["body"]["said"], entry["at"]) for entry in rows["journal"] if entry["kind"] == "released"]
    return {(fields["kind"], fields["key"]): datetime.fromisoformat(at) for fields, at in said}


def _end_holdings(
    rows: dict[str, list[dict[str, Any]]], apart: timedelta | None, released: dict[tuple[str, str], datetime]
) -> None:
    """Let holdings end as the model's next event, so much later, ends them; None: there is no next one."""
    for row in rows["holders"]:
        if row["until"] is None:
            continue
        if apart is None:
            row |= {"until": None, "until_event_id": None}
        else:
            row["until"] = (released[row["kind"], row["key"]] + apart).isoformat(timespec="microseconds")
