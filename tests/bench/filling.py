"""A ledger with a past: events that were done, with all that comes of them, written by the database itself."""

from sqlalchemy import Connection, text

from registrar.ledger import Ledger

# {numbers}: a table n(i) of 1 to :count. {id}: 32 random hex digits. {time}: of event i, 30 s after the one before.
_EVENTS = """INSERT INTO events
(id, source, delivery_id, position, body_sha256, type, model, actor, actor_name, occurred_at, accepted_at, data)
SELECT 'evt_' || {id}, 'ci', 'past_' || i || '_' || {id}, 0, {id} || {id}, 'training_run.finished',
'model-' || (i % :models), 'source:ci', 'ci', {time}, {time},
{json}'{{"model": "model-' || (i % :models) || '", "run_id": "0123456789abcdef0123456789abcdef", "metrics": {{}},
"tags": {{"git_sha": "0123456789abcdef0123456789abcdef01234567", "pipeline": "nightly"}}}}'{as_json}
FROM {numbers}"""
_TASKS = """INSERT INTO tasks
(id, event_id, event_seq, name, lane, args, state, attempts, not_before, dispatch_at, outcome, error, created_at,
started_at, finished_at)
SELECT 'tsk_' || {id}, id, seq, '{name}', '{lane}' || {of}, {json}'{{}}'{as_json}, '{state}', 1, accepted_at,
accepted_at, {json}'{{"summary": "done as it was asked for, in the past", "facts": [{facts}],
"follow_ups": []}}'{as_json}, NULL, accepted_at, accepted_at, accepted_at FROM events WHERE {which}"""
# Of the version that an event registered: its number is the event's.
_REGISTERED = """{"type": "model_version.registered", "text": "registered", "model": "' || model || '",
"version": ' || seq || ', "details": {"run_id": "run-' || seq || '", "commit": "0123456789abcdef",
"metrics": {"rmse": ' || (seq % 97) || ', "mae": ' || (seq % 89) || '}}, "to": []}"""
_STATES = """INSERT INTO version_states (model, version, version_created_at, key, value, at, event_id)
SELECT model, seq, accepted_at, 'registrar.registrant', actor, accepted_at, id FROM events"""
_INCARNATIONS = """INSERT INTO incarnations (model, version, created_at, run_id, source, registry, event_id, at)
SELECT model, seq, accepted_at, 'run-' || seq, 'models:/m-' || seq, 'http://127.0.0.1:5000', id, accepted_at
FROM events WHERE seq % 10 = 0"""
_PROMOTIONS = """INSERT INTO promotions
(id, model, version, target, state, requested_by, event_id, evidence, created_at, decided_at, decided_by)
SELECT 'prm_' || seq, model, seq, 'Production', 'promoted', actor, id,
{json}'{{"gates": [{{"gate": "rmse < 100", "passed": true, "reason": "rmse is < 100", "value": ' || (seq % 97) || '}}],
"policy_digest": "d"}}'{as_json}, accepted_at, accepted_at, actor
FROM events WHERE seq % 10 = 0"""
_VOTES = """INSERT INTO votes (promotion_id, event_id, actor, verdict, counted, why, at)
SELECT 'prm_' || seq, id, actor, 'approve', {true}, '', accepted_at FROM events WHERE seq % 10 = 0"""
_HOLDERS = """INSERT INTO holders
(model, kind, key, version, since, until, event_id, actor, actor_name, until_event_id, promotion_id)
SELECT model, 'stage', 'Production', seq, accepted_at, accepted_at, id, actor, actor_name, id, 'prm_' || seq
FROM events WHERE seq % 10 = 0"""
_DEPLOYMENTS = """INSERT INTO deployments
(id, model, version, target, state, event_id, requested_at, ended_at, ended_by, on_failure)
SELECT 'dep_' || seq, model, seq, 'Production', 'live', id, accepted_at, accepted_at, id, 'alert'
FROM events WHERE seq % 10 = 0"""
_ARCHIVE = """INSERT INTO archives (name, folder, kind, month, started_at, done_at)
VALUES ('events-2025-08-0.jsonl.gz', '/var/lib/registrar', 'events', '2025-08', {now}, {now})"""
_ARCHIVED = """INSERT INTO archived (event_id, source, delivery_id, position, body_sha256, type, archive_seq)
SELECT 'evt_' || {id}, 'ci', 'long_past_' || i || '_' || {id}, 0, {id} || {id}, 'training_run.finished',
(SELECT min(seq) FROM archives) FROM {numbers}"""
_REJECTIONS = """INSERT INTO rejections (at, source, status, code, detail, size)
SELECT {time}, 'ci', 401, 'bad_signature', 'no signature of the source ci fits', 931 FROM {numbers} WHERE i % 10 = 0"""

