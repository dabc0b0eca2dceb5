"""Entries are stored without what other columns and entries say, and read whole."""

import json

import pytest
from sqlalchemy import insert, select

from registrar.ledger.holders import HoldingEnded, HoldingStarted
from registrar.ledger.journal.append import GENESIS, canonical, link
from registrar.ledger.journal.stream import entries
from registrar.ledger.journal.verify import verify
from registrar.ledger.tables import journal
from registrar.ledger.votes import VoteCast
from tests.ledger.chain import Scene, assert_chained, scene

pytestmark = pytest.mark.both_ledgers


@pytest.fixture
def taxi(ledger) -> Scene:
    return scene(ledger)


def stored(taxi: Scene) -> list:
    with taxi.ledger.read() as connection:
        return list(connection.execute(select(journal).order_by(journal.c.seq)).all())


def write_two(taxi: Scene) -> None:
    taxi.write(HoldingStarted("taxi", "stage", "Staging", 1), HoldingStarted("taxi", "alias", "challenger", 1))


def test_what_columns_and_other_entries_say_is_not_stored_again(taxi):
    write_two(taxi)
    first, second = stored(taxi)
    assert (sorted(json.loads(first.body)), sorted(json.loads(second.body))) == (["event_sha256", "said"], ["said"])
    assert (first.body_sha256, second.body_sha256) == ("b" * 64, "")
    assert (first.previous, second.previous) == ("", "")


def test_an_entry_is_read_whole_also_without_those_before_it(taxi):
    write_two(taxi)
    whole = taxi.entries()
    assert_chained(whole)
    assert [row.body_sha256 for row in whole] == ["b" * 64] * 2
    digests = {json.loads(row.body)["event_sha256"] for row in whole}
    assert [len(digest) for digest in digests] == [64]
    with taxi.ledger.read() as connection:
        [second] = entries(connection, after=1)
    assert (second["previous"], second["body"]) == (whole[0].hash, whole[1].body)


def test_each_text_reads_as_it_was_hashed(taxi):
    why = 'a "quoted" word, \ud83d\ude80 and a zero: 0.1'.encode("utf-16", "surrogatepass").decode("utf-16")
    taxi.write(HoldingStarted("taxi", "stage", "Staging", 1), HoldingEnded("taxi", "stage", 1, because=why))
    assert_chained(taxi.entries())
    assert [json.loads(row.body)["said"].get("because") for row in taxi.entries()] == [None, why]


def test_whole_entries_of_an_earlier_release_are_read_as_they_are_and_the_chain_goes_on(taxi):
    """Of one event: the earlier release wrote its first entry, this one the next."""
    cause = taxi.cause()
    with taxi.ledger.write() as connection:
        HoldingStarted("taxi", "stage", "Staging", 1).apply(connection, cause)
    with taxi.ledger.read() as connection:
        [short] = entries(connection)
    with taxi.ledger.write() as connection:
        HoldingEnded("taxi", "stage", 1).apply(connection, cause)
    with taxi.ledger.read() as connection:
        [_, ended] = connection.execute(select(journal).order_by(journal.c.seq)).all()
    whole = taxi.entries()[0]
    assert (whole.body, whole.previous) == (short["body"], GENESIS)
    # As the earlier release would have stored a third one.
    said = json.loads(short["body"])["said"] | {"key": "Production"}
    columns = {**json.loads(short["body"]), "seq": 3, "said": said, "at": taxi.entries()[1].at}
    body = canonical(columns)
    old = {name: value for name, value in columns.items() if name in journal.c}
    old |= {"body": body, "previous": ended.hash, "hash": link(ended.hash, body)}
    with taxi.ledger.write() as connection:
        connection.execute(insert(journal).values(old))
    taxi.write(VoteCast(None, "approve", False, "nobody asked"))
    assert_chained(taxi.entries())
    assert taxi.entries()[2].body == body


def test_a_part_of_the_journal_proves_itself(taxi):
    write_two(taxi)
    taxi.write(HoldingEnded("taxi", "stage", 1))
    with taxi.ledger.read() as connection:
        assert verify(connection).walk.count == 3
        assert [entry["seq"] for entry in entries(connection, model="taxi", after=2)] == [3]
