"""Upward from the first schema, with a record in place: nothing of it is lost, and it begins the journal."""

import json
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from sqlalchemy import inspect, select, text

from registrar.events.event import Actor
from registrar.ledger import Ledger, heartbeats, tokens
from registrar.ledger.dead_letters import list_dead_letters
from registrar.ledger.deliveries import accept
from registrar.ledger.event_rows import Delivery
from registrar.ledger.holders import HoldingStarted
from registrar.ledger.journal.verify import verify
from registrar.ledger.lane_priority import Rank
from registrar.ledger.migrate import migrate
from registrar.ledger.tables import tasks
from registrar.ledger.tasks import FORMER_NAMES, claim
from registrar.ledger.used_nonces import spend
from registrar.ledger.version_state import Key, current, states
from tests.ledger.chain import assert_chained, scene

pytestmark = pytest.mark.both_ledgers

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
EVENT = """INSERT INTO events
(id, source, delivery_id, position, body_sha256, type, model, actor, actor_name, occurred_at, accepted_at, data)
VALUES (:id, 'slack', :id, 0, :sha, 'promotion.approve', 'taxi', :actor, :name, :at, :at, '{}')"""
HOLDER = """INSERT INTO holders
(model, kind, key, version, since, until, event_id, actor, actor_name, until_event_id)
VALUES ('taxi', :kind, :key, :version, :since, :until, :event, 'bob', 'Bob', :ended)"""
PROMOTION = """INSERT INTO promotions
(id, model, version, target, state, requested_by, event_id, evidence, created_at, decided_at, decided_by)
VALUES (:id, 'taxi', :version, 'Production', :state, 'ada', :event, :evidence, :at, :decided, :by)"""
VOTE = """INSERT INTO votes (promotion_id, event_id, actor, verdict, counted, why, at)
VALUES (:promotion, :event, 'bob', 'approve', :counted, 'ok', :at)"""
DEPLOYMENT = """INSERT INTO deployments (id, model, version, target, state, event_id, requested_at, on_failure)
VALUES ('dep_1', 'taxi', 2, 'Production', 'requested', 'evt_2', :at, 'alert')"""

TASK = """INSERT INTO tasks (id, event_id, event_seq, name, lane, args, state, not_before, ring_at, created_at)
VALUES ('tsk_1', 'evt_3', 3, 'worker.request', 'model:taxi', '{}', 'queued', :at, :at, :at)"""
FAILED = """INSERT INTO tasks
(id, event_id, event_seq, name, lane, args, state, not_before, ring_at, created_at, finished_at)
VALUES ('tsk_2', 'evt_1', 1, 'worker.vote', 'model:taxi', '{}', 'dead', :at, :at, :at, :at)"""

EVALUATED = """INSERT INTO tasks
(id, event_id, event_seq, name, lane, args, state, not_before, ring_at, created_at, finished_at)
VALUES (:id, :event, 4, 'worker.evaluated', 'model:taxi', '{}', :state, :at, :at, :at, :at)"""

NAMED = """INSERT INTO tasks
(id, event_id, event_seq, name, lane, args, state, not_before, ring_at, created_at, finished_at)
VALUES (:id, 'evt_1', 1, :name, :id, '{}', 'succeeded', :at, :rung, :at, :at)"""
HEARTBEAT = """INSERT INTO heartbeats (part, instance, version, started_at, seen_at, last_bell_at, in_hand)
VALUES ('worker', 'host:1', '1', :at, :at, :bell, 0)"""


@pytest.fixture
def empty(ledger_url):
    opened = Ledger(ledger_url)
    yield opened
    opened.close()


def hour(n: int) -> datetime:
    return NOON + timedelta(hours=n)


def stored(ledger: Ledger, n: int) -> object:
    return f"{hour(n):%Y-%m-%d %H:%M:%S.%f}" if ledger.engine.dialect.name == "sqlite" else hour(n)


