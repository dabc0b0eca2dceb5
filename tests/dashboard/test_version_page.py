"""The page of one version: all that happened to it, and forms for what its reader may do, made for what was shown."""

import re
from collections.abc import Iterator
from html import unescape
from typing import Any

import pytest
import requests

from registrar.ledger import tokens
from registrar.ledger.disputes import Disputed
from registrar.ledger.engine import now
from registrar.ledger.tokens import Token
from tests.actions.versions import live, trained
from tests.cli.setting import House, living
from tests.dashboard.test_what_is_shown import made_anew
from tests.worker.harness import ADA

POLICY = """
version: 1
sources:
  operator: {kind: standard, secrets: ["file:whsec"], may: [{events: ["*"], models: ["*"]}]}
people:
  ada: {name: Ada}
  bob: {name: Bob}
  vera: {name: Vera}
groups:
  leads: [ada]
access: {viewers: [vera], operators: [ada, bob]}
models:
  taxi:
    targets:
      - {stage: Staging, alias: challenger, gates: [{metric: rmse, op: "<", threshold: 7}], approval: automatic}
      - {stage: Production, alias: champion, approval: {rules: [{group: leads}]}}
"""


@pytest.fixture
def house(tmp_path, ledger, ledger_url) -> Iterator[House]:
    with living(tmp_path, ledger, ledger_url, policy=POLICY, operator="ada") as house:
        yield house


def as_(tmp_path, house: House, ledger, ledger_url, who: str) -> Any:
    """The same ledger, where somebody else sits at the machine."""
    folder = tmp_path / who
    folder.mkdir()
    return living(folder, ledger, ledger_url, house.harness.registry, policy=POLICY, operator=who)


def viewer(house: House) -> dict[str, str]:
    """The header of a token of Vera's, who may look."""
    secret = "rgt_" + "v" * 43
    with house.harness.ledger.write() as connection:
        tokens.create(connection, Token("vera", tokens.digest(secret), "viewer", "vera", now()), ADA)
    return {"Authorization": f"Bearer {secret}"}


def html(house: House, path: str) -> str:
    answer = requests.get(house.url + path, timeout=10)
    assert answer.status_code == 200, answer.text
    return re.sub(r"\s+", " ", answer.text)


def offered(house: House, version: int) -> list[str]:
    """The buttons of a version's page, below its header and above its footer."""
    main = html(house, f"/models/taxi/versions/{version}").partition("<main")[2].partition("</main>")[0]
    found = re.findall(r"<button[^>]*>([^<]+)</button>", main)
    return [label for label in found if label not in ("copy", "Sign out")]


def form(house: House, page: str, action: str) -> dict[str, str]:
    """The hidden fields of the forms with this action: of several, of the first."""
    found = re.search(rf'<form[^>]*method="post" action="{re.escape(action)}">(.*?)</form>', html(house, page))
    assert found, f"{page} has no form for {action}"
    return {
        name: unescape(value) for name, value in re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', found[1])
    }


def post(house: House, path: str, fields: dict[str, str], **more: str) -> requests.Response:
    return requests.post(house.url + path, data={**fields, **more}, timeout=10, allow_redirects=False)


def pressed(house: House, version: int, verb: str, **more: str) -> requests.Response:
    page = f"/models/taxi/versions/{version}"
    return post(house, f"{page}/{verb}", form(house, page, f"{page}/{verb}"), **more)


def event_of(house: House, answer: requests.Response) -> dict[str, Any]:
    assert answer.status_code == 303, answer.text
    house.harness.work()
    return dict(house.get(f"/v1/events/{answer.headers['Location'].rpartition('sent=')[2]}"))


def test_it_says_all_that_the_record_knows(house: House):
    live(house.harness, "r1")
    house.harness.post("model_version.describe", by=ADA, model="taxi", version=1, tags={"risk": "low"})
    text = unescape(re.sub(r"<[^>]+>", " ", html(house, "/models/taxi/versions/1")))
    for told in ("Holds Production", "r1", "rmse", "Approved by", "Ada", "risk", "low"):
        assert told in text, told
    assert "taxi version 1 holds @champion" in re.sub(r"\s+", " ", text)
    assert 'href="/models/taxi/versions/1"' in html(house, "/models/taxi")


