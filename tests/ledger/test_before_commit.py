"""What is deferred is done once, right before the commit, and not at all where the transaction fails."""

import pytest
from sqlalchemy import insert
from sqlalchemy.event import listen, remove

from registrar.ledger.before_commit import defer, flush
from registrar.ledger.disputes import Disputed
from registrar.ledger.holders import HoldingStarted
from registrar.ledger.tables import looks
from tests.ledger.chain import assert_chained, scene

pytestmark = pytest.mark.both_ledgers


def test_it_is_done_together_at_the_end_and_once(ledger):
    done: list[list[int]] = []

    def work(connection, items):
        done.append(list(items))

    with ledger.write() as connection:
        defer(connection, work, 1)
        defer(connection, work, 2)
        assert done == []
    assert done == [[1, 2]]
    with ledger.write() as connection:
        defer(connection, work, 3)
        flush(connection)
        assert done[1:] == [[3]]
    assert done[1:] == [[3]]


def test_a_transaction_that_fails_leaves_nothing_for_the_next(ledger):
    done: list[int] = []

    def fail() -> None:
        with ledger.write() as connection:
            defer(connection, lambda _, items: done.extend(items), 1)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    with ledger.write() as connection:
        flush(connection)
    assert done == []


def test_in_a_savepoint_and_in_a_transaction_of_another_kind_it_is_done_at_once(ledger):
    done: list[int] = []

    def work(connection, items):
        done.extend(items)

    with ledger.write() as connection, connection.begin_nested():
        defer(connection, work, 1)
        assert done == [1]
    with ledger.engine.begin() as connection:
        defer(connection, work, 2)
        assert done == [1, 2]


def test_the_journal_is_written_after_all_else_of_a_transaction(ledger):
    taxi, cause = scene(ledger), scene(ledger).cause()
    statements: list[str] = []

    def note(connection, cursor, statement, *rest):
        statements.append(statement)

    listen(ledger.engine, "before_cursor_execute", note)
    with ledger.write() as connection:
        for version, key in ((1, "Staging"), (2, "Production")):
            HoldingStarted("taxi", "stage", key, version).apply(connection, cause)
        connection.execute(insert(looks).values(model="taxi", at=1, held={}))
    remove(ledger.engine, "before_cursor_execute", note)
    writes = [statement.split()[2] for statement in statements if statement.startswith("INSERT")]
    assert writes == ["holders", "holders", "looks", "journal"]
    assert [row.version for row in taxi.entries()] == [1, 2]
    assert_chained(taxi.entries())


def test_a_dispute_is_said_once_also_where_one_outcome_finds_it_twice(ledger):
    taxi = scene(ledger)
    taxi.write(Disputed("taxi", "version 3 is gone"), Disputed("taxi", "version 4 is gone"))
    assert [kind for kind, _ in taxi.said()] == ["record.disputed"]
