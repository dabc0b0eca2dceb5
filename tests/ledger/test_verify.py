"""What was changed behind the journal's back is found, and said where; what was not is intact."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, text, update
from sqlalchemy.exc import IntegrityError

from registrar.events.event import Actor
from registrar.events.outcome import LedgerChange
from registrar.ledger import Ledger, tokens
from registrar.ledger.deployments import DeploymentEnded, DeploymentRequested
from registrar.ledger.holders import HoldingEnded, HoldingStarted
from registrar.ledger.journal.append import GENESIS, link
from registrar.ledger.journal.chain import Damaged, Head
from registrar.ledger.journal.verify import verify
from registrar.ledger.promotions import PromotionRequested, PromotionStateChanged, Reevaluated, ReminderSent
from registrar.ledger.tables import journal
from registrar.ledger.votes import VoteCast
from tests.ledger.chain import EVIDENCE, NOON, Scene, scene
from tests.ledger.test_migrations import empty, migrated  # noqa: F401 (a fixture)

pytestmark = pytest.mark.both_ledgers


@pytest.fixture
def taxi(ledger) -> Scene:
    """Eleven entries: version 2 took Production from version 1, approved; a third waits."""
    found = scene(ledger)
    found.write(PromotionRequested("taxi", 1, "Production", EVIDENCE, id="prm_1", state="approved"), actor="ci")
    found.write(
        HoldingStarted("taxi", "stage", "Production", 1, promotion="prm_1"), PromotionStateChanged("prm_1", "promoted")
    )
    found.write(PromotionRequested("taxi", 2, "Production", EVIDENCE, id="prm_2"))
    found.write(VoteCast("prm_2", "approve", True, "fine"), PromotionStateChanged("prm_2", "approved"), actor="bob")
    found.write(
        HoldingStarted("taxi", "stage", "Production", 2, alone=True, promotion="prm_2"),
        PromotionStateChanged("prm_2", "promoted"),
    )
    found.write(
        PromotionRequested("taxi", 3, "Production", EVIDENCE, id="prm_3"), VoteCast(None, "reject", False, "on nothing")
    )
    return found


@contextmanager
def tampering(ledger: Ledger) -> Iterator[Connection]:
    """As an administrator can: with the triggers out of the way."""
    with ledger.engine.begin() as connection:
        if ledger.engine.dialect.name == "sqlite":
            for name in ("update", "delete", "insert"):
                connection.execute(text(f"DROP TRIGGER journal_{name}"))
        else:
            connection.execute(text("ALTER TABLE journal DISABLE TRIGGER USER"))
        yield connection


def verified(ledger: Ledger, *expect: Head) -> tuple[int, Head]:
    with ledger.read() as connection:
        walk = verify(connection, expect=expect).walk
    return walk.count, walk.head


def damage(ledger: Ledger, *expect: Head) -> str:
    with pytest.raises(Damaged) as raised:
        verified(ledger, *expect)
    assert raised.value.exit_code == 2
    return str(raised.value)


def head(taxi: Scene) -> Head:
    newest = taxi.entries()[-1]
    return Head(newest.seq, newest.hash)


def test_what_nobody_touched_is_intact(taxi):
    assert verified(taxi.ledger, Head(3, taxi.entries()[2].hash)) == (11, head(taxi))


def test_an_empty_journal_is_intact(ledger):
    assert verified(ledger) == (0, Head(0, GENESIS))


def test_what_a_migration_carried_over_is_intact_and_goes_on(empty):  # noqa: F811
    taxi = scene(migrated(empty))
    taxi.write(
        HoldingStarted("taxi", "alias", "champion", 3, alone=True),
        PromotionStateChanged("prm_b", "rejected"),
        DeploymentEnded("dep_1", "live"),
    )
    assert verified(taxi.ledger)[0] == 13


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE journal SET body = replace(body, 'fine', 'bad') WHERE seq = 5", "entry 5 was altered: its hash"),
        ("UPDATE journal SET body = 'no JSON' WHERE seq = 5", "entry 5 was altered: its hash"),
        ("UPDATE journal SET body = '7' WHERE seq = 5", "entry 5 was altered: its hash"),
        ("UPDATE journal SET actor = 'eve' WHERE seq = 5", "entry 5 was altered: its hash"),
        ("UPDATE journal SET body_sha256 = 'x' WHERE seq = 5", "entry 5 was altered: its hash"),
        ("UPDATE journal SET at = '2026-11-01 12:00:00.000000+00:00' WHERE seq = 5", "entry 5 was altered: its hash"),
        ("UPDATE journal SET hash = previous WHERE seq = 5", "entry 5 was altered: its hash"),
        ("UPDATE journal SET previous = hash WHERE seq = 5", "entry 5 does not follow entry 4"),
        ("DELETE FROM journal WHERE seq = 5", "entry 5 is missing"),
        ("DELETE FROM journal WHERE seq <= 4", "entries 1 to 4 are missing"),
        ("DELETE FROM journal WHERE seq > 9", "promotions prm_3: the table has it, no entry says it"),
        ("DELETE FROM journal", "promotions prm_1: the table has it, no entry says it"),
    ],
)
def test_a_tampered_chain_is_found_where_it_is_broken(taxi, statement, said):
    with tampering(taxi.ledger) as connection:
        connection.execute(text(statement))
    assert said in damage(taxi.ledger)


def test_two_entries_that_changed_places_are_found(taxi):
    with tampering(taxi.ledger) as connection:
        for seq, to in ((5, 99), (6, 5), (99, 6)):
            connection.execute(text("UPDATE journal SET seq = :to WHERE seq = :seq"), {"seq": seq, "to": to})
    assert damage(taxi.ledger) == "entry 5 was altered: its hash is not that of its text"


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE holders SET version = 9 WHERE version = 2", "entry 8 says it, the table does not have it"),
        ("UPDATE holders SET actor = 'eve' WHERE version = 1", "entry 7 says actor ada; the table says actor eve"),
        ("UPDATE holders SET until = NULL WHERE version = 1", "the table says until null"),
        ("UPDATE holders SET promotion_id = 'prm_3' WHERE version = 2", "entry 8 says promotion_id prm_2"),
        ("DELETE FROM holders WHERE version = 1", "holders taxi stage Production 1"),
        ("UPDATE promotions SET state = 'rejected' WHERE id = 'prm_2'", "entry 9 says state promoted; the table"),
        ("UPDATE promotions SET evidence = '{}' WHERE id = 'prm_3'", "promotions prm_3: entry 10 says evidence"),
        ("UPDATE votes SET counted = true WHERE promotion_id IS NULL", "entry 11 says counted false; the table says"),
        ("UPDATE votes SET actor = 'eve' WHERE counted", "the table has it, no entry says it"),
        ("INSERT INTO votes (promotion_id, event_id, actor, verdict, counted, why, at)"
         " SELECT promotion_id, event_id, actor, verdict, counted, why, at FROM votes",
         "the table has it, no entry says it"),
    ],
)  # fmt: skip
def test_a_table_that_was_edited_is_found_with_the_entry_that_says_otherwise(taxi, statement, said):
    with taxi.ledger.engine.begin() as connection:
        connection.execute(text(statement))
    assert said in damage(taxi.ledger)


def test_a_cut_tail_whose_tables_were_cut_too_is_found_by_a_head_that_was_noted(taxi):
    noted = head(taxi)
    with tampering(taxi.ledger) as connection:
        connection.execute(text("DELETE FROM journal WHERE seq > 9"))
        connection.execute(text("DELETE FROM votes WHERE promotion_id IS NULL"))
        connection.execute(text("DELETE FROM promotions WHERE id = 'prm_3'"))
    assert verified(taxi.ledger)[0] == 9
    assert damage(taxi.ledger, noted) == "the chain ends with entry 9; entry 11 was noted: its end was cut off"


def test_a_chain_that_was_written_anew_is_found_by_a_head_that_was_noted(taxi):
    noted = head(taxi)
    with tampering(taxi.ledger) as connection:
        previous = GENESIS
        for row in taxi.entries():
            body = row.body.replace('"why":"fine"', '"why":"I was told to"')
            change = {"body": body, "previous": previous, "hash": link(previous, body)}
            previous = change["hash"]
            connection.execute(update(journal).where(journal.c.seq == row.seq).values(_whole(row, **change)))
        connection.execute(text("UPDATE votes SET why = 'I was told to' WHERE counted"))
    assert verified(taxi.ledger)[0] == 11
    assert damage(taxi.ledger, noted).startswith("entry 11 had the hash ")


def rewrite_last(taxi: Scene, old: str, new: str) -> None:
    """Change the text of the last entry, with its hash and its columns."""
    row = taxi.entries()[-1]
    assert old in row.body
    body = row.body.replace(old, new)
    change = {"kind": json.loads(body)["kind"], "body": body, "hash": link(row.previous, body)}
    with tampering(taxi.ledger) as connection:
        connection.execute(update(journal).where(journal.c.seq == row.seq).values(_whole(row, **change)))


def _whole(row: Any, **change: Any) -> dict[str, Any]:
    """Return an entry's columns with a change, as an earlier release stored them."""
    return {**vars(row), **change}


