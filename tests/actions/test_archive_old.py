"""Old versions are archived together; none that somebody needs goes, whatever happens in between."""

import json

import pytest
from sqlalchemy import select

from registrar.ledger.tables import tasks
from tests.actions.test_prune import again, killed_after, taken_up_again, trained
from tests.worker.harness import ADA, POLICY
from worker.actions import archive_old, query
from worker.registry.protocol import PermanentError, RetryableError

pytestmark = pytest.mark.both_ledgers


def archive(harness, **data) -> str:
    return harness.post("model.archive", model="taxi", **{"older_than": "90d", "keep": 1, **data})


def stages(harness) -> dict[int, str]:
    return {version.version: version.stage for version in harness.registry.versions("taxi")}


def archived(harness) -> list[int]:
    return sorted(number for number, stage in stages(harness).items() if stage == "Archived")


def asked(harness, **data) -> dict:
    event = harness.post("registry.query", by=ADA, **data)
    with harness.ledger.read() as connection:
        return connection.execute(select(tasks.c.outcome).where(tasks.c.event_id == event)).scalar_one()


def test_old_versions_are_archived_and_recorded_and_told_together(harness):
    trained(harness, 4)
    event = archive(harness, keep=2, reason="tidy")
    assert archived(harness) == [1, 2]
    assert harness.holding() == {"Archived": [1, 2]}
    assert harness.fact("model_version.archived") == "taxi versions 1, 2 archived by ci: tidy"
    assert [name for name, _ in harness.tasks_of(event)][:2] == ["archive_old", "archive_old"]
    before = harness.facts()
    harness.post("registry.reconcile", model="taxi")
    assert harness.facts() == before
    archive(harness, keep=2)
    assert harness.facts() == before


def test_what_is_young_or_among_the_newest_stays(harness):
    trained(harness, 2)
    trained(harness, 2, days=10)
    archive(harness, keep=3)
    assert archived(harness) == [1]
    archive(harness, keep=1, older_than="9d")
    assert archived(harness) == [1, 2, 3]


def needed(harness) -> None:
    """1 was in Production before 2, which is; 3 is in Staging and waits; 4 has an alias; 5 and 6 nobody needs."""
    for number in (1, 2, 3):
        harness.registry.trained(f"r{number}", rmse=5.0)
        harness.post("training_run.finished", model="taxi", run_id=f"r{number}")
        if number < 3:
            harness.post("promotion.approve", by=ADA, model="taxi", version=number)
    trained(harness, 3)
    harness.registry.set_alias("taxi", "shadow", 4)
    harness.later(days=100)


def test_what_somebody_needs_stays(harness):
    needed(harness)
    before = stages(harness)
    assert before == {1: "Archived", 2: "Production", 3: "Staging", 4: "None", 5: "None", 6: "None"}
    archive(harness)
    assert stages(harness) == before | {5: "Archived"}
    harness.registry.drop_alias("taxi", "shadow")
    harness.registry.set_stage("taxi", 3, "None")  # by hand: its request is open still
    archive(harness)
    assert stages(harness)[3] == "None"
    assert archived(harness) == [1, 4, 5]


def test_the_plan_says_of_each_version_why_and_moves_nothing(harness):
    needed(harness)
    written = list(harness.registry.writes)
    outcome = asked(harness, question="plan_archive", model="taxi", older_than="90d")
    assert outcome["answer"]["title"] == "taxi version 5 would be archived"
    rows = {row["version"]: (row["step"], "; ".join(row["reasons"])) for row in outcome["answer"]["plan"]["rows"]}
    assert rows[5] == ("archive", "")
    assert rows[1] == ("done", "")
    assert "it holds @champion; it is in Production" in rows[2][1]
    assert "its promotion to Production is awaiting approval" in rows[3][1]
    assert rows[4][1] == "it holds @shadow"
    assert rows[6][1] == "it is one of the newest 1"
    assert outcome["answer"]["columns"] == ["version", "stage", "what", "why"]
    assert harness.registry.writes == written


def test_many_are_archived_some_at_a_time(harness, monkeypatch):
    monkeypatch.setattr(archive_old, "AT_ONCE", 2)
    trained(harness, 6)
    event = archive(harness)
    assert archived(harness) == [1, 2, 3, 4, 5]
    assert [each for each in harness.tasks_of(event) if each[0] == "archive_old"] == [("archive_old", "succeeded")] * 4
    facts = [text for type_, text in harness.facts() if type_ == "model_version.archived"]
    assert facts == [f"taxi version{more} archived by ci" for more in ("s 1, 2", "s 3, 4", " 5")]


def test_each_is_looked_at_again_right_before(harness, monkeypatch):
    trained(harness, 4)
    real = type(harness.registry).set_stage

    def meanwhile(self, model, number, stage):
        moved = real(self, model, number, stage)
        if number == 1:
            self.set_alias("taxi", "champion", 2)
        return moved

    monkeypatch.setattr(type(harness.registry), "set_stage", meanwhile)
    event = archive(harness)
    assert archived(harness) == [1, 3]
    with harness.ledger.read() as connection:
        said = [
            outcome["summary"]
            for outcome in connection.execute(select(tasks.c.outcome).where(tasks.c.event_id == event)).scalars()
            if outcome
        ]
    assert "taxi versions 1, 3 archived by ci; taxi version 2 stays: it holds @champion" in said


def test_killed_after_a_move_the_second_attempt_records_it(harness, monkeypatch):
    trained(harness, 3)
    harness.accept("model.archive", model="taxi", older_than="90d")
    killed_after(harness, monkeypatch, "set_stage")
    assert (archived(harness), harness.facts()) == ([1], [])
    taken_up_again(harness)
    assert (archived(harness), harness.holding()) == ([1, 2], {"Archived": [1, 2]})
    assert harness.fact("model_version.archived") == "taxi versions 1, 2 archived by ci"


@pytest.mark.parametrize("error", [RetryableError("the line is cut"), PermanentError("it says no")])
def test_what_was_moved_before_an_error_is_recorded_and_the_rest_is_done_later(harness, error):
    trained(harness, 4)
    harness.registry.refuse["set_stage"] = lambda model, number, stage: (
        harness.registry.refuse.pop("set_stage") and error if number == 2 else None
    )
    archive(harness)
    again(harness)
    assert (archived(harness), sorted(harness.holding()["Archived"])) == ([1, 2, 3], [1, 2, 3])


def test_where_no_version_has_a_stage_none_is_archived(harness):
    harness.policy(POLICY.replace("  taxi:\n", "  taxi:\n    mode: aliases\n"))
    trained(harness, 3)
    archive(harness)
    assert "versions of taxi have no stages (mode: aliases)" in harness.fact("task.refused")


def test_an_answer_that_is_too_long_for_the_record_says_how_much_is_left_out(harness, monkeypatch):
    trained(harness, 9)
    monkeypatch.setattr(query, "LARGEST", 1200)
    answer = asked(harness, question="plan_archive", model="taxi", older_than="90d")["answer"]
    assert len(json.dumps(answer)) <= 1200
    assert len(answer["rows"]) == len(answer["plan"]["rows"]) == 9 - answer["more"] > 0
