"""How the databases go about it: what is done all the time must not read all that was ever done."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event, func, insert, select

from registrar.events.event import Actor, Event
from registrar.events.outcome import Outcome
from registrar.events.types import parse
from registrar.ledger import (
    dead_letters,
    deployments,
    holders,
    pending_gate_requests,
    promotions,
    rejections,
    tables,
    task_dispatch,
    tasks,
    votes,
)
from registrar.ledger.deliveries import Arrival, accept_all
from registrar.ledger.event_rows import Delivery
from registrar.ledger.journal import append, stream
from registrar.ledger.queries import (
    activity,
    event_search,
    event_status,
    find,
    holdings,
    metrics,
    model_paths,
    models,
    prefix_search,
    promotion_record,
    promotion_results,
    queue,
)
from registrar.ledger.queries.event_search import EventFilter
from tests.bench.filling import fill

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
GROWING = {"events", "tasks", "archived", "rejections", "holders", "votes", "promotions", "deployments", "journal"}
# Each holds what is open, what failed, or the answers of people who waited: few, whatever is done meanwhile.
DAY = datetime(2025, 9, 1, 20, tzinfo=UTC)  # in the midst of what is filled in
FEW = {
    "ix_tasks_open",
    "uq_tasks_running",
    "ix_tasks_failed",
    "uq_promotions_open",
    "uq_deployments_open",
    "uq_holders_open",
    "ix_tasks_dropped",
    "ix_tasks_refused",
}
FILLED = 3000


def of(connection, table) -> str:
    """The id of a row."""
    return connection.execute(select(table.c.id).where(table.c.seq == 77)).scalar_one()


def accepted(connection, *ids: str) -> None:
    finished = Event(parse("training_run.finished", {"model": "m", "run_id": "r"}), Actor("source:ci", "ci"), NOON)
    accept_all(connection, [Arrival(Delivery("ci", id, "0" * 64), [finished], NOON) for id in ids])


WORK = {
    "accept": lambda c: accepted(c, "a", "b"),
    "accept what came twice": lambda c: accepted(c, "a", "b", "a"),
    "claim": lambda c: tasks.claim(c, of(c, tables.tasks), at=NOON),
    "sweep": lambda c: task_dispatch.sweep(c, at=NOON),
    "unfinished": tasks.unfinished,
    "backlog": queue.unfinished,
    "next of a lane": lambda c: task_dispatch.next_messages(c, {"model:model-1", "notify:x"}, at=NOON),
    "first in line": lambda c: queue.first_in_line(c, [of(c, tables.tasks), "tsk_1"]),
    "status": lambda c: event_status.event(c, of(c, tables.events)),
    "archived": lambda c: find.archive_location(c, "evt_1"),
    "history": lambda c: holdings.history(c, "model-1", limit=51),
    "history further down": lambda c: holdings.history(c, "model-1", before=2000, limit=51),
    "history of a stage on a day": lambda c: holdings.history(
        c, "model-1", holdings.HistoryFilter("production", since=DAY, until=DAY + timedelta(days=1)), limit=51
    ),
    "how long a history is": lambda c: holdings.count_holdings(c, "model-1"),
    "versions that held a stage": lambda c: holders.held_before(c, "model-1", "stage", "Production"),
    "what is held now": lambda c: holders.held_now(c, "model-1", "alias"),
    "who holds": lambda c: holders.holder(c, "model-1", "stage", "Production"),
    "dead list": dead_letters.list_dead_letters,
    "dead list of a model": lambda c: dead_letters.list_dead_letters(c, state="dead", model="model-1"),
    "dead show": lambda c: dead_letters.get_dead_letter(c, of(c, tables.tasks)),
    "who waits": lambda c: pending_gate_requests.unanswered(c, model="model-1", version=1, target="Production"),
    "who was answered": lambda c: pending_gate_requests.answered(c, ["answer:evt_1"]),
    "open promotions": promotions.still_open,
    "overview": queue.overview,
    "events of a source": lambda c: event_search.search(c, EventFilter(source="slack")),
    "events of nobody": lambda c: event_search.search(c, EventFilter(actor="eve")),
    "events of a model, further down": lambda c: event_search.search(c, EventFilter(model="model-1"), before=2000),
    "events of a type and a source": lambda c: event_search.search(c, EventFilter(type="model.prune", source="ci")),
    "events that failed": lambda c: event_search.search(c, EventFilter(state="failed")),
    "events that are dead, of a model": lambda c: event_search.search(c, EventFilter(state="dead", model="model-1")),
    "events that were refused": lambda c: event_search.search(c, EventFilter(state="refused")),
    "events that were dropped": lambda c: event_search.search(c, EventFilter(state="dropped")),
    "events that are not done": lambda c: event_search.search(c, EventFilter(state="unfinished")),
    "events of a day": lambda c: event_search.search(c, EventFilter(since=DAY, until=DAY + timedelta(days=1))),
    "promotions of a model": lambda c: promotion_record.page(c, model="model-1"),
    "promotions that failed": lambda c: promotion_record.page(c, state="failed"),
    "promotions further down": lambda c: promotion_record.page(c, before=promotion_record.Place(DAY, "prm_9")),
    "votes": lambda c: promotion_record.votes_on(c, "prm_70"),
    "dead further down": lambda c: dead_letters.list_dead_letters(c, before=(DAY, 9)),
    "events by the beginning of their id": lambda c: prefix_search.events_by_id(c, of(c, tables.events)[:9], limit=8),
    "events by the beginning of a task's": lambda c: prefix_search.events_of_tasks(c, of(c, tables.tasks)[:9], limit=8),
    "promotions by the beginning of their id": lambda c: prefix_search.promotions_by_id(c, "prm_7", limit=8),
    "open deployments": deployments.under_way,
    "what became of promotions": lambda c: promotion_results.load_results(c, promotion_record.page(c, model="model-1")),
    "gauge of the queue": lambda c: metrics.queue(c, NOON),
    "gauge of dead letters": metrics.dead,
    "gauge of promotions": metrics.undecided,
    "gauge of holders": metrics.held,
    "what models hold": lambda c: model_paths.path_holdings(c, ["model-1", "model-2"]),
    "what was asked for models": lambda c: model_paths.newest_requests(c, ["model-1", "model-2"]),
    "what models registered": lambda c: model_paths.newest_registrations(c, ["model-1", "model-2"]),
    "votes that are missing": lambda c: votes.approvals_of(c, [one.id for one in votes.awaiting_approval(c, limit=9)]),
    "how many dead letters": lambda c: metrics.count_dead_letters(c, at_most=9),
    "how many commands were refused": lambda c: activity.refused_tasks_since(c, DAY),
}
NEWEST = {"events": event_status.latest, "rejections": rejections.latest}


@pytest.fixture
def plans(ledger) -> list[dict[str, Any]]:
    """Each time that a growing table is read from here on: {"table", "index", "by"}; by: what is looked up there."""
    fill(ledger, FILLED, models=30)
    found: list[dict[str, Any]] = []
    explain = _sqlite if ledger.engine.dialect.name == "sqlite" else _postgresql

    def listen(connection, cursor, statement, parameters, *_):
        if statement.startswith(("SELECT", "UPDATE", "INSERT", "DELETE")) and "pg_advisory" not in statement:
            with connection.connection.cursor() if explain is _postgresql else _closing(connection) as own:
                found.extend(step for step in explain(own, statement, parameters) if step["table"] in GROWING)

    event.listen(ledger.engine, "before_cursor_execute", listen)
    return found


class _closing:
    def __init__(self, connection):
        self.cursor = connection.connection.cursor()

    def __enter__(self):
        return self.cursor

    def __exit__(self, *_):
        self.cursor.close()


def _sqlite(cursor, statement, parameters) -> Iterator[dict[str, Any]]:
    """SEARCH tasks AS other USING INDEX ix_tasks_open (lane=?), SCAN events."""
    for row in cursor.execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall():
        words = row[3].split()
        if words[0] in ("SEARCH", "SCAN"):
            index = words[words.index("INDEX") + 1] if "INDEX" in words else None
            yield {"table": _named(words[1], statement), "index": index, "by": words[0] == "SEARCH"}


def _named(name: str, statement: str) -> str:
    """An alias's table."""
    return {"earlier": "tasks", "other": "tasks", "first": "tasks"}.get(name, name)