def fill(ledger: Ledger) -> None:
    """A record as revision 0001 left it: version 1 was replaced by version 2, by a promotion; a third one waits."""
    at = partial(stored, ledger)
    with ledger.write() as connection:
        for n, (id, actor) in enumerate({"evt_1": "ada", "evt_2": "bob", "evt_3": "ada"}.items()):
            values = {"id": id, "sha": str(n) * 64, "actor": actor, "name": actor.title(), "at": at(n)}
            connection.execute(text(EVENT), values)
        for kind, key in (("stage", "Production"), ("alias", "champion")):
            for version, since, until, event, ended in ((1, 0, 3, "evt_1", "evt_2"), (2, 3, None, "evt_2", None)):
                values = {"kind": kind, "key": key, "version": version, "event": event, "ended": ended}
                times = {"since": at(since), "until": at(until) if until else None}
                connection.execute(text(HOLDER), values | times)
        promoted = {"id": "prm_a", "version": 2, "state": "promoted", "event": "evt_1", "at": at(1)}
        waiting = {"id": "prm_b", "version": 3, "state": "awaiting_approval", "event": "evt_3", "at": at(4)}
        evidence = {"evidence": '{"gates":[],"n":6.25}'}
        connection.execute(text(PROMOTION), promoted | evidence | {"decided": at(3), "by": "bob"})
        connection.execute(text(PROMOTION), waiting | evidence | {"decided": None, "by": None})
        for promotion, counted, n in (("prm_a", True, 2), (None, False, 5)):
            values = {"promotion": promotion, "event": "evt_2", "counted": counted, "at": at(n)}
            connection.execute(text(VOTE), values)


def before(ledger: Ledger) -> Ledger:
    """A record of revision 0009, which grew from the first one."""
    migrate(ledger, to="0001")
    fill(ledger)
    migrate(ledger, to="0002")
    with ledger.write() as connection:
        connection.execute(text(DEPLOYMENT), {"at": stored(ledger, 6)})
    migrate(ledger, to="0003")
    with ledger.write() as connection:
        connection.execute(text(TASK), {"at": stored(ledger, 6)})
    migrate(ledger, to="0004")
    with ledger.write() as connection:
        connection.execute(text(FAILED), {"at": stored(ledger, 6)})
    migrate(ledger, to="0007")
    migrate(ledger, to="0009")
    return ledger


def migrated(ledger: Ledger) -> Ledger:
    migrate(before(ledger))
    return ledger


def evaluated(ledger: Ledger, event: str, run: str, state: str) -> None:
    """An event of an evaluation, and how its task ended; as revision 0009 had them."""
    at = stored(ledger, 6)
    with ledger.write() as connection:
        connection.execute(text(EVENT), {"id": event, "sha": "e" * 64, "actor": "ada", "name": "Ada", "at": at})
        data = json.dumps({"model": "taxi", "version": 2, "run_id": run})
        told = text("UPDATE events SET type = 'evaluation_run.finished', data = :data WHERE id = :id")
        connection.execute(told, {"id": event, "data": data})
        connection.execute(text(EVALUATED), {"id": f"tsk_{event}", "event": event, "state": state, "at": at})


def test_what_the_record_holds_is_carried_over_in_the_order_of_its_times(empty):
    entries = scene(migrated(empty)).entries()
    assert_chained(entries)
    assert {row.kind for row in entries} == {"carried over"}
    said = [json.loads(row.body)["said"] for row in entries]
    assert [(row.at, one["table"], row.version, row.actor) for row, one in zip(entries, said, strict=True)] == [
        (hour(0), "holders", 1, "bob"),
        (hour(0), "holders", 1, "bob"),
        (hour(1), "promotions", 2, "ada"),
        (hour(2), "votes", 2, "bob"),
        (hour(3), "holders", 2, "bob"),
        (hour(3), "holders", 2, "bob"),
        (hour(4), "promotions", 3, "ada"),
        (hour(5), "votes", None, "bob"),
        (hour(6), "deployments", 2, "bob"),
    ]
    assert said[2]["row"]["evidence"] == {"gates": [], "n": 6.25}
    assert said[3]["row"]["counted"] is True
    assert (said[0]["row"]["until"], said[0]["row"]["until_event_id"]) == (
        hour(3).isoformat(timespec="microseconds"),
        "evt_2",
    )
    assert {row.body_sha256 for row in entries} == {"0" * 64, "1" * 64, "2" * 64}


def test_a_holder_learns_which_promotion_brought_it_there(empty):
    with migrated(empty).read() as connection:
        found = connection.execute(text("SELECT version, promotion_id FROM holders ORDER BY seq")).all()
    assert [tuple(row) for row in found] == [(1, None), (2, "prm_a"), (1, None), (2, "prm_a")]


