"""An auditor's five questions are answered from an export alone, by docs/how-to/audit/questions.py alone."""

import ast
import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from registrar.cli import main
from registrar.ledger.journal.export import jsonl
from registrar.ledger.journal.stream import entries
from tests.actions.test_history import TWO, approve
from tests.ledger.test_migrations import empty, migrated  # noqa: F401 (a fixture)
from tests.worker.harness import ADA, BOB, EVE, KEY, WorkerHarness

pytestmark = pytest.mark.both_ledgers

SCRIPT = Path(__file__).parents[2] / "docs" / "how-to" / "audit" / "questions.py"
ADOPTS = TWO.replace("  taxi:\n", "  taxi:\n    drift: adopt\n")


@pytest.fixture
def life(ledger, tmp_path) -> WorkerHarness:
    """Version 1 was approved by two; 2 came by broken glass and was rolled back; 3 came by hand, and was adopted."""
    harness = WorkerHarness(ledger, tmp_path, policy=ADOPTS)
    if f"{harness.now():%H}" == "23":  # it is all on one day
        harness.jump(timedelta(hours=1))
    harness.registry.files["models/taxi/1"] = {"MLmodel": b""}
    trained(harness, "r1")
    for person, reason in ((ADA, "better at night"), (BOB, "fine")):
        approve(harness, person, reason=reason)
    trained(harness, "r2")
    because = "fares are wrong since noon"
    harness.post("promotion.approve", by=EVE, model="taxi", version=2, break_glass=True, reason=because)
    harness.post("model.rollback", by=ADA, model="taxi", reason="worse")
    trained(harness, "r3")
    harness.registry.set_stage("taxi", 3, "Production")
    harness.post("registry.reconcile", model="taxi")
    return harness


def trained(harness: WorkerHarness, run: str) -> None:
    harness.registry.trained(run, rmse=5.0)
    harness.post("training_run.finished", model="taxi", run_id=run)


