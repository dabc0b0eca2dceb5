"""The state of a version: the newest of a key counts, for that very version, and the journal says it too."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from registrar.ledger.version_state import Key, StateSet, current, states
from tests.ledger.chain import NOON, Scene, assert_chained, scene
from tests.ledger.test_verify import damage, verified

pytestmark = pytest.mark.both_ledgers


@pytest.fixture
def taxi(ledger) -> Scene:
    found = scene(ledger)
    found.write(state(Key.EVALUATION, "e1"), state(Key.QUARANTINED, "wrong fares"))
    return found


def state(key: Key, value: str | None, *, version: int = 1, created_at=NOON) -> StateSet:
    return StateSet("taxi", version, created_at, key, value)


def known(taxi: Scene, *, version: int = 1, created_at=NOON) -> dict[str, str]:
    with taxi.ledger.read() as connection:
        return current(states(connection, "taxi"), version, created_at)


def test_the_newest_of_a_key_counts_and_none_ends_it(taxi):
    taxi.write(state(Key.EVALUATION, "e2"), state(Key.QUARANTINED, None))
    assert known(taxi) == {"registrar.evaluation": "e2"}


def test_it_is_of_that_very_version(taxi):
    assert known(taxi, version=2) == {}
    assert known(taxi, created_at=NOON + timedelta(milliseconds=1)) == {}


def test_written_again_it_changes_nothing(taxi):
    before = taxi.entries()
    taxi.write(state(Key.EVALUATION, "e1"))
    assert taxi.entries() == before


def test_the_journal_says_it_and_what_it_does_not_say_is_found(taxi):
    assert [entry.kind for entry in taxi.entries()] == ["version.state"] * 2
    assert_chained(taxi.entries())
    verified(taxi.ledger)
    with taxi.ledger.write() as connection:
        connection.execute(text("UPDATE version_states SET value = 'e9' WHERE value = 'e1'"))
    assert damage(taxi.ledger).endswith("entry 1 says value e1; the table says value e9")
