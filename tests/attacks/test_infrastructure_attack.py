"""What somebody with the Redis or the database password can't do."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from registrar.broker.task_message import TaskMessage
from registrar.ledger.journal.append import GENESIS, link
from registrar.ledger.journal.chain import Damaged, Head
from registrar.ledger.journal.stream import entries
from registrar.ledger.journal.verify import verify
from tests.attacks.play import entries as count
from tests.attacks.play import live, train
from tests.ledger.test_history_proof import tamper
from tests.ledger.test_verify import tampering

pytestmark = pytest.mark.edits_the_record


def test_the_redis_password_can_not_have_anything_done_that_the_ledger_does_not_have(harness):
    """A message is a task's id, and the ledger says whether and what."""
    train(harness)
    written, said = list(harness.registry.writes), count(harness)
    for verb in ("transition", "delete", "vote", "rollback"):
        harness.run(TaskMessage("tsk_made_up", f"worker.{verb}"))
    assert (harness.registry.writes, count(harness)) == (written, said)


def test_the_redis_password_can_not_have_a_task_done_twice(harness):
    harness.registry.trained("r1", rmse=5.0)
    harness.accept("training_run.finished", model="taxi", run_id="r1")
    [task_message] = harness.due()
    for _ in range(3):
        harness.run(task_message)
    harness.work()
    harness.run(task_message)
    assert [write[0] for write in harness.registry.writes].count("create_version") == 1


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE holders SET actor = 'eve', actor_name = 'Eve'",
        "UPDATE promotions SET state = 'rejected' WHERE state = 'promoted'",
        "DELETE FROM votes",
        "UPDATE events SET actor_name = 'Eve' WHERE type = 'promotion.approve'",
        "INSERT INTO tokens (name, sha256, role, created_at) SELECT 'eve', 'x', 'operator', min(at) FROM votes",
    ],
)
@pytest.mark.both_ledgers
def test_the_database_s_password_can_not_change_a_table_unseen(harness, statement):
    live(harness, "r1")
    tamper(harness.ledger, statement)
    with harness.ledger.read() as connection, pytest.raises(Damaged):
        verify(connection)


@pytest.mark.both_ledgers
def test_the_database_s_password_can_not_change_the_journal_unseen_by_a_head_that_was_noted_elsewhere(harness):
    """A whole new chain, with tables that fit it, in which Eve approved."""
    live(harness, "r1")
    with harness.ledger.read() as connection:
        written = list(entries(connection))
    noted, previous = Head(written[-1]["seq"], written[-1]["hash"]), GENESIS
    with tampering(harness.ledger) as connection:
        for entry in written:
            body = entry["body"].replace('"Ada"', '"Eve"')
            anew = {**entry, "body": body, "previous": previous, "hash": link(previous, body)}
            previous = anew["hash"]
            change = "UPDATE journal SET body = :body, body_sha256 = :body_sha256, previous = :previous, hash = :hash"
            change += " WHERE seq = :seq"
            connection.execute(text(change), anew)
        for table in ("journal", "holders", "events"):
            connection.execute(text(f"UPDATE {table} SET actor_name = 'Eve' WHERE actor_name = 'Ada'"))  # noqa: S608 (names of ours)
    with harness.ledger.read() as connection:
        assert verify(connection).walk.count == len(written)
    with harness.ledger.read() as connection, pytest.raises(Damaged, match="written anew"):
        verify(connection, expect=[noted])


@pytest.mark.both_ledgers
@pytest.mark.parametrize("statement", ["DELETE FROM journal", "UPDATE journal SET actor = 'eve'"])
def test_the_database_s_password_can_not_take_entries_out_by_an_ordinary_statement(harness, statement):
    live(harness, "r1")
    with pytest.raises(DBAPIError, match="append-only"), harness.ledger.engine.begin() as connection:
        connection.execute(text(statement))
