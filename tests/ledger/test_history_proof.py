"""Each table that history, pages and API read, tampered with in each way: `audit verify` names the row, and how."""

import sqlite3
from contextlib import closing

import pytest
from sqlalchemy import text

from registrar.events.event import Actor
from registrar.ledger import Ledger, tokens
from registrar.ledger.deployments import DeploymentEnded, DeploymentRequested
from registrar.ledger.holders import HoldingEnded, HoldingStarted
from registrar.ledger.journal import rebuild
from registrar.ledger.journal.append import EntryKind
from registrar.ledger.journal.chain import Damaged
from registrar.ledger.journal.verify import verify
from registrar.ledger.migrate import migrate
from registrar.ledger.promotions import PromotionRequested, PromotionStateChanged, Reevaluated, ReminderSent
from registrar.ledger.version_state import Key, StateSet
from registrar.ledger.votes import VoteCast
from tests.ledger.chain import EVIDENCE, NOON, Scene, scene
from tests.ledger.test_migrations import DEPLOYMENT, empty, fill, migrated, stored  # noqa: F401 (a fixture)

pytestmark = pytest.mark.both_ledgers

MALLORY = "'mallory', '" + "0" * 64 + "', 'operator', 'ada'"


@pytest.fixture
def taxi(ledger) -> Scene:
    """Version 1 was in Production until version 2 came, approved; a third waits, its people reminded."""
    town = scene(ledger)
    town.write(PromotionRequested("taxi", 1, "Production", EVIDENCE, id="prm_1", state="approved"), actor="ci")
    town.write(
        HoldingStarted("taxi", "stage", "Production", 1, promotion="prm_1"), PromotionStateChanged("prm_1", "promoted")
    )
    town.write(PromotionRequested("taxi", 2, "Production", EVIDENCE, id="prm_2"))
    town.write(VoteCast("prm_2", "approve", True, "fine"), PromotionStateChanged("prm_2", "approved"), actor="bob")
    town.write(
        HoldingStarted("taxi", "stage", "Production", 2, alone=True, promotion="prm_2"),
        PromotionStateChanged("prm_2", "promoted"),
    )
    town.write(
        DeploymentRequested("taxi", 1, "Production", "eu", NOON, "rollback", id="dep_1"),
        DeploymentEnded("dep_1", "live"),
    )
    town.write(DeploymentRequested("taxi", 2, "Production", "eu", NOON, "alert", id="dep_2"))
    town.write(PromotionRequested("taxi", 3, "Production", EVIDENCE, id="prm_3", state="waiting", due_at=NOON))
    town.write(Reevaluated("prm_3", "awaiting_approval"), ReminderSent("prm_3"))
    for value in ("bad fares", None):
        town.write(StateSet("taxi", 1, NOON, Key.QUARANTINED, value))
    with ledger.write() as connection:
        made = tokens.Token("nightly", "a" * 64, "viewer", None, NOON)
        tokens.create(connection, made, Actor("local:ada", "ada on host"))
    return town


def tamper(ledger: Ledger, *statements: str) -> None:
    """As somebody with the database's password: keys between tables are no hindrance."""
    if ledger.engine.dialect.name == "sqlite":  # a connection of its own has them off
        with closing(sqlite3.connect(ledger.engine.url.database)) as connection, connection:
            for statement in statements:
                connection.execute(statement)
        return
    with ledger.engine.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        for statement in statements:
            connection.execute(text(statement))


def damage(ledger: Ledger) -> str:
    with ledger.read() as connection, pytest.raises(Damaged) as raised:
        verify(connection)
    return str(raised.value)


def test_what_nobody_touched_is_proven_whole(taxi):
    with taxi.ledger.read() as connection:
        proof = verify(connection)
    assert (proof.walk.count, proof.sentences()) == (len(taxi.entries()), [])


