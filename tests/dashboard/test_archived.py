"""Pages and /v1 of events whose tasks, and whose journal entries, `registrar compact` moved into files."""

from datetime import timedelta
from pathlib import Path

import pytest

from registrar.compaction.places import place
from registrar.compaction.run import archive
from registrar.events.outcome import Outcome
from registrar.ledger.engine import now
from registrar.ledger.holders import HoldingStarted
from registrar.ledger.queries import archivable_tasks
from tests.dashboard.conftest import House
from tests.ledger.counted import count_journal


@pytest.fixture
def archived(house: House, tmp_path: Path, monkeypatch) -> str:
    """The event that moved version 1 in, before version 2 came."""
    monkeypatch.setattr(archivable_tasks, "NEWEST", 1)
    moved = [
        house.happened(
            "training_run.finished",
            {"model": "taxi", "run_id": f"r{version}"},
            Outcome("moved in", records=(HoldingStarted("taxi", "stage", "Staging", version, alone=True),)),
        )
        for version in (1, 2)
    ]
    count_journal(house.ledger)
    later = now() + timedelta(days=1)
    assert list(archive(house.ledger, cutoff=later, where=place(str(tmp_path / "archive"))))
    return moved[0]


def test_its_page_says_that_its_tasks_and_entries_are_in_files(house: House, archived: str):
    page = house.get(f"/events/{archived}").text
    assert "Its tasks succeeded. They were archived" in page
    assert f"registrar compact show {archived}" in page
    assert "Journal entries up to" in page


def test_the_api_says_when_its_tasks_went(house: House, archived: str):
    event = house.get(f"/v1/events/{archived}").get_json()
    assert (event["state"], event["tasks"], event["archived"] is None) == ("succeeded", [], False)


def test_the_history_and_the_export_are_as_before(house: House, archived: str):
    history = house.get("/v1/models/taxi/history").get_json()["history"]
    assert [(each["version"], each["event_id"] == archived) for each in history] == [(2, False), (1, True)]
    exported = house.get("/v1/audit").text.splitlines()
    assert len(exported) == 3


def test_an_export_where_the_files_are_not_is_refused_in_a_sentence(house: House, archived: str, tmp_path: Path):
    (tmp_path / "archive").rename(tmp_path / "away")
    answer = house.get("/v1/audit")
    assert (answer.status_code, "that this machine does not have" in answer.text) == (404, True)
    assert str(tmp_path) not in answer.text
    assert house.get("/v1/audit?after=2").status_code == 200