def _postgresql(cursor, statement, parameters) -> Iterator[dict[str, Any]]:
    """As where storage is no spinning disk; the default makes it read a table as small as ours whole, at times."""
    cursor.execute("SET LOCAL random_page_cost = 1.1")
    cursor.execute(f"EXPLAIN (FORMAT JSON) {statement}", parameters)
    (found,) = cursor.fetchone()
    yield from _nodes(json.loads(found)[0]["Plan"] if isinstance(found, str) else found[0]["Plan"])


def _nodes(node, index_of=None) -> Iterator[dict[str, Any]]:
    for inner in node.get("Plans", ()):
        if node["Node Type"] == "Bitmap Heap Scan" or (node["Node Type"].startswith("Bitmap") and index_of):
            yield from _nodes(inner, index_of or node["Relation Name"])
        else:
            yield from _nodes(inner)
    if node["Node Type"] == "Seq Scan" or "Index Name" in node:
        table = node.get("Relation Name", index_of)
        yield {"table": table, "index": node.get("Index Name"), "by": "Index Cond" in node}


@pytest.mark.both_ledgers
@pytest.mark.parametrize("work", WORK.values(), ids=WORK)
def test_what_is_done_all_the_time_looks_things_up(ledger, plans, work):
    with ledger.write() as connection:
        work(connection)
    assert plans
    assert [step for step in plans if not step["by"] and step["index"] not in FEW] == []


