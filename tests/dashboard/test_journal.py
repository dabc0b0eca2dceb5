"""The journal as a file, from the page: whole or in part, a line at a time, for whoever may see the page."""

import csv
import json

import pytest

from tests.dashboard.conftest import AT_HOME, FROM_OUTSIDE, Lived
from webhooks.api import journal_export


def lines(lived: Lived, query: str = "") -> list[dict[str, object]]:
    answer = lived.house.get(f"/audit/export{query}")
    assert (answer.status_code, answer.mimetype) == (200, "application/x-ndjson")
    return [json.loads(line) for line in answer.text.splitlines()]


def test_all_of_it_is_what_the_api_gives(lived: Lived):
    whole = lived.house.get("/audit/export")
    assert whole.data == lived.house.get("/v1/audit").data
    assert whole.headers["Content-Disposition"] == "attachment; filename=journal.jsonl"
    assert [entry["seq"] for entry in lines(lived)] == [1, 2, 3, 4, 5]


def test_it_is_streamed(lived: Lived):
    answer = lived.house.client.get("/audit/export", **AT_HOME, buffered=False)
    assert answer.is_streamed
    answer.close()


@pytest.mark.parametrize(
    ("query", "found"),
    [("?model=taxi&since=&until=", 5), ("?model=none", 0), ("?since=2000-01-01T10:00&until=2000-01-02T10:00", 0)],
)
def test_a_part_of_it_is_what_the_form_asks_for(lived: Lived, query: str, found: int):
    assert len(lines(lived, query)) == found


def test_as_csv_it_has_a_line_for_each_entry(lived: Lived):
    answer = lived.house.get("/audit/export?format=csv&model=taxi")
    assert (answer.status_code, answer.mimetype) == (200, "text/csv")
    assert answer.headers["Content-Disposition"] == "attachment; filename=journal-taxi.csv"
    rows = list(csv.DictReader(answer.text.splitlines()))
    assert [row["hash"] for row in rows] == [entry["hash"] for entry in lines(lived)]


def test_no_model_names_a_file_as_it_likes(lived: Lived):
    answer = lived.house.get('/audit/export?model=../x"%0d%0aa')
    assert answer.headers["Content-Disposition"] == "attachment; filename=journal.jsonl"


@pytest.mark.parametrize("query", ["?format=xls", "?since=yesterday", "?until=x"])
def test_what_can_not_be_meant_is_a_page_that_says_so(lived: Lived, query: str):
    answer = lived.house.get(f"/audit/export{query}")
    assert (answer.status_code, answer.mimetype) == (422, "text/html")


def test_nobody_from_elsewhere_gets_it(lived: Lived):
    assert lived.house.get("/audit/export", **FROM_OUTSIDE).status_code == 401


def test_few_are_written_at_once_and_who_hangs_up_leaves_room(lived: Lived):
    client = lived.house.client
    open_ = [client.get("/audit/export", **AT_HOME, buffered=False) for _ in range(journal_export.MOST_PER_PERSON)]
    assert client.get("/audit/export", **AT_HOME).status_code == 429
    open_[0].close()
    assert client.get("/audit/export", **AT_HOME).status_code == 200
    open_[1].close()
