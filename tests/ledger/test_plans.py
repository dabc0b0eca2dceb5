"""How SQLite goes about it: what is done all the time must not read all that was ever done."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import event

from registrar.ledger import tasks
from registrar.ledger.accept import Arrival, Delivery, accept_all

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
def plans(ledger) -> list[str]:
    """The plan of each statement from here on."""
    found: list[str] = []

    def explain(connection, cursor, statement, parameters, *_):
        if statement.startswith(("SELECT", "UPDATE")):
            rows = connection.connection.cursor().execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
            found.extend(row[3] for row in rows)

    event.listen(ledger.engine, "before_cursor_execute", explain)
    return found


@pytest.mark.parametrize(
    "work",
    [
        lambda connection: tasks.sweep(connection, at=NOON),
        lambda connection: tasks.claim(connection, "tsk_1", at=NOON),
        tasks.unfinished,
        lambda connection: accept_all(connection, [Arrival(Delivery("ci", id, "0" * 64), [], NOON) for id in "ab"]),
    ],
    ids=["sweep", "claim", "unfinished", "accept"],
)
def test_what_is_done_is_not_read(ledger, plans, work):
    with ledger.write() as connection:
        work(connection)
    assert plans
    assert [plan for plan in plans if plan.startswith("SCAN") and "USING INDEX" not in plan] == []