@pytest.mark.parametrize("path", ["/models/taxi/versions/9", "/models/none/versions/1", "/models/taxi/versions/0"])
def test_what_the_record_does_not_know_is_a_404(house: House, path: str):
    live(house.harness, "r1")
    for address in (path, "/models/taxi/versions/99999999999999999999"):
        answer = requests.get(house.url + address, timeout=10)
        assert (answer.status_code, "the record knows no version" in answer.text) == (404, True)


def test_what_may_be_done_is_offered_and_no_more(house: House, tmp_path, ledger, ledger_url):
    live(house.harness, "r1", "r2")
    trained(house.harness, "r3")
    trained(house.harness, "r4", rmse=9.0)
    assert offered(house, 1) == ["Describe"]  # archived by the second
    assert offered(house, 2) == ["Demote", "Plan the rollback of Production", "Describe", "Archive"]
    back = "Plan the rollback of Staging"
    assert offered(house, 3) == ["Demote", back, "Describe", "Archive"]  # asked for already
    assert offered(house, 4) == ["Ask again for Staging", "Describe", "Archive"]
    house.harness.post("promotion.cancel", by=ADA, model="taxi", version=3)
    assert offered(house, 3)[0] == "Ask again for Production"
    with as_(tmp_path, house, ledger, ledger_url, "bob") as other:  # an operator who is no lead
        assert offered(other, 2) == ["Describe"]
        assert offered(other, 3) == ["Ask again for Production", "Demote", back, "Describe", "Archive"]
    path, looking = "/models/taxi/versions/3", viewer(house)
    assert '<form class="action"' not in requests.get(house.url + path, headers=looking, timeout=10).text
    answer = requests.post(f"{house.url}{path}/archive", headers=looking, timeout=10)
    assert (answer.status_code, "needs operator" in answer.text) == (403, True)


def test_each_button_is_a_command_about_the_version(house: House):
    live(house.harness, "r1", "r2")
    trained(house.harness, "r3")
    house.harness.post("promotion.cancel", by=ADA, model="taxi", version=3)
    asked = event_of(house, pressed(house, 3, "request", reason="again"))
    assert (asked["type"], asked["actor"], asked["state"]) == ("promotion.request", "ada", "succeeded")
    assert asked["data"] == {"model": "taxi", "version": 3, "target": "Production", "reason": "again"}
    described = event_of(house, pressed(house, 3, "describe", description="fares\nby night", tags="risk=low\n\na=b=c"))
    assert described["state"] == "succeeded"
    assert described["data"]["tags"] == {"risk": "low", "a": "b=c"}
    assert house.harness.registry.version("taxi", 3).description == "fares\nby night"
    archived = event_of(house, pressed(house, 3, "archive"))
    assert (archived["type"], archived["state"]) == ("model_version.archive", "succeeded")
    demoted = event_of(house, pressed(house, 2, "demote", reason="too slow"))
    assert (demoted["type"], demoted["data"]["stage"], demoted["state"]) == (
        "model_version.transition",
        "None",
        "succeeded",
    )
    assert house.harness.stages() == {1: "Archived", 2: "None", 3: "Archived"}


def test_a_form_of_a_page_that_is_old_by_now_does_nothing(house: House):
    live(house.harness, "r1")
    trained(house.harness, "r2")
    page = "/models/taxi/versions/1"
    old = form(house, page, f"{page}/demote")
    house.harness.post("promotion.approve", by=ADA, model="taxi", version=2)  # takes Production
    answer = post(house, f"{page}/demote", old)
    assert answer.status_code == 409
    text = unescape(re.sub(r"\s+", " ", answer.text))
    assert (
        "nothing was done: taxi version 1 has changed since the page was shown (it held @champion and Production, "
        "and holds Archived now)" in text
    )
    assert house.harness.holding()["Production"] == [2]


def test_a_form_about_a_version_that_was_made_anew_since_does_nothing(house: House):
    live(house.harness, "r1")
    page = "/models/taxi/versions/1"
    old = form(house, page, f"{page}/archive")
    made_anew(house)
    answer = post(house, f"{page}/archive", old)
    assert (answer.status_code, "it was made anew in MLflow" in answer.text) == (409, True)
    assert house.harness.stages()[1] != "Archived"