@pytest.mark.parametrize("ledger_url", ["postgresql"], indirect=True)
def test_no_plan_is_kept_from_when_a_table_was_empty(ledger):
    """It would read the table whole: with 23,000 events a commit took three times as long as with 2,000."""
    with ledger.write() as connection:
        for number in range(12):  # prepared at the fifth, and five more until a plan is kept
            accepted(connection, f"d{number}")
        kept = connection.exec_driver_sql("SELECT sum(generic_plans), sum(custom_plans) FROM pg_prepared_statements")
        generic, custom = kept.one()
    assert generic == 0
    assert custom > 5


@pytest.mark.parametrize("work", [models.page, lambda c: models.get_model(c, "model-1")], ids=["all", "one"])
def test_models_are_told_by_looking_things_up(ledger, plans, work):
    """SQLite alone: PostgreSQL reads tables of a few hundred rows whole, and is right."""
    with ledger.read() as connection:
        assert work(connection)
    assert [step for step in plans if not step["by"] and step["index"] not in FEW] == []


@pytest.mark.both_ledgers
@pytest.mark.parametrize(("table", "latest"), NEWEST.items(), ids=NEWEST)
def test_the_newest_are_read_from_the_end_without_sorting_all(ledger, plans, table, latest):
    with ledger.read() as connection:
        assert len(latest(connection, limit=7)) == 7
    own = "INTEGER PRIMARY KEY" if ledger.engine.dialect.name == "sqlite" else f"pk_{table}"
    assert {step["index"] for step in plans} <= {None, own}


def test_the_journal_is_followed_from_its_place_on(ledger, plans):
    """On SQLite: PostgreSQL reads a journal as short as that of a test whole."""
    with ledger.read() as connection:
        stream.after(connection, 7, limit=2000, detailed=["held"])
    assert {step["table"] for step in plans} == {"journal", "events", "tasks"}
    assert all(step["by"] for step in plans)