DEPLOYED = DeploymentRequested("taxi", 2, "Production", "eu", NOON, "rollback", id="dep_1")


@pytest.mark.parametrize(
    ("records", "old", "new", "said"),
    [
        ((), '"kind":"vote"', '"kind":"released"', "entry 11 lacks fields of the kind 'released'"),
        ((HoldingEnded("taxi", "stage", 2),), '"key":"Production"', '"key":"Staging"',
         "entry 12 releases version 2 of taxi in Staging, which no entry before it says"),
        ((HoldingStarted("taxi", "alias", "champion", 1), HoldingEnded("taxi", "alias", 1)), '"champion"', '"rival"',
         "entry 13 releases version 1 of taxi in @rival, which no entry before it says"),
        ((HoldingStarted("taxi", "stage", "Staging", 2),), '"key":"Staging"', '"key":"Production"',
         "entry 12 says version 2 of taxi in Production, which entry 8 has said already"),
        ((PromotionStateChanged("prm_3", "rejected"),), '"prm_3"', '"prm_9"',
         "entry 12 is about promotion prm_9, which is not open by the entries before it"),
        ((DEPLOYED, DeploymentEnded("dep_1", "live")), '"dep_1"', '"dep_9"',
         "entry 13 ends deployment dep_9, which no entry before it asks for"),
    ],
)  # fmt: skip
def test_entries_that_contradict_those_before_them_are_found(taxi, records, old, new, said):
    if records:
        taxi.write(*records)
    rewrite_last(taxi, old, new)
    assert damage(taxi.ledger) == said