HELD = "INSERT INTO holders (model, kind, key, version, since, event_id, actor, actor_name)"
COPIED = "SELECT model, kind, key, 7, since, event_id, 'eve', 'Eve' FROM holders WHERE version = 2"
ASKED = """INSERT INTO promotions
(id, model, version, target, state, requested_by, event_id, evidence, created_at, broke_glass)
SELECT 'prm_9', model, 9, target, 'rejected', requested_by, event_id, evidence, created_at, broke_glass
FROM promotions WHERE id = 'prm_1'"""
DEPLOYED = """INSERT INTO deployments (id, model, version, target, state, event_id, requested_at, on_failure)
SELECT 'dep_9', model, 9, target, 'live', event_id, requested_at, on_failure FROM deployments WHERE id = 'dep_1'"""
STATED = """INSERT INTO version_states (model, version, version_created_at, key, value, at, event_id)
SELECT model, 2, version_created_at, key, 'stolen', at, event_id FROM version_states WHERE value IS NULL"""
VOTED = """INSERT INTO votes (promotion_id, event_id, actor, verdict, counted, why, at)
SELECT promotion_id, event_id, 'eve', verdict, counted, why, at FROM votes"""
MADE = f"INSERT INTO tokens (name, sha256, role, person, created_at) SELECT {MALLORY}, created_at FROM tokens"  # noqa: S608 (names of ours)


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        # updated
        ("UPDATE holders SET since = until WHERE version = 1", "entry 7 says it, the table does not have it"),
        ("UPDATE holders SET until = since WHERE version = 1", "holders taxi stage Production 1"),
        ("UPDATE holders SET until = NULL, until_event_id = NULL WHERE version = 1", "the table says until null"),
        ("UPDATE holders SET actor_name = 'Eve' WHERE version = 2", "says actor_name Ada; the table says actor_name E"),
        ("UPDATE promotions SET requested_by = 'eve' WHERE id = 'prm_2'", "prm_2: entry 9 says requested_by ada"),
        ("UPDATE promotions SET decided_by = 'eve' WHERE id = 'prm_1'", "promotions prm_1: entry 3 says decided_by"),
        ("UPDATE promotions SET decided_at = created_at WHERE id = 'prm_2'", "promotions prm_2: entry 9 says decided"),
        ("UPDATE promotions SET broke_glass = true WHERE id = 'prm_1'", "the table says broke_glass true"),
        ("UPDATE promotions SET due_at = created_at WHERE id = 'prm_3'", "prm_3: entry 15 says due_at null"),
        ("UPDATE promotions SET reminded_at = NULL WHERE id = 'prm_3'", "the table says reminded_at null"),
        ("UPDATE votes SET why = 'I was told to'", "votes "),
        ("UPDATE votes SET at = (SELECT min(created_at) FROM promotions)", "the table says at "),
        ("UPDATE deployments SET environment = 'us' WHERE id = 'dep_1'", "dep_1: entry 11 says environment eu"),
        ("UPDATE version_states SET value = 'fine' WHERE value = 'bad fares'", "says value bad fares; the table says"),
        ("UPDATE version_states SET version_created_at = NULL", "the table says version_created_at null"),
        ("UPDATE tokens SET role = 'operator'", "tokens nightly: entry 18 says role viewer; the table says role oper"),
        ("UPDATE tokens SET sha256 = '" + "b" * 64 + "'", "tokens nightly: entry 18 says fingerprint "),
        ("UPDATE events SET actor_name = 'Eve' WHERE actor = 'bob'", "says actor_name Bob; the table says actor_name"),
        ("UPDATE events SET actor = 'eve' WHERE actor = 'bob'", "says actor bob; the table says actor eve"),
        ("UPDATE events SET data = '{}' WHERE actor = 'bob'", "entry 5 says sha256"),
        ("UPDATE events SET accepted_at = (SELECT max(at) FROM votes) WHERE actor = 'bob'", "entry 5 says sha256"),
        # deleted
        ("DELETE FROM holders WHERE version = 1", "entry 7 says it, the table does not have it"),
        ("DELETE FROM promotions WHERE id = 'prm_3'", "promotions prm_3: entry 15 says it, the table does not have"),
        ("DELETE FROM votes", "entry 5 says it, the table does not have it"),
        ("DELETE FROM deployments WHERE id = 'dep_1'", "deployments dep_1: entry 11 says it, the table does not"),
        ("DELETE FROM version_states WHERE value IS NULL", "entry 17 says it, the table does not have it"),
        ("DELETE FROM tokens", "tokens nightly: entry 18 says it, the table does not have it"),
        ("DELETE FROM events WHERE actor = 'bob'", "entry 5 says it, the table does not have it"),
        # inserted
        (f"{HELD} {COPIED}", "holders taxi stage Production 7"),
        (ASKED, "promotions prm_9: the table has it, no entry says it"),
        (VOTED, "the table has it, no entry says it"),
        (DEPLOYED, "deployments dep_9: the table has it, no entry says it"),
        (STATED, "version_states taxi 2 registrar.quarantined"),
        (MADE, "tokens mallory: the table has it, no entry says it"),
    ],
)  # fmt: skip
def test_a_table_that_was_tampered_with_is_named_with_its_row(taxi, statement, said):
    tamper(taxi.ledger, statement)
    assert said in damage(taxi.ledger)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("version_states", "place of version_states taxi registrar.quarantined 1: entry 16 says at 2026-"),
        ("holders", "place of holders taxi 1: entry 2 says version 1, "),
    ],
)
def test_rows_whose_order_was_turned_are_named(taxi, table, said):
    """The newest row of a state counts, and of holders the earlier one is where a rollback goes."""
    with taxi.ledger.read() as connection:
        first, second = connection.execute(text(f"SELECT min(seq), max(seq) FROM {table}")).one()  # noqa: S608 (names of ours)
    exchange(taxi.ledger, table, first, second)
    assert said in damage(taxi.ledger)


def exchange(ledger: Ledger, table: str, first: int, second: int) -> None:
    moves = ((first, 999), (second, first), (999, second))
    tamper(ledger, *(f"UPDATE {table} SET seq = {to} WHERE seq = {seq}" for seq, to in moves))  # noqa: S608 (names of ours)


