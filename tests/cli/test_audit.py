"""`registrar audit`: the chain is verified in place and from a file, and exported for people and machines."""

import csv
import io
import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from mlflow import MlflowClient
from sqlalchemy import text

from registrar.ledger import Ledger
from registrar.ledger.engine import now
from registrar.ledger.holders import HoldingStarted
from registrar.ledger.votes import VoteCast
from registrar.text.sanitize import shown
from tests.cli.conftest import EVENING, NOON, approve
from tests.ledger.chain import scene
from tests.mlflow_server import train


@pytest.fixture
def head(record) -> str:
    """Of a journal of six entries."""
    approve(record, 1, NOON)
    approve(record, 2, EVENING, who="Grace")
    newest = scene(record).entries()[-1]
    return f"{newest.seq}:{newest.hash}"


def export(run, tmp_path, *options: str) -> str:
    path = str(tmp_path / "export.jsonl")
    assert run("audit", "export", "--format", "jsonl", "--output", path, *options).exit_code == 0
    return path


def test_an_intact_journal_is_one_line_with_its_head_and_exit_0(run, record, head):
    for result in (run("audit", "verify", "--offline"), run("audit", "verify", "--offline", "--expect", head)):
        assert (result.exit_code, result.stdout, result.stderr) == (0, f"6 entries, intact; head {head}\n", "")


def test_damage_is_told_with_its_entry_and_exit_2(run, record, head):
    with record.write() as connection:
        connection.execute(text("UPDATE holders SET actor = 'eve' WHERE version = 2"))
    result = run("audit", "verify")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "holders taxi stage Production 2 2026-11-22T18:00:00.000000+00:00: entry 4 says actor grace" in result.stderr


def test_a_head_that_never_was_is_exit_2(run, record, head):
    seq, _, digest = head.partition(":")
    for wrong, said in ((f"9:{digest}", "cut off"), (f"{seq}:{'0' * 64}", "written anew")):
        result = run("audit", "verify", "--expect", wrong)
        assert (result.exit_code, result.stdout) == (2, "")
        assert said in result.stderr


@pytest.mark.parametrize("wrong", ["6", "6:abc", "x:" + "0" * 64])
def test_a_head_that_is_none_is_explained(run, record, wrong):
    result = run("audit", "verify", "--expect", wrong)
    assert result.exit_code == 2
    assert "as `registrar audit verify` prints it" in result.stderr


def test_an_export_is_verified_without_the_ledger(run, record, head, tmp_path, monkeypatch):
    path = export(run, tmp_path)
    monkeypatch.setenv("REGISTRAR_LEDGER_URL", "sqlite:////nonexistent/ledger.db")
    result = run("audit", "verify", "--file", path, "--expect", head)
    assert (result.exit_code, result.stdout) == (0, f"6 entries, intact; head {head}\n")


def test_an_export_with_a_line_less_or_another_word_is_exit_2(run, record, head, tmp_path):
    path = export(run, tmp_path)
    whole = Path(path).read_text().splitlines(keepends=True)
    for changed, said in (
        (whole[:2] + whole[3:], "entry 3 is missing"),
        ([line.replace("Ada", "Eve") for line in whole], "entry 1 was altered"),
        ([*whole, "{"], "line 7 is no entry"),
        ([*whole, "[" * 100_000], "line 7 is no entry"),
        ([*whole, '{"seq": 7}\n'], "has not the columns"),
        ([*whole, whole[-1]], "after entry 6 comes 6"),
        ([whole[0].replace('"seq": 1', '"seq": true')], "after entry 0 comes True"),
    ):
        Path(path).write_text("".join(changed))
        result = run("audit", "verify", "--file", path)
        assert (result.exit_code, result.stdout) == (2, "")
        assert said in result.stderr


def test_a_part_is_verified_as_a_part(run, record, head, tmp_path):
    town = scene(record)
    for model in ("other", "taxi"):
        town.write(HoldingStarted(model, "stage", "Staging", 3))
    path = export(run, tmp_path, "--model", "taxi", "--since", "2026-11-22T13:00")
    assert run("audit", "verify", "--file", path).exit_code == 2
    result = run("audit", "verify", "--file", path, "--part", "--expect", head)
    assert (result.exit_code, result.stdout[:31]) == (0, "5 entries, each intact, a part;")
    assert run("audit", "verify", "--part").exit_code == 2


def test_times_and_models_choose_what_is_exported(run, record, head):
    def exported(*options: str) -> list[int]:
        lines = run("audit", "export", "--format", "jsonl", *options).stdout.splitlines()
        return [json.loads(line)["seq"] for line in lines]

    assert exported() == [1, 2, 3, 4, 5, 6]
    assert exported("--model", "taxi", "--until", "2026-11-22T18:00") == [1, 2]
    assert exported("--since", "2026-11-22T18:00") == [3, 4, 5, 6]
    assert exported("--model", "other") == []