def test_the_end_of_a_token_that_nobody_made_is_found(taxi):
    ada = Actor("local:ada", "ada on host")
    with taxi.ledger.write() as connection:
        tokens.create(connection, tokens.Token("nightly", "a" * 64, "viewer", None, NOON), ada)
        tokens.revoke(connection, "nightly", ada, at=NOON)
    rewrite_last(taxi, '"nightly"', '"weekly"')
    assert damage(taxi.ledger) == "entry 13 revokes the token weekly, which no entry before it made"


def test_an_entry_that_was_carried_over_and_lacks_a_column_is_found(empty):  # noqa: F811
    town = scene(migrated(empty))
    rewrite_last(town, '"ended_by":null,', "")
    assert damage(town.ledger) == "entry 9 lacks fields of the kind 'carried over'"


def test_only_what_differs_of_a_row_is_told(taxi):
    with taxi.ledger.engine.begin() as connection:
        connection.execute(text("UPDATE holders SET actor = 'zoe', actor_name = 'Zoë' WHERE version = 1"))
    [line] = damage(taxi.ledger).splitlines()
    assert line.startswith("holders taxi stage Production 1 2026-")
    assert line.endswith(": entry 7 says actor ada, actor_name Ada; the table says actor zoe, actor_name Zoë")


def test_each_row_too_many_is_told(taxi):
    copy = """INSERT INTO votes (promotion_id, event_id, actor, verdict, counted, why, at)
    SELECT promotion_id, event_id, actor, verdict, counted, why, at FROM votes WHERE counted"""
    with taxi.ledger.engine.begin() as connection:
        connection.execute(text(copy))
        connection.execute(text(copy))  # two rows by now
    told = damage(taxi.ledger).splitlines()
    assert len(told) == 3
    assert all(line.startswith("votes ") and line.endswith("the table has it, no entry says it") for line in told)


