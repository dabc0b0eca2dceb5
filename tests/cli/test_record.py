"""`registrar history`, `events`, `rejections`, `migrate`: what the ledger says, for people and for programs."""

import json
from datetime import timedelta

from registrar.cli import formatting
from registrar.ledger import rejections
from registrar.ledger.schema import HEAD
from registrar.local.data_folder import Folder
from registrar.queries import query_service
from tests.cli.conftest import EVENING, NOON, approve


def rows(output: str) -> list[str]:
    return [" ".join(line.split()) for line in output.splitlines() if line.strip()]


def test_history_says_which_version_was_production_when_and_by_whose_event(run, record):
    first, second = approve(record, 1, NOON), approve(record, 2, EVENING, who="Grace")
    result = run("history", "taxi")
    assert result.exit_code == 0, result.output
    then, evening = "2026-11-22 12:00:00 UTC", "2026-11-22 18:00:00 UTC"
    assert rows(result.output) == [
        "holds version since until by approved by event type event why why it ended",
        f"@champion 2 {evening} now Grace - promotion.approve {second} - -",
        f"Production 2 {evening} now Grace - promotion.approve {second} - -",
        f"@champion 1 {then} {evening} Ada - promotion.approve {first} - promotion.approve by Grace",
        f"Production 1 {then} {evening} Ada - promotion.approve {first} - promotion.approve by Grace",
    ]


def test_history_at_a_time_says_who_held_what_then(run, record):
    approve(record, 1, NOON)
    approve(record, 2, EVENING)
    for at, version in (("2026-11-22T13:00", 1), ("2026-11-22 18:00:00 UTC", 2), ("2026-11-22T18:30:00+01:00", 1)):
        found = json.loads(run("history", "taxi", "--at", at, "--json").output)
        assert {(holding["key"], holding["version"]) for holding in found} == {
            ("Production", version),
            ("champion", version),
        }


def test_history_says_which_version_was_production_on_a_day(run, record):
    for day in range(4):
        approve(record, day + 1, NOON + timedelta(days=day))
    asked = ("history", "taxi", "--target", "production", "--since", "2026-11-23", "--until", "2026-11-24")
    found = [(row["key"], row["version"]) for row in json.loads(run(*asked, "--json").output)]
    assert found == [("Production", 2), ("Production", 1)]
    assert [row.split()[1] for row in rows(run(*asked, "--limit", "1").output)[1:]] == ["2"]


def test_a_long_history_is_printed_page_by_page_in_columns(run, record, monkeypatch):
    for number in range(1, 6):
        approve(record, number, NOON + timedelta(hours=number))
    monkeypatch.setattr(query_service, "MOST", 3)
    printed: list[str] = []
    monkeypatch.setattr(formatting.click, "echo", lambda text="", **_: printed.append(text))
    run("history", "taxi", "--target", "@champion")
    assert len(printed) == 2
    lines = [line for page in printed for line in page.splitlines()]
    assert [line.split()[1] for line in lines] == ["version", "5", "4", "3", "2", "1"]
    assert len({line.index("2026") for line in lines[1:]}) == 1
    monkeypatch.undo()
    assert [row["version"] for row in json.loads(run("history", "taxi", "--target", "@champion", "--json").output)] == [
        5,
        4,
        3,
        2,
        1,
    ]


def test_a_target_that_is_none_is_said(run, record):
    result = run("history", "taxi", "--target", "champion")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "an alias such as @champion" in result.stderr


def test_history_of_nothing_is_a_sentence_and_for_programs_an_empty_list(run, record):
    approve(record, 1, NOON)
    result = run("history", "taxi", "--at", "2026-11-22")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr.startswith("no version of taxi held a stage or an alias at 2026-11-22 00:00:00 UTC")
    assert json.loads(run("history", "taxi", "--at", "2026-11-22", "--json").stdout) == []


def test_history_of_a_model_that_nobody_knows_is_an_error(run, record, data):
    approve(record, 1, NOON)
    for json_ in ((), ("--json",)):
        result = run("history", "taxy", *json_)
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr == "registrar: the ledger knows no model taxy; did you mean taxi?\n"
    targets = "{targets: [{stage: Staging, approval: automatic}]}"
    (data / "registrar.yml").write_text(f"version: 1\nmodels: {{taxy: {targets}}}\n")
    assert run("history", "taxy").exit_code == 0


def test_a_time_that_is_none_is_explained(run, record):
    result = run("history", "taxi", "--at", "yesterday")
    assert result.exit_code == 2
    assert "2026-11-22T14:30" in result.stderr


def test_events_are_listed_newest_first_with_whole_ids(run, record):
    ids = [approve(record, version, NOON) for version in (1, 2, 3)]
    output = run("events", "--limit", "2").output
    assert [row.split()[-1] for row in rows(output)[1:]] == [ids[2], ids[1]]
    assert [event["id"] for event in json.loads(run("events", "--json").output)] == ids[::-1]


def test_an_event_is_shown_with_what_came_of_it(run, record):
    event_id = approve(record, 1, NOON)
    output = run("events", "show", event_id).output
    assert "worker.vote: version 1 is in Production" in output
    assert rows(output)[2] == "state succeeded"
    assert json.loads(run("events", "show", event_id, "--json").output)["tasks"][0]["state"] == "succeeded"


def test_an_event_that_is_not_there_is_one_line_and_exit_1(run, record):
    result = run("events", "show", "evt_x")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "registrar: the ledger has no event evt_x; `registrar events` lists those it has\n"


def test_refusals_are_listed_with_their_reasons(run, record):
    with record.write() as connection:
        rejections.record(
            connection, source="ci", status=401, code="bad_signature", detail="it is not [bold]signed", size=12, at=NOON
        )
    assert rows(run("rejections").output)[1] == "2026-11-22 12:00:00 UTC ci 401 bad_signature 12 it is not [bold]signed"
    assert json.loads(run("rejections", "--json").output)[0]["at"] == "2026-11-22T12:00:00+00:00"


def test_migrate_makes_the_ledger_and_may_run_again(run):
    for _ in range(2):
        assert run("migrate").stdout == f"the ledger is at revision {HEAD}\n"


def test_a_ledger_without_a_schema_says_what_to_do(run):
    result = run("events")
    assert result.exit_code == 1
    said = f"registrar: the ledger is at revision none, this version needs {HEAD}: run `registrar migrate`\n"
    assert result.stderr == said


def test_a_ledger_that_cannot_be_opened_is_one_line(run, monkeypatch):
    monkeypatch.setenv("REGISTRAR_LEDGER_URL", "sqlite:////nonexistent/ledger.db")
    result = run("events")
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert "unable to open database file" in result.stderr


def test_an_address_that_is_no_databases_is_one_line(run, monkeypatch):
    monkeypatch.setenv("REGISTRAR_LEDGER_URL", "nonsense")
    result = run("events")
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "REGISTRAR_LEDGER_URL" in result.stderr


def test_other_commands_see_the_folders_ledger(run, record, data):
    assert Folder(data).ledger_url == str(record.engine.url)
    assert run("events").exit_code == 0