def test_a_spreadsheet_gets_rows_and_no_formula(run, record):
    town = scene(record)
    town.write(VoteCast(None, "reject", False, '=HYPERLINK("http://evil")\r\n,'), actor='=cmd|"/C calc"!A0')
    result = run("audit", "export", "--format", "csv")
    [heading, row] = list(csv.reader(io.StringIO(result.stdout, newline="")))
    assert heading[:4] == ["seq", "at", "kind", "model"]
    found = dict(zip(heading, row, strict=True))
    assert (found["actor"], found["seq"]) == ('\'=cmd|"/C calc"!A0', "1")
    assert json.loads(found["said"])["why"] == '=HYPERLINK("http://evil")\r\n,'
    assert found["hash"] == town.entries()[0].hash
    assert result.stdout_bytes.count(b"\r\n") == 2


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t", "\r"])
def test_every_sign_that_begins_a_formula_is_defused(run, record, begin):
    scene(record).write(VoteCast(None, "reject", False, ""), actor=f"{begin}1+1")
    [_, row] = list(csv.reader(io.StringIO(run("audit", "export", "--format", "csv").stdout, newline="")))
    assert shown(f"'{begin}1+1") in row


def by_the_doc(path: str) -> tuple[int, str]:
    """docs/how-to/audit.md's own lines, in a Python that has nothing installed."""
    doc = (Path(__file__).parents[2] / "docs" / "how-to" / "audit.md").read_text()
    code = doc.partition("<!-- verify.py -->\n```python\n")[2].partition("```")[0]
    command = [sys.executable, "-I", "-S", "-c", code, path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


def test_an_auditor_verifies_an_export_by_the_lines_of_the_doc(run, record, head, tmp_path):
    path = export(run, tmp_path)
    assert by_the_doc(path) == (0, f"6 entries, intact; head {head}\n")


def test_the_lines_of_the_doc_find_what_is_wrong(run, record, head, tmp_path):
    path = export(run, tmp_path)
    whole = Path(path).read_text().splitlines(keepends=True)
    column = whole[2].replace('"actor": "grace"', '"actor": "eve"')
    for changed, said in (
        (whole[:2] + whole[3:], "entry 3 is missing or does not follow the one before\n"),
        ([line.replace("Ada", "Eve") for line in whole], "entry 1 was altered\n"),
        ([*whole[:2], column], "entry 3: a column is not as its text says\n"),
    ):
        Path(path).write_text("".join(changed))
        assert by_the_doc(path) == (1, said)


@pytest.fixture
def mlflow(mlflow_address, monkeypatch) -> MlflowClient:
    """A real one, with versions 1 and 2 of the model as the record has them."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_address)
    client = MlflowClient(mlflow_address)
    make(client)
    yield client
    client.delete_registered_model("fares")


def make(client: MlflowClient) -> None:
    run = client.get_run(train(client))
    client.create_registered_model("fares")
    for _ in range(2):
        client.create_model_version("fares", f"{run.info.artifact_uri}/model", run_id=run.info.run_id)
    client.transition_model_version_stage("fares", "2", "Production")
    client.set_registered_model_alias("fares", "champion", "2")


@pytest.fixture
def held(record, mlflow) -> Ledger:
    """By the record, since after MLflow made them: version 2 took Production from version 1."""
    for version in (1, 2):
        approve(record, version, now(), model="fares")
    return record


def test_what_mlflow_shows_as_the_record_has_it_is_no_difference(run, held):
    result = run("audit", "verify")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "shows otherwise" not in result.stdout


def test_what_mlflow_shows_otherwise_is_told_and_the_record_intact(run, held, mlflow):
    mlflow.transition_model_version_stage("fares", "1", "Production")
    mlflow.delete_registered_model_alias("fares", "champion")
    result = run("audit", "verify")
    assert (result.exit_code, result.stderr) == (1, "")
    assert result.stdout.splitlines()[1:] == [
        "the record is intact; MLflow shows otherwise:",
        "  fares: @champion is version 2 by the record; MLflow shows nothing",
        "  fares: Production is version 2 by the record; MLflow shows version 1 and 2",
    ]
    assert run("audit", "verify", "--offline").exit_code == 0
    assert len(json.loads(run("audit", "verify", "--json").stdout)["mlflow"]) == 2


def test_a_version_that_is_gone_from_mlflow_is_told(run, held, mlflow):
    mlflow.transition_model_version_stage("fares", "2", "Archived")
    mlflow.delete_model_version("fares", "2")
    result = run("audit", "verify")
    assert result.exit_code == 1
    assert "fares version 2 has Production, @champion by the record; MLflow has no such version" in result.stdout


def test_a_version_that_was_made_anew_is_told(run, record, mlflow):
    """With a number, a stage and an alias like the one that the record is about."""
    long_ago = now() - timedelta(hours=1)
    for version in (1, 2):
        approve(record, version, long_ago, model="fares")
    result = run("audit", "verify")
    assert result.exit_code == 1
    assert "fares version 2 was made anew in MLflow at " in result.stdout


def test_a_version_that_no_search_shows_is_not_taken_for_gone(run, held, mlflow):
    mlflow.set_model_version_tag("fares", "2", "mlflow.prompt.is_prompt", "true")
    assert run("audit", "verify").exit_code == 0


def test_an_mlflow_that_does_not_answer_fails_no_proof(run, record, head):
    result = run("audit", "verify")
    assert (result.exit_code, result.stdout) == (0, f"6 entries, intact; head {head}\n")
    assert "MLflow was not asked what it shows: http://127.0.0.1:2" in result.stderr
    assert "refuses connections" in result.stderr


def test_damage_comes_before_what_mlflow_shows(run, held, mlflow):
    mlflow.delete_registered_model_alias("fares", "champion")
    with held.write() as connection:
        connection.execute(text("UPDATE holders SET actor = 'eve' WHERE version = 2"))
    result = run("audit", "verify")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "the table says actor eve" in result.stderr
