"""Every page, empty and full: it says what it should, runs nothing but our own script, and escapes what was sent."""

import re
from urllib.parse import quote, unquote

import pytest

from registrar.events.outcome import Outcome
from tests.dashboard.conftest import FROM_OUTSIDE, HOSTILE, REGISTRAR_YML, House, Lived
from webhooks.app import create_app

LISTS = ["/", "/events", "/promotions", "/models", "/dead", "/rejections", "/policy", "/audit"]


def pages(lived: Lived) -> list[str]:
    one = [f"/events/{lived.event}", f"/events/{lived.failed}", f"/promotions/{lived.promotion}", f"/dead/{lived.task}"]
    return [*LISTS, *one, "/models/taxi", "/models/taxi/compare?a=1&b=2", "/models/%3Cb%3Ebold"]


@pytest.mark.parametrize("path", LISTS)
def test_an_empty_page_says_what_to_do(house: House, path: str):
    answer = house.get(path)
    assert answer.status_code == 200
    assert 'class="empty"' in answer.text or path == "/policy"


def test_no_page_runs_or_loads_what_is_not_ours(lived: Lived):
    for path in pages(lived):
        answer = lived.house.get(path)
        assert answer.status_code == 200, path
        assert "script-src 'self'; style-src 'self'" in answer.headers["Content-Security-Policy"]
        assert "unsafe-inline" not in answer.headers["Content-Security-Policy"]
        assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", answer.text), path
        scripts = [f'<script src="/static/{name}.js" defer>' for name in ("times", "pages", "keys")]
        assert re.findall(r"<script[^>]*>", answer.text) == scripts
        assert HOSTILE not in answer.text


def test_nobody_from_elsewhere_sees_a_page(lived: Lived):
    for path in [*pages(lived), "/find?q=taxi"]:
        answer = lived.house.get(path, **FROM_OUTSIDE)
        assert answer.status_code == 401, path
        assert "taxi version" not in answer.text


def test_no_page_tells_a_secret_or_where_one_is(lived: Lived):
    for path in pages(lived):
        text = lived.house.get(path).text
        for secret in ("env:CI_SECRET", "user:pass", lived.house.settings.secret_key):
            assert secret not in text, path


def test_every_link_of_ours_leads_somewhere(lived: Lived):
    found = set()
    for path in pages(lived):
        found |= set(re.findall(r'(?:href|action)="(/[^"]*)"', lived.house.get(path).text))
    for link in sorted(link.replace("&amp;", "&") for link in found):
        status = lived.house.get(link).status_code
        posted = re.search(r"/(replay|approve|reject|cancel|retry|drop)$", link)
        assert status == (405 if posted else 303 if link.endswith("/compare") else 200), link


def test_the_overview_says_what_waits_for_whom(lived: Lived):
    text = lived.house.get("/").text
    assert "1 promotion waits for a person." in text
    assert "taxi version 2" in text
    assert "2 more of <strong>leads</strong>" in text
    assert "Ada Approver, Bob" in text
    assert "waits for you" in text
    assert "1 task failed for good" in text.replace("</a>", "")
    assert re.search(r"taxi version 3</a>\s*<span[^>]*>was held back from Staging: rmse 8.1 is not &lt; 7", text)
    assert "none is running" in text  # neither worker nor beat ever said a word


def test_an_event_says_why_a_gate_failed(lived: Lived):
    text = lived.house.get(f"/events/{lived.held_back}").text
    assert "rmse 8.1 is not &lt; 7" in text
    assert "registrar replay" in text


def test_a_model_shows_versions_gates_and_who_held_what(lived: Lived):
    text = lived.house.get("/models/taxi").text
    for said in (
        "Production @champion: 1 so far, now version 1",
        "<dt>@challenger</dt>",
        "held back",
        "rmse 8.1 is not &lt; 7",
        "<svg",
    ):
        assert said in text
    assert '-0.4 <span class="nowrap">(-5.8 %)</span>' in text
    assert 'href="https://mlflow.example/base/#/models/taxi/versions/2"' in text


def test_a_promotion_shows_what_it_is_bound_to_and_who_may_vote(lived: Lived):
    text = lived.house.get(f"/promotions/{lived.promotion}").text
    for said in ("rmse 6.5 is &lt; 7", "did not count", "ci may not approve it"):
        assert said in text
    assert "May still approve: Ada Approver, Bob" in text
    assert "Compared with version 1, which held @champion" in text
    assert 'href="https://mlflow.example/base/#/runs/r1"' in text


def test_find_leads_from_an_id_or_a_name_to_its_page(lived: Lived):
    for sought, page in (
        (lived.event, f"/events/{lived.event}"),
        (lived.task, f"/events/{lived.failed}"),
        (lived.promotion, f"/promotions/{lived.promotion}"),
        ("taxi", "/models/taxi"),
    ):
        answer = lived.house.get(f"/find?q={sought}")
        assert (answer.status_code, answer.headers["Location"]) == (303, page)
    assert lived.house.get("/find?q=nothing").status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/events/evt_0",
        "/events/%00",
        "/promotions/prm_0",
        "/dead/tsk_0",
        "/models/none",
        "/models/%00",
        "/models/none/compare?a=1&b=2",
        "/models/%00/compare?a=1&b=2",
    ],
)
def test_what_is_not_there_is_a_page_that_says_so(house: House, path: str):
    answer = house.get(path)
    assert (answer.status_code, answer.mimetype) == (404, "text/html")


