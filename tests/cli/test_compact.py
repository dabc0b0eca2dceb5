"""`registrar compact` and `compact show`, and what other commands say of what went."""

import json
from datetime import UTC, datetime, timedelta

from registrar.events.event import Actor, Event
from registrar.events.outcome import Outcome
from registrar.events.types import parse
from registrar.ledger import tasks
from registrar.ledger.deliveries import accept
from registrar.ledger.event_rows import Delivery
from registrar.ledger.queries import archivable_tasks
from tests.cli.conftest import NOON, approve
from tests.cli.test_record import rows

OLD = datetime(2025, 3, 1, tzinfo=UTC)
KEPT = "1 event of that age stays whole: an open promotion, a deployment under way or a present holder rests on it"


def test_what_is_old_goes_into_the_folder_and_is_shown_from_there(run, record, data):
    old = fact(record, OLD)
    assert [" ".join(row.split()) for row in rows(run("compact", "--older-than", "90d", "--plan").stdout)] == [
        "kind month rows tasks",
        "events 2025-03 1 1",
    ]
    written = run("compact", "--older-than", "90d", "--json")
    assert written.exit_code == 0, written.output
    [file] = (data / "archive").iterdir()
    assert [each["path"] for each in json.loads(written.stdout)] == [str(file)]
    missing = run("events", "show", old)
    assert (missing.exit_code, f"into {file}: registrar compact show {old}" in missing.stderr) == (1, True)
    assert f"registrar compact show {old}" in run("replay", old, "--plan").stderr
    shown = run("compact", "show", old)
    assert f"archive      {file.name}" in shown.output
    assert "worker.report" in shown.output
    assert json.loads(run("compact", "show", old, "--json").output)["id"] == old


def test_files_that_were_moved_are_found_where_one_says(run, record, data, tmp_path):
    old = fact(record, OLD)
    run("compact", "--older-than", "90d", "--to", str(tmp_path / "a"))
    (tmp_path / "a").rename(tmp_path / "b")
    lost = run("compact", "show", old)
    assert (lost.exit_code, "say --from FOLDER if it was moved" in lost.stderr) == (1, True)
    assert run("compact", "show", old, "--from", str(tmp_path / "b")).exit_code == 0


def test_a_place_that_ends_with_the_command_is_refused_and_nothing_goes(run, record):
    old = fact(record, OLD)
    for where in ("memory://x", "simplecache::memory://x"):
        refused = run("compact", "--older-than", "90d", "--to", where)
        assert (refused.exit_code, f"{where} ends with this command" in refused.stderr) == (1, True)
    assert run("events", "show", old).exit_code == 0


def test_history_stays_and_that_is_said(run, record):
    here = approve(record, 1, OLD)
    planned = run("compact", "--older-than", "90d", "--plan")
    assert KEPT in planned.stderr
    planned = json.loads(run("compact", "--older-than", "90d", "--plan", "--json").stdout)["archive"]
    assert [(each["kind"], each["rows"]) for each in planned] == [("journal", 1)]
    run("compact", "--older-than", "90d")
    assert run("compact", "--older-than", "90d").stderr == "nothing was old enough and could go\n"
    assert run("events", "show", here).exit_code == 0


def test_too_short_an_age_and_none_are_refused_in_a_sentence(run, record):
    for words, said in {
        ("--older-than", "6d"): "6d is too short: what is younger than 7d",
        ("--older-than", "soon"): "'soon' is no age such as 90d",
        (): "--older-than 90d",
    }.items():
        refused = run("compact", *words)
        assert (refused.exit_code, said in " ".join(refused.stderr.split())) == (2, True)


def test_an_event_that_is_not_archived_is_said_to_be_there_or_nowhere(run, record):
    here = approve(record, 1, NOON)
    assert f"registrar events show {here}" in run("compact", "show", here).stderr
    assert "never archived one" in run("compact", "show", "evt_0").stderr


def fact(record, at: datetime) -> str:
    """An event that was done, and changed nothing."""
    event = Event(parse("training_run.failed", {"model": "taxi"}), Actor("ada", "Ada"), at)
    with record.write() as connection:
        receipt = accept(connection, Delivery("ci", "old", "a" * 64), [event], at=at)
        task = tasks.claim(connection, receipt.task_messages[0].task_id, at=at)
        assert task
        tasks.finish(connection, task, "succeeded", Outcome("people were told"), at=at)
    return receipt.events[0][0]


def test_its_former_name_is_about_versions_now_and_says_so(run, record):
    former = run("archive", "--older-than", "90d", "--plan", "--json")
    assert (former.exit_code, "old events go into files by `registrar compact`" in former.stderr) == (2, True)
    assert run("archive", "show", "evt_0").exit_code == 2


def test_tasks_and_entries_that_went_are_told_and_verified(run, record, data, monkeypatch):
    monkeypatch.setattr(archivable_tasks, "NEWEST", 1)
    first = approve(record, 1, OLD)
    approve(record, 2, OLD + timedelta(hours=1))
    before = run("history", "taxi", "--json").stdout, run("audit", "export", "--format", "jsonl").stdout
    run("compact", "--older-than", "90d")
    assert (run("history", "taxi", "--json").stdout, run("audit", "export", "--format", "jsonl").stdout) == before
    assert (
        f"its tasks succeeded, and were archived: registrar compact show {first}" in run("events", "show", first).output
    )
    assert "worker.vote" in run("compact", "show", first).output
    (data / "archive").rename(data / "moved")
    moved = run("audit", "export", "--format", "jsonl", "--from", str(data / "moved"))
    assert moved.stdout == before[1]
    lost = run("audit", "export", "--format", "jsonl")
    assert (lost.exit_code, "--from FOLDER if it was moved" in lost.stderr) == (1, True)
    (data / "moved").rename(data / "archive")
    verified = run("audit", "verify", "--offline")
    assert (verified.exit_code, "2 archive files are as written" in verified.stdout) == (0, True)


def test_a_file_that_was_lost_or_altered_is_told_by_the_audit(run, record, data, monkeypatch):
    monkeypatch.setattr(archivable_tasks, "NEWEST", 1)
    approve(record, 1, OLD)
    approve(record, 2, OLD + timedelta(hours=1))
    run("compact", "--older-than", "90d")
    [file] = (data / "archive").glob("tasks-*")
    [journal] = (data / "archive").glob("journal-*")
    whole = file.read_bytes()
    file.write_bytes(whole + b"x")
    altered = run("audit", "verify", "--offline")
    assert (altered.exit_code, f"{file} is not as it was written" in altered.stderr) == (2, True)
    file.unlink()
    lost = run("audit", "verify", "--offline")
    assert (lost.exit_code, f"lost: {file} is not there" in lost.stderr) == (1, True)
    assert json.loads(run("audit", "verify", "--offline", "--json").stdout)["files"]["intact"] == 1
    journal.rename(journal.with_suffix(".away"))
    no_proof = run("audit", "verify", "--offline")
    unproven = f"{journal} is not there; say --from FOLDER if it was moved, or restore it from its backup;"
    assert (no_proof.exit_code, f"{unproven} without it nothing up to entry " in no_proof.stderr) == (1, True)