def exported(ledger_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """By the command, as an auditor is given it."""
    settings = {"CONFIG": "registrar.yml", "LEDGER_URL": ledger_url, "BROKER_URL": "memory://", "SECRET_KEY": KEY}
    for name, value in settings.items():
        monkeypatch.setenv(f"REGISTRAR_{name}", value)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    to = tmp_path / "all.jsonl"
    done = CliRunner().invoke(main, ["audit", "export", "--format", "jsonl", "--output", str(to)])
    assert done.exit_code == 0, done.output
    return to.read_text().splitlines(keepends=True)


def answers(export: list[str], *arguments: str) -> tuple[int, str]:
    """In a Python that has nothing installed."""
    command = [sys.executable, "-I", "-S", str(SCRIPT), *arguments]
    done = subprocess.run(command, input="".join(export), capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


def today(export: list[str]) -> str:
    return str(json.loads(export[-1])["at"][:10])


@pytest.fixture
def export(life, ledger, tmp_path, monkeypatch) -> list[str]:
    return exported(ledger.engine.url.render_as_string(hide_password=False), tmp_path, monkeypatch)


def test_which_version_held_production_that_day_and_who_approved_it(life, export):
    code, said = answers(export, "taxi", today(export))
    lines = said.splitlines()
    assert code == 0
    held = [line for line in lines if line.startswith("(a)")]
    assert [line.partition(" held ")[0] for line in held] == [f"(a) version {n}" for n in (1, 2, 1, 3)]
    assert held[-1].endswith(" to now")
    assert held[0].partition(" to ")[2] == held[1].partition(" from ")[2].partition(" to ")[0]
    first = lines[1 : lines.index(held[1])]
    assert [line.partition(" at ")[0] for line in first] == [
        "(b)   approve by Ada",
        "(b)   approve by Bob",
        "(b)   asked for by source:ci",
        f"(c)   policy {life.context.policy.digest('taxi')}, run r1",
    ]
    assert (first[0].endswith(": better at night"), first[1].endswith(": fine")) == (True, True)


def test_on_which_evidence_it_came_to_staging(life, export):
    _, said = answers(export, "taxi", today(export), "Staging")
    assert "(a) version 1 held Staging of taxi from " in said
    assert "(c)   passed: rmse 5 is < 7" in said


def test_who_had_something_moved_past_the_rules(life, export):
    _, said = answers(export, "taxi", today(export))
    past = [line.partition(" at ")[0].partition(" (rolled")[0] for line in said.splitlines() if line.startswith("(d)")]
    assert past == [
        "(d) glass broken for version 2: fares are wrong since noon, by Eve (eve)",
        "(d) version 2 was quarantined: worse",
        "(d) version 1 came to Production by a rollback, by Ada (ada)",
        "(d) version 2 came to Archived by a rollback, by Ada (ada)",
        "(d) version 3 came to Production by hand in MLflow, adopted, told by ci (source:ci)",
        "(d) version 1 came to Archived by hand in MLflow, told by ci (source:ci)",
    ]


def test_a_day_before_it_all_has_no_holder_and_another_model_no_past(export):
    said = answers(export, "taxi", "2020-01-01")[1]
    assert [line for line in said.splitlines() if line.startswith("(a)")] == [
        "(a) no version of taxi held Production on 2020-01-01, by this export"
    ]
    assert "(d) nothing went past the rules" in answers(export, "bus", today(export))[1]


def test_an_alias_is_asked_for_like_a_stage(export):
    _, said = answers(export, "taxi", today(export), "@champion")
    assert "(a) version 3 held @champion of taxi from " in said


def test_a_whole_export_says_its_head_and_holds_a_noted_one(export):
    last, middle = json.loads(export[-1]), json.loads(export[4])
    code, said = answers(export, "taxi", today(export), "Production", f"5:{middle['hash']}")
    assert (code, said.splitlines()[-1]) == (
        0,
        f"(e) {len(export)} entries, none missing or altered; head {last['seq']}:{last['hash']}",
    )


@pytest.mark.parametrize(
    "tampered",
    [
        lambda lines: [line.replace("Eve", "Ada") for line in lines],
        lambda lines: [*lines[:5], *lines[6:]],
        lambda lines: [*lines[:5], lines[6], lines[5], *lines[7:]],
        lambda lines: [*lines[:5], lines[5].replace('"actor": "', '"actor": "x'), *lines[6:]],
        lambda lines: [lines[0].replace('"seq": 1', '"seq": 2'), *lines[1:]],
        lambda lines: [*lines, "{"],
        lambda lines: [*lines, "[]"],
    ],
    ids=["another name", "one removed", "two exchanged", "a column", "a number", "no JSON", "no entry"],
)
def test_a_tampered_export_answers_nothing(export, tampered):
    code, said = answers(tampered(export), "taxi", today(export))
    assert code == 1
    assert said.startswith("(e) NOT WHOLE: line ")


def test_an_export_that_was_cut_off_or_written_anew_is_found_by_a_noted_head(export):
    last = json.loads(export[-1])
    for noted in (f"{last['seq']}:{last['hash']}", f"3:{last['hash']}"):
        code, said = answers(export[:-2], "taxi", today(export), "Production", noted)
        assert (code, said.partition(":")[0]) == (1, "(e) NOT WHOLE")


def test_what_was_carried_over_answers_too(empty):  # noqa: F811
    with migrated(empty).read() as connection:
        found = list(jsonl(entries(connection)))
    code, said = answers(found, "taxi", "2026-11-22")
    assert code == 0
    assert "(a) version 1 held Production of taxi from 2026-11-22T12:00" in said
    assert "(a) version 2 held Production of taxi from 2026-11-22T15:00" in said
    assert "(b)   approve by Bob at 2026-11-22T14:00:00.000000+00:00: ok" in said


def test_the_script_is_short_and_takes_nothing_of_ours():
    text = SCRIPT.read_text()
    imported = {name.name for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Import) for name in node.names}
    assert len(text.splitlines()) <= 67
    assert imported <= sys.stdlib_module_names
    assert "from " not in [line[:5] for line in text.splitlines()]