def test_an_event_is_told_once_however_many_entries_name_it(taxi):
    with taxi.ledger.engine.begin() as connection:
        which = "id IN (SELECT event_id FROM journal WHERE seq = 2)"
        connection.execute(text(f"UPDATE events SET source = 'slack' WHERE {which}"))  # noqa: S608 (names of ours)
    [line] = damage(taxi.ledger).splitlines()
    assert line.endswith(" says source ci; the table says source slack")


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE deployments SET state = 'live' WHERE id = 'dep_2'", "dep_2: entry 14 says state requested"),
        ("UPDATE deployments SET on_failure = 'alert' WHERE id = 'dep_1'", "dep_1: entry 13 says on_failure"),
        ("DELETE FROM deployments WHERE id = 'dep_2'", "entry 14 says it, the table does not have it"),
    ],
)  # fmt: skip
def test_a_deployment_that_was_edited_is_found(taxi, statement, said):
    for version in (1, 2):
        taxi.write(DeploymentRequested("taxi", version, "Production", "eu", NOON, "rollback", id=f"dep_{version}"))
    assert verified(taxi.ledger)[0] == 14
    with taxi.ledger.engine.begin() as connection:
        connection.execute(text(statement))
    assert said in damage(taxi.ledger)


def test_only_the_first_of_many_differences_are_told(taxi):
    for version in range(4, 40):
        taxi.write(HoldingStarted("taxi", "stage", "Staging", version))
    with taxi.ledger.engine.begin() as connection:
        connection.execute(text("DELETE FROM holders"))
    assert damage(taxi.ledger).splitlines()[-1] == "... and more"


NAMES = st.sampled_from(["a", "b"])
VERSIONS = st.integers(1, 3)
KINDS = st.sampled_from([("stage", "Staging"), ("stage", "Production"), ("alias", "champion")])
STATES = st.sampled_from(["waiting", "approved", "rejected", "superseded", "promoted", "failed"])
MOVES = st.one_of(
    st.tuples(st.just("held"), NAMES, KINDS, VERSIONS, st.booleans()),
    st.tuples(st.just("released"), NAMES, KINDS, VERSIONS, st.sampled_from(["key", "keep", ""])),
    st.tuples(st.just("opened"), NAMES, VERSIONS, st.sampled_from(["waiting", "awaiting_approval", "approved"])),
    st.tuples(st.just("decided"), st.integers(0, 5), STATES, st.sampled_from([None, "because"])),
    st.tuples(st.just("judged"), st.integers(0, 5), st.sampled_from(["waiting", "approved"]), st.booleans()),
    st.tuples(st.just("deployed"), NAMES, VERSIONS),
    st.tuples(st.just("told"), st.integers(0, 5), st.booleans()),
    st.tuples(st.just("voted"), st.integers(0, 5), st.booleans()),
)


def record(move: tuple, run: str, asked: list[str]) -> LedgerChange | None:
    """None for a promotion that was not asked for yet."""
    kind, first, *rest = move
    if kind in ("judged", "told", "decided"):
        return _about(kind, asked[first], *rest) if first < len(asked) else None
    match kind, *rest:
        case "held", (of, key), version, alone:
            return HoldingStarted(f"{first}{run}", of, key, version, alone, asked[-1] if asked else None)
        case "released", (of, key), version, how:
            return HoldingEnded(f"{first}{run}", of, version, **{how: key} if how else {})
        case "deployed", version:
            return DeploymentRequested(f"{first}{run}", version, "Production", None, NOON, "alert")
        case "opened", version, state:
            return PromotionRequested(f"{first}{run}", version, "Production", EVIDENCE, state=state)
    return VoteCast(asked[first] if first < len(asked) else None, "approve", rest[0], "")


def _about(kind: str, promotion: str, *rest) -> LedgerChange:
    match kind, *rest:
        case "judged", state, shown:
            return Reevaluated(promotion, state, None, {"gates": []} if shown else None)
        case "told", escalated:
            return ReminderSent(promotion, escalated)
    state, reason = rest
    return PromotionStateChanged(promotion, state, reason, broke_glass=reason is not None)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(commits=st.lists(st.lists(MOVES, max_size=4), max_size=8))
def test_any_sequence_of_records_replays_to_the_tables(ledger, commits):
    town = scene(ledger)
    town.ids = iter(range(len(town.entries()) * 1000, 10**9))
    run, asked = f"-{next(town.ids)}", []
    for moves in commits:
        records = [found for move in moves if (found := record(move, run, asked))]
        try:
            town.write(*records)
        except IntegrityError:  # asked for twice: all of the commit is undone
            continue
        asked += [found.id for found in records if isinstance(found, PromotionRequested)]
    verified(ledger)