_SQLITE = {
    "numbers": "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :count) SELECT i FROM n)",
    "id": "lower(hex(randomblob(16)))",
    "time": "strftime('%Y-%m-%d %H:%M:%f', '2025-09-01', '+' || (i * 30) || ' seconds') || '000'",
    "now": "'2026-09-01 00:00:00.000000'",
    "true": "1",
    "json": "(",
    "as_json": ")",
}
_POSTGRESQL = {
    "numbers": "generate_series(1, CAST(:count AS bigint)) AS n(i)",
    "id": "replace(CAST(gen_random_uuid() AS text), '-', '')",
    "time": "TIMESTAMPTZ '2025-09-01 00:00:00Z' + i * INTERVAL '30 seconds'",
    "now": "TIMESTAMPTZ '2026-09-01 00:00:00Z'",
    "true": "true",
    "json": "CAST(",
    "as_json": " AS json)",
}


def fill(ledger: Ledger, count: int, *, models: int, versions: bool = False) -> None:
    """Into an empty ledger: `count` events, two done tasks each, of every tenth a promotion that came about and a
    refusal beside it; every thousandth failed for good. As many were archived before.

    versions: each event also registered a version with a metric, as the tables of versions have it.
    """
    words = _SQLITE if ledger.engine.dialect.name == "sqlite" else _POSTGRESQL
    of_model = {
        "facts": _REGISTERED if versions else "",
        "name": "worker.register",
        "lane": "model:",
        "of": "model",
        "state": "succeeded",
        "which": "true",
    }
    told = {"facts": "", "name": "worker.notify", "lane": "notify:", "of": "id", "state": "succeeded", "which": "true"}
    failed = {**told, "name": "worker.describe", "state": "dead", "which": "seq % 1000 = 1"}
    with ledger.write() as connection:
        _cache(connection, kib=400_000)
        if connection.dialect.name == "postgresql":  # else it plans the look at each row's foreign key anew
            connection.execute(text("SET LOCAL plan_cache_mode = auto"))
        _run(connection, _EVENTS, words, count=count, models=models)
        for task in (of_model, told, failed):
            _run(connection, _TASKS, {**words, **task})
        for statement in (
            *((_STATES, _INCARNATIONS) if versions else ()),
            _PROMOTIONS,
            _VOTES,
            _HOLDERS,
            _DEPLOYMENTS,
            _ARCHIVE,
        ):
            _run(connection, statement, words)
        for statement in (_REJECTIONS, _ARCHIVED):
            _run(connection, statement, words, count=count)
        _cache(connection, kib=2_000)  # SQLite's own, as engine.py leaves it
        if connection.dialect.name == "postgresql":  # its autovacuum does it some time later; SQLite never does
            connection.execute(text("ANALYZE"))


def _cache(connection: Connection, *, kib: int) -> None:
    if connection.dialect.name == "sqlite":
        connection.execute(text(f"PRAGMA cache_size=-{kib}"))


def _run(connection: Connection, statement: str, words: dict[str, str], **values: int) -> None:
    connection.execute(text(statement.format(**words)), values)