def test_a_form_that_is_sent_twice_is_one_command_though_the_first_changed_the_version(house: House):
    trained(house.harness, "r1")
    page = "/models/taxi/versions/1"
    filled = form(house, page, f"{page}/demote")
    first = post(house, f"{page}/demote", filled)
    house.harness.work()
    assert house.harness.stages() == {1: "None"}
    second = post(house, f"{page}/demote", filled)
    assert (second.status_code, second.headers["Location"]) == (303, first.headers["Location"])


@pytest.mark.parametrize("seen", [None, "", "x", "a,b,c", "\u202e,"])
def test_a_form_that_does_not_say_what_it_was_made_for_does_nothing(house: House, seen: str | None):
    trained(house.harness, "r1")
    page = "/models/taxi/versions/1"
    filled = form(house, page, f"{page}/archive")
    del filled["seen"]
    answer = post(house, f"{page}/archive", filled | ({} if seen is None else {"seen": seen}))
    assert answer.status_code == 409


@pytest.mark.parametrize(
    ("verb", "fields", "status"),
    [
        ("describe", {}, 422),
        ("describe", {"tags": "no equals sign"}, 422),
        ("describe", {"tags": "registrar.by=me"}, 422),
        ("describe", {"tags": "\n".join(f"k{nth}=v" for nth in range(51))}, 422),
    ],
)
def test_a_form_that_is_filled_in_wrongly_is_a_page_that_says_so(
    house: House, verb: str, fields: dict[str, str], status: int
):
    trained(house.harness, "r1")
    answer = pressed(house, 1, verb, **fields)
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "text/html; charset=utf-8")


def test_without_a_pages_token_and_for_other_verbs_nothing_is_done(house: House):
    trained(house.harness, "r1")
    page = "/models/taxi/versions/1"
    filled = form(house, page, f"{page}/archive")
    assert post(house, f"{page}/delete", filled).status_code == 404
    del filled["csrf"]
    assert post(house, f"{page}/archive", filled).status_code == 403


def test_a_rollback_is_shown_first_and_bound_to_what_was_shown(house: House):
    live(house.harness, "r1", "r2", "r3")
    plan = "/models/taxi/rollback?target=Production"
    text = unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", html(house, plan))))
    assert "version 3 leaves Production and @champion" in text
    assert "version 2 comes back" in text
    assert "version 1 comes back" in unescape(re.sub(r"<[^>]+>", "", html(house, f"{plan}&to=1")))
    old = form(house, plan, "/models/taxi/rollback")
    live(house.harness, "r4")
    answer = post(house, "/models/taxi/rollback", old, reason="slow")
    assert (answer.status_code, "now version 4 holds it" in answer.text) == (409, True)
    event = event_of(
        house, post(house, "/models/taxi/rollback", form(house, plan, "/models/taxi/rollback"), reason="slow")
    )
    assert (event["type"], event["state"]) == ("model.rollback", "succeeded")
    assert house.harness.holding()["Production"] == [3]
    assert "quarantined" in html(house, "/models/taxi/versions/4")
    assert "Ask" not in " ".join(offered(house, 4))


@pytest.mark.parametrize(
    ("query", "status"), [("?target=Nowhere", 404), ("?target=Staging", 404), ("?to=x", 422), ("?to=99", 200)]
)
def test_a_rollback_that_can_not_be_is_planned_as_such(house: House, query: str, status: int):
    live(house.harness, "r1", "r2")
    answer = requests.get(f"{house.url}/models/taxi/rollback{query}", timeout=10)
    assert answer.status_code == status
    assert 'method="post" action="/models/taxi/rollback"' not in answer.text


def test_of_a_model_in_dispute_and_of_a_deleted_one_nothing_is_offered(house: House):
    live(house.harness, "r1", "r2")
    made_anew(house)
    assert "does not exist any more" in html(house, "/models/taxi/versions/2")
    assert offered(house, 2) == []
    assert "Describe" in offered(house, 1)
    house.harness.record(Disputed("taxi", "MLflow has nothing of taxi, and the record has"))
    assert offered(house, 1) == []