@pytest.mark.parametrize("past", [holdings.ALL, holdings.HistoryFilter("Production")], ids=["all", "a stage"])
def test_a_page_of_a_long_history_costs_what_one_of_a_short_one_does(ledger, past):
    fill(ledger, FILLED, models=10)  # each tenth event is a promotion, all of one model
    with ledger.read() as connection:
        whole = holdings.history(connection, "model-0")
        short, long = (
            _steps(
                connection, lambda before=before: holdings.history(connection, "model-0", past, before=before, limit=20)
            )
            for before in (whole[25].seq, whole[-1].seq)
        )
    assert long < short * 1.3


def _steps(connection, work) -> int:
    """SQLite's own, in tens."""
    steps: list[int] = []
    driver = connection.connection.dbapi_connection
    driver.set_progress_handler(lambda: steps.append(1), 10)
    work()
    driver.set_progress_handler(None, 10)
    return len(steps)


def test_dead_letters_of_a_model_with_most_of_the_events_are_found_as_those_of_all(ledger):
    fill(ledger, FILLED, models=1)
    with ledger.read() as connection:
        of_it, of_all = (
            _steps(connection, lambda model=model: dead_letters.list_dead_letters(connection, model=model))
            for model in ("model-0", None)
        )
    assert of_it < of_all * 1.3


@pytest.mark.edits_the_record
def test_a_page_of_a_long_journal_costs_what_one_of_a_short_one_does(ledger):
    """Wherever its times are, and also for a model that has few entries, or none."""
    found = {}
    with ledger.write() as connection:
        for count in (800, 4000):
            rows = [_entry(number) for number in range(connection.execute(_JOURNAL_SIZE).scalar() + 1, count + 1)]
            connection.execute(insert(tables.journal), rows)
            for name, asked in _of_journal(count).items():
                found[name, count] = _steps(
                    connection, lambda asked=asked: list(stream.entries(connection, limit=100, **asked))
                )
    for name in _of_journal(0):
        assert found[name, 4000] < found[name, 800] * 1.5, name


_JOURNAL_SIZE = select(func.count()).select_from(tables.journal)


def _of_journal(count: int) -> dict[str, dict[str, Any]]:
    middle = NOON + timedelta(hours=count // 2)
    return {
        "all": {},
        "after": {"after": count // 2},
        "since": {"since": middle},
        "until": {"since": middle, "until": middle + timedelta(hours=7)},
        "a model": {"model": "model-1"},
        "a model that has none": {"model": "model-x"},
        "a model since": {"model": "model-1", "since": middle},
    }


def _entry(number: int) -> dict[str, Any]:
    said = {"kind": "held", "model": f"model-{number % 4}", "event_type": "model.observe", "source": "ci", "body": "{}"}
    same = dict.fromkeys(("event_id", "actor", "actor_name", "body_sha256"), "x")
    chained = {"previous": str(number - 1) if number > 1 else append.GENESIS, "hash": str(number)}
    return {**said, **same, **chained, "seq": number, "at": NOON + timedelta(hours=number)}


def test_who_finishes_finds_the_next_of_a_long_lane_as_soon_as_of_a_short_one(ledger):
    few, many = (_steps_of_a_finish(ledger, f"model-{waiting}", waiting) for waiting in (3, 1000))
    assert many < few * 1.3


def _steps_of_a_finish(ledger, model: str, waiting: int) -> int:
    meant = Event(parse("training_run.finished", {"model": model, "run_id": "r1"}), Actor("source:ci", "ci"), NOON)
    arrivals = [Arrival(Delivery("ci", f"{model}-{number}", "0" * 64), [meant], NOON) for number in range(waiting)]
    with ledger.write() as connection:
        first, second = (answer.task_messages[0] for answer in accept_all(connection, arrivals)[:2])
        task = tasks.claim(connection, first.task_id, at=NOON)
    rung = []
    with ledger.write() as connection:
        steps = _steps(
            connection, lambda: rung.extend(tasks.finish(connection, task, "succeeded", Outcome("done"), at=NOON))
        )
    assert rung == [second]
    return steps