def test_after_rows_that_were_carried_over_the_first_new_one_has_its_place(empty):  # noqa: F811
    town = scene(migrated(empty))
    town.write(*(HoldingStarted("taxi", "stage", "Staging", version) for version in (3, 4)))
    with town.ledger.read() as connection:
        carried, newest = connection.execute(text("SELECT max(seq) - 2, max(seq) FROM holders")).one()
    exchange(town.ledger, "holders", newest - 1, newest)
    assert f"place of holders taxi {carried + 1}: entry 10 says version 3" in damage(town.ledger)


def test_a_deployment_that_had_ended_when_it_was_carried_over_is_proven(empty):  # noqa: F811
    migrate(empty, to="0001")
    fill(empty)
    migrate(empty, to="0002")
    with empty.write() as connection:
        connection.execute(text(DEPLOYMENT.replace("'requested'", "'live'")), {"at": stored(empty, 6)})
    migrate(empty)
    with empty.read() as connection:
        assert verify(connection).walk.count == 9


def test_a_table_that_can_not_be_read_is_named(ledger):
    if ledger.engine.dialect.name == "postgresql":
        return  # its columns take nothing but times
    for table, column in (("events", "accepted_at"), ("holders", "since")):
        town = scene(ledger)
        town.ids = iter(range(len(town.entries()) * 100, 10**9))
        town.write(HoldingStarted("taxi", "stage", "Staging", 1))
        tamper(ledger, f"UPDATE {table} SET {column} = 'soon'")  # noqa: S608 (names of ours)
        assert damage(ledger).startswith(f"the table {table} can't be read: ")


def test_times_that_were_exchanged_between_two_holdings_are_named(taxi):
    taxi.write(HoldingEnded("taxi", "stage", 2))
    tamper(
        taxi.ledger,
        "UPDATE holders SET until = (SELECT max(until) FROM holders) WHERE version = 1",
        "UPDATE holders SET until = since WHERE version = 2",
    )
    found = damage(taxi.ledger)
    assert "holders taxi stage Production 1" in found
    assert "holders taxi stage Production 2" in found


def test_an_event_that_no_entry_names_is_nothing_of_the_history(taxi):
    taxi.event("eve")
    with taxi.ledger.read() as connection:
        verify(connection)


def test_an_event_that_was_archived_is_known_by_what_remains_of_it(taxi):
    """As a later version may archive what the journal names."""
    with taxi.ledger.read() as connection:
        event = connection.execute(text("SELECT id FROM events WHERE actor = 'bob'")).scalar_one()
    tamper(
        taxi.ledger,
        f"INSERT INTO archives (seq, name, folder, kind, month, started_at)"  # noqa: S608 (names of ours)
        f" SELECT 1, 'a', 'b', 'events', '2026-11', accepted_at FROM events WHERE id = '{event}'",
        f"INSERT INTO archived SELECT id, source, delivery_id, position, body_sha256, type, 1 FROM events"  # noqa: S608 (names of ours)
        f" WHERE id = '{event}'",
        f"DELETE FROM events WHERE id = '{event}'",  # noqa: S608 (names of ours)
    )
    with taxi.ledger.read() as connection:
        verify(connection)
    tamper(taxi.ledger, "UPDATE archived SET source = 'slack'")
    assert f"events {event}: entry 5 says source ci; the table says source slack" in damage(taxi.ledger)


def test_what_old_entries_did_not_say_is_named_with_the_entry_from_which_it_is_proven(empty):  # noqa: F811
    town = scene(migrated(empty))
    last = town.entries()[-1].seq
    assert {row.kind for row in town.entries()} == {EntryKind.CARRIED_OVER}
    town.write(PromotionRequested("taxi", 4, "Production", EVIDENCE, id="prm_4"))
    with town.ledger.read() as connection:
        told = verify(connection).sentences()
    assert f"events: entries up to {last} do not say sha256; proven from entry {last + 1} on" in told
    assert "promotions: entries up to 7 do not say due_at, escalated_at, reminded_at; proven from entry 8 on" in told
    tamper(town.ledger, "UPDATE promotions SET due_at = created_at WHERE id = 'prm_4'")
    assert "promotions prm_4: entry 10 says due_at null" in damage(town.ledger)


def test_what_old_entries_did_say_is_still_proven(empty):  # noqa: F811
    town = scene(migrated(empty))
    tamper(town.ledger, "UPDATE promotions SET decided_by = 'eve' WHERE id = 'prm_a'")
    assert "promotions prm_a: entry 3 says decided_by bob; the table says decided_by eve" in damage(town.ledger)


def test_what_has_ended_is_not_kept_in_memory(ledger, monkeypatch):
    """So a journal may be as long as it likes."""
    town = scene(ledger)
    cause = town.cause()
    with ledger.write() as connection:
        for number in range(300):
            HoldingStarted("taxi", "stage", "Staging", number, alone=True).apply(connection, cause)
    most = 0
    read = rebuild._apply_entry

    def counted(present, entry):
        nonlocal most
        most = max(most, len(present.holders))
        return read(present, entry)

    monkeypatch.setattr(rebuild, "_apply_entry", counted)
    with ledger.read() as connection:
        assert verify(connection).walk.count == 599
    assert most == 1