def test_work_that_waits_is_still_there_to_be_done(empty):
    with migrated(empty).write() as connection:
        assert claim(connection, "tsk_1", at=hour(7)).event_id == "evt_3"


def test_what_waits_keeps_its_place_in_its_lane(empty):
    """Whether it was pressing is not asked again."""
    with migrated(empty).read() as connection:
        rows = connection.execute(text("SELECT rank, doubts FROM tasks ORDER BY seq")).all()
    assert [tuple(row) for row in rows] == [(Rank.ORDINARY, 0)] * 2


def test_what_was_given_up_is_still_listed(empty):
    with migrated(empty).read() as connection:
        assert [letter.id for letter in list_dead_letters(connection)] == ["tsk_2"]


def test_a_delivery_that_came_again_after_the_migration_is_known(empty):
    with migrated(empty).write() as connection:
        assert accept(connection, Delivery("slack", "evt_1", "0" * 64), [], at=hour(7)).events == [
            ("evt_1", "promotion.approve")
        ]


def test_nobody_is_alive_yet_by_a_ledger_that_was_migrated(empty):
    with migrated(empty).read() as connection:
        assert heartbeats.all_known(connection) == []


def test_nobody_has_a_token_yet_and_one_can_be_made(empty):
    with migrated(empty).write() as connection:
        assert list(tokens.all_tokens(connection)) == []
        made = tokens.Token("ci", "0" * 64, "viewer", None, hour(7))
        tokens.create(connection, made, Actor("local:ada", "ada on host"))
        assert tokens.find(connection, "0" * 64) == made
        assert spend(connection, "state", until=hour(8), at=hour(7))


def test_the_chain_goes_on_where_the_migration_left_it(empty):
    taxi = scene(migrated(empty))
    taxi.write(HoldingStarted("taxi", "alias", "champion", 3, alone=True))
    assert [row.kind for row in taxi.entries()[9:]] == ["released", "held"]
    assert_chained(taxi.entries())


def test_an_empty_record_begins_an_empty_journal(ledger):
    assert scene(ledger).entries() == []


def test_the_newest_evaluation_that_was_acted_on_is_carried_over(empty):
    before(empty)
    for event, run, state in (("evt_4", "e1", "succeeded"), ("evt_5", "e2", "succeeded"), ("evt_6", "e3", "failed")):
        evaluated(empty, event, run, state)
    migrate(empty)
    with empty.read() as connection:
        [found] = states(connection, "taxi")
    with empty.read() as connection:
        verify(connection)
    assert (found.version, found.key, found.value, found.version_created_at) == (2, Key.EVALUATION, "e2", None)
    assert current([found], 2, hour(5)) == {Key.EVALUATION: "e2"}
    assert current([found], 2, hour(7)) == {}, "MLflow made this version later: it is another model's"
    assert_chained(scene(empty).entries())


def test_tasks_and_heartbeats_keep_all_but_their_former_names(empty):
    before(empty)
    migrate(empty, to="0015")
    at, later = stored(empty, 6), stored(empty, 7)
    former = [*FORMER_NAMES, "worker.register"]
    with empty.write() as connection:
        for name in former:
            connection.execute(text(NAMED), {"id": f"tsk_{name}", "name": name, "at": at, "rung": later})
        connection.execute(text(HEARTBEAT), {"at": at, "bell": later})
    migrate(empty)
    with empty.read() as connection:
        rows = connection.execute(select(tasks).where(tasks.c.id.in_([f"tsk_{name}" for name in former]))).all()
        [process] = heartbeats.all_known(connection)
    expected = {f"tsk_{name}": FORMER_NAMES.get(name, name) for name in former}
    assert {row.id: row.name for row in rows} == expected
    assert {(row.not_before, row.dispatch_at) for row in rows} == {(hour(6), hour(7))}
    assert process.last_dispatched_at == hour(7)


def test_the_index_of_answers_to_github_finds_them_by_their_present_name(empty):
    with migrated(empty).read() as connection:
        indexes = {index["name"]: index for index in inspect(connection).get_indexes("tasks")}
    [where] = [value for key, value in indexes["ix_tasks_answers"]["dialect_options"].items() if key.endswith("_where")]
    assert "'worker.answer_github_protection_rule'" in str(where)
