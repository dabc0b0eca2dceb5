"""One box finds everything by its beginning: what is meant alone is opened, several are listed by kind."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import quote

import pytest
from sqlalchemy import insert

from registrar.events.outcome import Outcome
from registrar.ledger.tables import incarnations
from tests.dashboard.conftest import HOSTILE, House, Lived, registered

RUN = "4c8ef2a1b5d04b7e8a1d2f3c4b5a6978"
COMMIT = "9fceb02d0ae598e95dc970b74767f19372d61af8"


def leads(house: House, query: str) -> str:
    """The page that a text leads to."""
    answer = house.get(f"/find?q={quote(query)}")
    assert answer.status_code == 303, (query, answer.status_code)
    return answer.headers["Location"]


def listed(house: House, query: str, status: int = 200) -> dict[str, list[str]]:
    """Headings with the links below them."""
    answer = house.get(f"/find?q={quote(query)}")
    assert answer.status_code == status, (query, answer.headers.get("Location"))
    main = answer.text.partition("<main")[2].partition("</main>")[0]
    parts = re.split(r"<h2>([^<]*)</h2>", main)[1:]
    return {
        heading: re.findall(r'<a href="([^"]*)"', part) for heading, part in zip(parts[::2], parts[1::2], strict=True)
    }


def trained(house: House, model: str, version: int, *, run: str = "r1", commit: str = "c0ffee") -> str:
    fact = replace(registered(model, version).facts[0], details={"run_id": run, "commit": commit})
    event = house.happened("training_run.finished", {"model": model, "run_id": run}, Outcome("done", (fact,)))
    seen = {"model": model, "version": version, "run_id": run, "source": "models:/m-1", "registry": "http://mlflow"}
    with house.ledger.write() as connection:
        at = {"created_at": datetime.now(UTC), "at": datetime.now(UTC)}
        connection.execute(insert(incarnations).values({**seen, **at, "event_id": event}))
    return event


@pytest.mark.parametrize("query", ["taxi 2", "taxi/2", "taxi v2", "taxi version 2", "taxi:2", " taxi  2 ", "taxi #2"])
def test_a_version_is_opened(lived: Lived, query: str):
    assert leads(lived.house, query) == "/models/taxi/versions/2"


@pytest.mark.parametrize("query", ["tax", "TAXI", "axi"])
def test_the_only_model_that_fits_is_opened(lived: Lived, query: str):
    assert leads(lived.house, query) == "/models/taxi"


def test_several_models_are_listed_and_one_of_the_whole_name_is_opened(house: House):
    for model in ("taxi-fares", "taxi", "old-taxi"):
        house.happened("training_run.failed", {"model": model})
    assert listed(house, "tax")["Models"] == ["/models/taxi", "/models/taxi-fares", "/models/old-taxi"]
    assert leads(house, "taxi") == "/models/taxi"


def test_a_version_of_several_models_is_listed(house: House):
    for model in ("taxi-fares", "taxi-tips", "bus"):
        trained(house, model, 7)
    assert listed(house, "taxi 7")["Versions"] == ["/models/taxi-tips/versions/7", "/models/taxi-fares/versions/7"]
    assert "Versions" not in listed(house, "taxi 8", status=404)


@pytest.mark.parametrize(("query", "page"), [("ada", "/events?actor=ada"), ("Approver", "/events?actor=ada")])
def test_a_person_leads_to_what_they_asked_for(lived: Lived, query: str, page: str):
    assert leads(lived.house, query) == page


def test_a_machine_that_sent_something_is_found(lived: Lived):
    assert leads(lived.house, "source:c") == "/events?actor=source:ci"


@pytest.mark.parametrize("query", [RUN, RUN[:4], RUN[:12]])
def test_a_run_leads_to_the_version_that_was_made_of_it(house: House, query: str):
    trained(house, "taxi", 3, run=RUN)
    trained(house, "taxi", 4, run=RUN.replace("4c8e", "5d9f"))
    assert leads(house, query) == "/models/taxi/versions/3"


@pytest.mark.parametrize("query", [COMMIT, COMMIT[:7], COMMIT[:4]])
def test_a_commit_leads_to_the_version_that_was_trained_from_it(house: House, query: str):
    trained(house, "taxi", 3, commit=COMMIT)
    trained(house, "taxi", 4)
    assert leads(house, query) == "/models/taxi/versions/3"


def test_of_several_versions_of_a_commit_all_are_listed(house: House):
    trained(house, "taxi", 3, commit=COMMIT)
    trained(house, "bus", 1, commit=COMMIT)
    assert set(listed(house, COMMIT[:7])["Commits"]) == {"/models/taxi/versions/3", "/models/bus/versions/1"}


def test_an_id_is_found_by_its_beginning(lived: Lived):
    house = lived.house
    assert leads(house, lived.promotion[:20]) == f"/promotions/{lived.promotion}"
    assert leads(house, lived.event[:34]) == f"/events/{lived.event}"
    assert leads(house, lived.event[4:34]) == f"/events/{lived.event}"
    assert leads(house, lived.task[:34]) == f"/events/{lived.failed}"
    assert lived.event in str(listed(house, "evt_")["Events"])


def test_the_id_as_a_page_cuts_it_is_found(lived: Lived):
    assert f"/events/{lived.event}" in listed(lived.house, f"{lived.event[:12]}…")["Events"]


def test_nothing_is_said_with_the_nearest_word_and_what_can_be_found(lived: Lived):
    answer = lived.house.get("/find?q=taxxi")
    assert answer.status_code == 404
    assert 'Did you mean <a href="/models/taxi">taxi</a>?' in answer.text
    assert "What can be found" in answer.text
    assert 'value="taxxi"' in answer.text
    assert answer.text.count('name="q"') == 1


def test_without_a_text_it_says_what_can_be_found(house: House):
    answer = house.get("/find")
    assert (answer.status_code, "What can be found" in answer.text) == (200, True)


@pytest.mark.parametrize(
    "query",
    [HOSTILE, "%", "_", "'", '"', "\\", "\x00", "a\x00", "x" * 5000, "../", "7", "taxi 99999999999", "0", "evt_g", "é"],
)
def test_a_hostile_text_finds_nothing_and_breaks_nothing(house: House, query: str):
    answer = house.get(f"/find?q={quote(query)}")
    assert answer.status_code == 404
    assert HOSTILE not in answer.text


@pytest.mark.parametrize("query", ["ÉTÉ", "ÉTÉ-fa", "タクシー"])
def test_a_name_beyond_ascii_is_found_by_its_beginning(house: House, query: str):
    model = "ÉTÉ-fares" if query.startswith("É") else "タクシー料金"
    house.happened("training_run.failed", {"model": model})
    assert leads(house, query) == f"/models/{quote(model)}"


def test_a_percent_sign_is_no_wildcard(house: House):
    for model in ("100%-fares", "100-fares"):
        house.happened("training_run.failed", {"model": model})
    assert leads(house, "100%") == "/models/100%25-fares"


def test_each_kind_is_bounded(house: House):
    for nth in range(12):
        house.happened("training_run.failed", {"model": f"taxi-{nth}"})
    assert {kind: len(links) for kind, links in listed(house, "taxi").items()} == {"Models": 8}
    assert "The first 8: type more of it" in house.get("/find?q=taxi").text


def test_what_is_not_there_says_what_is_near(lived: Lived):
    assert '<a href="/models/taxi">taxi</a>' in lived.house.get("/models/taxxi").text
    assert f'<a href="/promotions/{lived.promotion}">' in lived.house.get(f"/promotions/{lived.promotion[:-1]}0").text
    assert '<a href="/models/taxi">taxi</a>' in lived.house.get("/models/taxi/versions/99").text


BROWSER = {"headers": {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}}


def test_an_address_that_is_nothings_is_a_page_to_a_browser_and_a_problem_to_a_program(house: House):
    page = house.get("/modells", **BROWSER)
    assert (page.status_code, page.mimetype) == (404, "text/html")
    assert '<a href="/models">/models</a>' in page.text
    assert "there is no page /modells" in page.text
    assert 'role="search"' in page.text
    assert house.get("/modells").mimetype == "application/problem+json"
    assert house.get("/v1/modells", **BROWSER).mimetype == "application/problem+json"


def test_who_is_not_signed_in_learns_of_no_model_by_what_is_near(lived: Lived):
    answer = lived.house.client.get("/modells", base_url="https://registrar.example", **BROWSER)
    assert (answer.status_code, "Near to it" in answer.text, 'role="search"' in answer.text) == (404, False, False)