@pytest.mark.parametrize(
    "query",
    [
        "/events?before=x",
        "/events?state=x",
        "/events?since=yesterday",
        "/promotions?state=x",
        "/promotions?before=x",
        "/rejections?before=-1",
        "/models/taxi?before=x",
        "/models/taxi/compare?a=1",
        "/models/taxi/compare?a=1&b=1",
        "/models/taxi/compare?a=1&b=-2",
        "/dead?before=2026-11-22T12:00:00%2B00:00~x",
        "/dead?before=1",
        "/dead?before=0001-01-01T00:00:00%2B14:00~1",
        "/promotions?before=9999-12-31T23:59:59-14:00~prm_1",
    ],
)
def test_a_wrong_question_is_told_what_would_be_right(house: House, query: str):
    answer = house.get(query)
    assert (answer.status_code, answer.mimetype) == (422, "text/html")


def test_events_are_searched_and_come_a_page_at_a_time(house: House, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("webhooks.dashboard.events.MOST", 2)
    ids = [house.happened("training_run.failed", {"model": f"m{nth % 2}"}) for nth in range(5)]
    seen, path = [], "/events"
    while path:
        text = house.get(path).text
        seen += re.findall(r'<td><a href="/events/(evt_\w+)">', text)
        older = re.search(r'href="([^"]+)" rel="next"', text)
        path = older[1].replace("&amp;", "&") if older else ""
    assert seen == ids[::-1]
    text = house.get("/events?model=m1&state=unfinished&source=ci").text
    assert re.findall(r'<td><a href="/events/(evt_\w+)">', text) == [ids[3], ids[1]]
    assert "No event matches" in house.get("/events?actor=nobody").text


@pytest.mark.parametrize("model", ["タクシー\u3000料金", "m" * 250])
def test_filters_take_each_name_as_it_was_accepted(house: House, model: str):
    id_ = house.happened("training_run.failed", {"model": model})
    house.happened("training_run.failed", {"model": "other"})
    text = house.get(f"/events?model={quote(model)}").text
    assert re.findall(r'<td><a href="/events/(evt_\w+)">', text) == [id_]
    assert house.get(f"/models/{quote(model)}").status_code == 200


@pytest.mark.parametrize("start", ["m" * 200, "モデル\u3000", " "])
def test_models_come_a_page_at_a_time_whatever_their_names_are(
    house: House, monkeypatch: pytest.MonkeyPatch, start: str
):
    monkeypatch.setattr("webhooks.dashboard.models.MOST", 2)
    names = [f"{start}{nth}" for nth in range(5)]
    for name in names:
        house.happened("training_run.finished", {"model": name, "run_id": "r1"})
    found, path = [], "/models"
    for _ in names[::2]:
        text = house.get(path).text
        found += dict.fromkeys(unquote(name) for name in re.findall(r'href="/models/([^"/?]+)"', text))
        older = re.search(r'href="([^"]+)" rel="next"', text)
        path = older[1].replace("&amp;", "&") if older else ""
    assert (found, path) == (names, "")


def test_dead_letters_come_a_page_at_a_time(house: House, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("webhooks.dashboard.dead_letters.MOST", 2)
    for nth in range(5):
        data = {"model": f"m{nth % 2}", "version": 1, "description": "x"}
        house.happened("model_version.describe", data, Outcome("gone"), state="failed", error=f"the {nth}th is gone")
    assert seen(house, "/dead") == [4, 3, 2, 1, 0]
    assert seen(house, "/dead?model=m0") == [4, 2, 0]


def seen(house: House, path: str) -> list[int]:
    """By page after page."""
    found: list[int] = []
    while path:
        text = house.get(path).text
        found += [int(nth) for nth in re.findall(r"the (\d)th is gone", text)]
        older = re.search(r'href="([^"]+)" rel="next"', text)
        path = older[1].replace("&amp;", "&") if older else ""
    return found


def test_what_was_asked_under_another_policy_is_not_offered_for_approval(lived: Lived):
    page = f"/promotions/{lived.promotion}"
    assert f'action="{page}/approve"' in lived.house.get(page).text
    lived.house.settings.config_path.write_text(REGISTRAR_YML.replace("threshold: 7}", "threshold: 6}"))
    anew = House(create_app(lived.house.settings).test_client(), lived.house.ledger, lived.house.settings)
    text = anew.get(page).text
    assert f'action="{page}/approve"' not in text
    assert f'action="{page}/cancel"' in text
    assert "The policy for taxi has changed since the request" in text
    assert "registrar send promotion.request model=taxi version=2 target=Production" in text
    for other in ("/", "/promotions"):
        text = anew.get(other).text
        assert "must be requested again" in text
        assert "waits for you" not in text
