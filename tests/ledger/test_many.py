"""What `many` writes is what SQLAlchemy would have written, of as many rows as there are."""

import uuid
from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import Connection, func, insert, select
from sqlalchemy.exc import DBAPIError

from registrar.ledger.bulk_insert import MOST, Insert
from registrar.ledger.tables import events

both_ledgers = pytest.mark.both_ledgers
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
NAMES = [column.name for column in events.c if column.name not in ("seq", "archive_seq")]
NEW = Insert(events, NAMES, ending="ON CONFLICT DO NOTHING")
ODD = 'a "b" \\ \' % %s :id ?1 {x} [] \t\n é 漢 😀 \u2028 </script>'


def write(connection: Connection, rows: list[dict[str, object]]) -> int:
    return NEW.ready(rows, connection.dialect.name).run(connection)


def row(**more: object) -> dict[str, object]:
    given = {
        "id": f"evt_{uuid.uuid4().hex}",
        "source": "ci",
        "delivery_id": uuid.uuid4().hex,
        "position": 0,
        "body_sha256": "a" * 64,
        "type": "training_run.finished",
        "model": "taxi",
        "actor": "source:ci",
        "actor_name": "ci",
        "occurred_at": NOON,
        "accepted_at": NOON,
        "reply_to": None,
        "data": {"model": "taxi"},
    }
    return {**given, **more}


@both_ledgers
@pytest.mark.parametrize(
    "more",
    [
        {},
        {"model": None, "reply_to": ODD},
        {"actor": ODD, "actor_name": ODD, "data": {"text": ODD, ODD: [1, 2.5, 10**30, None, True, {"a": []}]}},
        {"model": "123", "source": "1e3", "actor": "null", "actor_name": '"x"', "data": {}},
        {"occurred_at": NOON.replace(microsecond=7), "accepted_at": datetime(1, 1, 1, tzinfo=UTC)},
        {"occurred_at": datetime(2026, 11, 22, 13, tzinfo=timezone(timedelta(hours=1))), "position": 2**31 - 1},
        {"data": {"text": "x" * 1_000_000}},
    ],
    ids=["plain", "none", "odd texts", "texts like numbers", "times", "another zone", "large"],
)
def test_each_value_is_as_sqlalchemy_writes_it(ledger, more):
    ours, theirs = row(**more), row(**more)
    with ledger.write() as connection:
        assert write(connection, [ours]) == 1
        connection.execute(insert(events).values(theirs))
    varying = {"seq", "id", "delivery_id"} - more.keys()
    kept = [column for column in events.c if column.name not in varying]
    with ledger.read() as connection:
        found = [connection.execute(select(*kept).where(events.c.id == one["id"])).one() for one in (ours, theirs)]
        raw = connection.exec_driver_sql("SELECT * FROM events ORDER BY seq").all()
    assert found[0] == found[1]
    assert [str(value) for value in raw[0]][5:] == [str(value) for value in raw[1]][5:]


@both_ledgers
@pytest.mark.parametrize("count", [0, 1, MOST - 1, MOST, MOST + 1, 3 * MOST + 5])
def test_all_rows_are_written_in_their_order(ledger, count):
    rows = [row() for _ in range(count)]
    with ledger.write() as connection:
        assert write(connection, rows) == count
    with ledger.read() as connection:
        assert list(connection.execute(select(events.c.id).order_by(events.c.seq)).scalars()) == [
            one["id"] for one in rows
        ]


@both_ledgers
def test_what_is_there_is_not_counted(ledger):
    rows = [row() for _ in range(MOST + 2)]
    with ledger.write() as connection:
        write(connection, rows[3:5])
        assert write(connection, rows) == MOST
        assert write(connection, rows) == 0
        assert connection.execute(select(func.count()).select_from(events)).scalar_one() == MOST + 2


@both_ledgers
def test_a_computed_column_goes_by_its_own_row(ledger):
    names = [name for name in NAMES if name != "actor_name"]
    doubled = Insert(events, names, computed={"actor_name": "{actor} || '/' || {id}"})
    rows = [{name: value for name, value in row(actor=f"a{n}").items() if name in names} for n in range(MOST + 1)]
    with ledger.write() as connection:
        doubled.ready(rows, connection.dialect.name).run(connection)
    with ledger.read() as connection:
        found = connection.execute(select(events.c.actor_name).order_by(events.c.seq)).scalars()
        assert list(found) == [f"{one['actor']}/{one['id']}" for one in rows]


@both_ledgers
def test_only_rows_that_meet_the_condition_are_written(ledger):
    small = Insert(events, NAMES, where="{actor} <> {actor_name} AND NOT EXISTS (SELECT 1 FROM tasks)")
    rows = [row(actor=f"a{n % 3}", actor_name="a1") for n in range(MOST + 1)]
    with ledger.write() as connection:
        assert small.ready(rows, connection.dialect.name).run(connection) == MOST + 1 - 22


@pytest.mark.parametrize("ledger_url", ["postgresql"], indirect=True)
def test_what_no_column_takes_is_refused(ledger):
    """SQLite knows no lengths."""
    for wrong in ({"source": "x" * 65}, {"actor": None}, {"actor": "\0"}):
        with pytest.raises(DBAPIError), ledger.write() as connection:
            write(connection, [row(), row(**wrong)])
    with ledger.read() as connection:
        assert connection.execute(select(func.count()).select_from(events)).scalar_one() == 0
