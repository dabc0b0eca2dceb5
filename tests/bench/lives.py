"""A journal with a past: the life of one version, as the worker really recorded it, over and over for other versions.

The entries' texts, hashes and chain are right. Behind them are their events, and the tasks that registered a run; other
tasks, and the tables that are made of the journal, are left out.
"""

import json
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import JSON, Connection, RowMapping, Table, insert, select, text

from registrar.ledger import Ledger
from registrar.ledger.journal import stream
from registrar.ledger.journal.append import GENESIS, canonical, iso, link
from registrar.ledger.migrate import migrate
from registrar.ledger.tables import events, journal, tasks
from tests.worker.harness import ADA, CI, POLICY, WorkerHarness

REGISTRAR_YML = POLICY.replace("taxi:", '"*":').replace(
    "{rules: [{group: leads}]}", "{rules: [{group: leads}]}, deploy: {to: [log], confirm_within: 15m}"
)
_WHOLE = "whole"  # the entry's text, of which less is stored
# Between two lives, of any model.
_EVERY = timedelta(seconds=30)
_IN_ONE_COMMIT = 250  # lives
_ID = re.compile(r"(?<=(?:evt|prm|tsk|dep|msg)_)[0-9a-f]{8}(?=[0-9a-f]{24})")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00")
_NUMBER = re.compile(r'(?<="version":)\d+')


@dataclass(frozen=True)
class _Row:
    """A row of the recorded life. formats: columns with %-formats, of JSON where they are in `parsed`."""

    table: Table
    same: Mapping[str, Any]
    times: Mapping[str, datetime]
    formats: Mapping[str, str]
    parsed: frozenset[str]

    @classmethod
    def of(cls, table: Table, row: Mapping[str, Any]) -> "_Row":
        parsed = frozenset(c.name for c in table.columns if isinstance(c.type, JSON) and row[c.name] is not None)
        texts = {name: canonical(row[name]) if name in parsed else row[name] for name in row}
        return cls(
            table,
            same={name: value for name, value in texts.items() if not isinstance(value, str | datetime)},
            times={name: value for name, value in texts.items() if isinstance(value, datetime)},
            formats={name: _format(value) for name, value in texts.items() if isinstance(value, str)},
            parsed=parsed,
        )

    def again(self, number: int, words: Mapping[str, Any]) -> dict[str, Any]:
        """Return the row of life `number`, in which what is named in the formats is said by `words`."""
        texts = {name: text % words for name, text in self.formats.items()}
        later = {name: time + number * _EVERY for name, time in self.times.items()}
        row = {**self.same, **later, **texts, **{name: json.loads(texts[name]) for name in self.parsed}}
        if self.table is journal:
            row["version"] = row["version"] and row["version"] + number
        else:
            del row["seq"]
        return row


def fill_journal(ledger: Ledger, count: int, *, models: int) -> int:
    """Fill an empty ledger with at least `count` entries; return how many there are."""
    life = list(_record())
    entries = sum(row.table is journal for row in life)
    previous = GENESIS
    lives = -(-count // entries)
    for begin in range(0, lives, _IN_ONE_COMMIT):
        rows: dict[Table, list[dict[str, Any]]] = {events: [], tasks: [], journal: []}
        for number in range(begin, min(begin + _IN_ONE_COMMIT, lives)):
            words = _Words(number, seq=number * entries, model=f"model-{number % models}")
            for row in life:
                rows[row.table].append(row.again(number, words))
        for seq, entry in enumerate(rows[journal], start=begin * entries + 1):
            previous = link(previous, entry.pop(_WHOLE))
            entry |= {"seq": seq, "hash": previous}
        with ledger.write() as connection:
            if connection.dialect.name == "postgresql":  # no trigger looks at each row: the chain is right
                connection.execute(text("SET LOCAL session_replication_role = replica"))
            for table, values in rows.items():
                connection.execute(insert(table), values)
    return lives * entries


class _Words(dict[str, Any]):
    """What formats name: `id`, `model`, `seq` (one more each time), `time TEXT` and `version N`."""

    def __init__(self, number: int, *, seq: int, model: str) -> None:
        super().__init__(id=f"{number:08x}", model=model)
        self._number, self._seq = number, seq

    def __missing__(self, name: str) -> Any:
        if name == "seq":
            self._seq += 1
            return self._seq
        kind, _, text = name.partition(" ")
        said = int(text) + self._number if kind == "version" else iso(datetime.fromisoformat(text) + self._later)
        self[name] = said
        return said

    @property
    def _later(self) -> timedelta:
        return self._number * _EVERY


def _format(text: str) -> str:
    text = _ID.sub("%(id)s", text.replace("%", "%%"))
    text = _TIME.sub(lambda found: f"%(time {found[0]})s", text)
    text = _NUMBER.sub(lambda found: f"%(version {found[0]})d", text)
    text = re.sub(r'(?<="seq":)\d+', "%(seq)d", text)
    return "%(model)s" if text == "taxi" else text.replace('"taxi"', '"%(model)s"')


def _record() -> Iterator[_Row]:
    """The life of a version that took the place of another one."""
    with tempfile.TemporaryDirectory() as name, closing(Ledger(f"sqlite:///{name}/ledger.db")) as ledger:
        migrate(ledger)
        harness = WorkerHarness(ledger, Path(name), policy=REGISTRAR_YML)
        _live(harness, version=1)
        with ledger.read() as connection:
            before = len(connection.execute(select(journal.c.seq)).all())
        _live(harness, version=2)
        with ledger.read() as connection:
            stored = connection.execute(select(journal).where(journal.c.seq > before)).mappings()
            whole = {entry["seq"]: entry["body"] for entry in stream.entries(connection)}
            entries = [{**row, _WHOLE: whole[row["seq"]]} for row in stored]
            ids = {entry["event_id"] for entry in entries}
            yield from (_Row.of(events, row) for row in _rows(connection, events, ids))
            yield from (
                _Row.of(tasks, row) for row in _rows(connection, tasks, ids) if row["name"] == "worker.register"
            )
    yield from (_Row.of(journal, entry) for entry in entries)


def _rows(connection: Connection, table: Table, ids: set[str]) -> list[RowMapping]:
    column = table.c.id if table is events else table.c.event_id
    return list(connection.execute(select(table).where(column.in_(ids)).order_by(table.c.seq)).mappings())


def _live(harness: WorkerHarness, *, version: int) -> None:
    harness.registry.trained(f"r{version}", rmse=6.0 - version)
    harness.registry.files[f"models/taxi/{version}"] = {"MLmodel": b"flavors: {}\n"}
    harness.post("training_run.finished", model="taxi", run_id=f"r{version}")
    harness.later(hours=2)
    harness.post("promotion.approve", by=ADA, model="taxi", version=version)
    harness.post("deployment.succeeded", by=CI, model="taxi", version=version, environment="prod")
