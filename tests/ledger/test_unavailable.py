"""What is wrong with a database, in words."""

import sqlite3

import psycopg
import pytest
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError

from registrar.ledger import unavailable
from registrar.ledger.unavailable import reason


def test_every_code_is_one_that_the_database_has():
    assert [code for code in unavailable._SQLITE if not hasattr(sqlite3, code)] == []
    for code in unavailable._POSTGRESQL:
        assert psycopg.errors.lookup(code)


@pytest.mark.parametrize(
    ("message", "why"),
    [
        ("FATAL: sorry, too many clients already", "takes no more connections"),
        (
            "FATAL: remaining connection slots are reserved for roles with the SUPERUSER attribute",
            "takes no more connections",
        ),
        ("FATAL: the database system is starting up", "is starting or stopping"),
        ("connection refused", "does not answer"),
    ],
)
def test_a_connection_that_is_refused_carries_no_code_and_is_known_by_its_words(message, why):
    assert reason(OperationalError("", {}, psycopg.OperationalError(message))) == why


def test_a_fault_of_ours_is_not_the_databases():
    assert reason(ProgrammingError("", {}, psycopg.errors.UndefinedColumn("no such column"))) is None
    assert reason(IntegrityError("", {}, sqlite3.IntegrityError("UNIQUE constraint failed"))) is None
