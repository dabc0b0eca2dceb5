"""What could lead to a wrong thought is shown as what it is, on every page that shows it: by a real worker's record."""

import re
from collections.abc import Iterator
from html import unescape

import pytest
import requests

from registrar.ledger.disputes import Disputed, Settled
from tests.actions.versions import live, trained
from tests.cli.setting import House, living
from tests.cli.test_what_came_of_it import POLICY, deployed, page
from tests.worker.harness import ADA, BOB

BESIDE = "its model was deleted in MLflow, and created again"


@pytest.fixture
def house(tmp_path, ledger, ledger_url, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    monkeypatch.setenv("REGISTRAR_LOCAL_OPERATOR", "ada")
    with living(tmp_path, ledger, ledger_url, policy=POLICY) as house:
        yield house


def html(house: House, path: str) -> str:
    return unescape(re.sub(r"\s+", " ", requests.get(house.url + path, timeout=10).text))


def asked(house: House, version: int, *, nth: int = 0) -> str:
    """The page of the newest promotion of a version to Production, or of one before it."""
    found = house.get("/v1/promotions?model=taxi")["promotions"]
    return "/promotions/" + [one["id"] for one in found if one["version"] == version][nth]


def rows(house: House, path: str) -> list[str]:
    """The rows of a page's tables, as text."""
    text = requests.get(house.url + path, timeout=10).text
    found = re.findall(r"<tr>.*?</tr>", text, re.DOTALL)
    return [unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", row))).strip() for row in found]


def made_anew(house: House) -> None:
    """By hand in MLflow, some minutes later: version 1 is another one then."""
    house.harness.later(minutes=10)
    house.harness.registry.delete_model("taxi")
    house.harness.registry.born = house.harness.now()
    trained(house.harness, "r-new")


# A model in dispute.
@pytest.fixture
def disputed(house: House) -> House:
    live(house.harness, "r1")
    trained(house.harness, "r2")
    why = "MLflow has nothing of taxi, and the record has"
    house.harness.record(Disputed("taxi", why))
    return house


@pytest.mark.parametrize("path", ["/", "/models", "/promotions", "/models/taxi"])
def test_a_model_in_dispute_is_shown_so_wherever_it_is(disputed: House, path: str):
    assert "in dispute" in page(disputed, path).lower()


def test_all_is_not_well_while_a_model_is_in_dispute(disputed: House):
    told = page(disputed, "/")
    assert ("All parts are well" in told, "MLflow has nothing of taxi, and the record has" in told) == (False, True)


def test_what_is_asked_of_a_model_in_dispute_is_not_offered_as_if_it_would_be_done(disputed: House):
    at = asked(disputed, 2)
    told = page(disputed, at)
    assert "taxi is in dispute" in told
    assert "no version is moved until an operator decides which of the two is right" in told
    assert f'action="{at}/approve"' not in html(disputed, at)
    assert "Roll back" not in page(disputed, "/models/taxi")


def test_what_was_settled_is_in_dispute_no_more(disputed: House):
    disputed.harness.record(Settled("taxi", "the record counts"))
    for path in ("/models", "/promotions", asked(disputed, 2)):  # what happened stays told on the overview
        assert "in dispute" not in page(disputed, path).lower(), path
    assert "Roll back" in page(disputed, "/models/taxi")
    at = asked(disputed, 2)
    assert f'action="{at}/approve"' in html(disputed, at)


# A model that was made anew.
def test_what_was_asked_of_a_deleted_model_is_not_taken_for_its_namesakes(house: House):
    live(house.harness, "r1", "r2")
    made_anew(house)
    versions = html(house, "/models/taxi").partition(">Versions</h2>")[2].partition("<h2>")[0]
    assert re.findall(r"<td><strong><a [^>]+>version (\d+)</a></strong>", versions) == ["1"]
    said = re.findall(r'<span class="state \w+">([^<]+)</span> <a href="/promotions/[^"]+">(\w+)</a>', versions)
    assert said == [("awaiting approval", "Production"), ("promoted", "Staging")]


def test_a_promotion_of_a_deleted_model_says_so(house: House):
    live(house.harness, "r1", "r2")
    old, other = asked(house, 1), asked(house, 2)
    assert BESIDE not in page(house, old)
    made_anew(house)
    for path in (old, other):
        assert BESIDE in page(house, path)
        assert "#/models/taxi/versions/" not in html(house, path)
    assert BESIDE not in page(house, asked(house, 1))
    told = rows(house, "/promotions?show=all")
    assert [("of a deleted model" in row) for row in told if "taxi version" in row] == [False] * 2 + [True] * 4


def test_nobody_is_led_to_roll_back_to_a_deleted_models_version(house: House):
    live(house.harness, "r1", "r2")
    made_anew(house)
    house.harness.post("promotion.approve", by=ADA, model="taxi", version=1)
    assert "version 2</option>" not in html(house, "/models/taxi")


def test_the_picture_tells_namesakes_apart(house: House):
    live(house.harness, "r1")
    made_anew(house)
    house.harness.post("promotion.approve", by=ADA, model="taxi", version=1)
    picture = html(house, "/models/taxi").partition('<svg class="timeline"')[2].partition("</svg>")[0]
    held = re.findall(r"<title>version 1 held Production.*?</title>", picture)
    assert [("of the model that was deleted" in one) for one in held] == [False, True]  # newest first


# A version that holds a target and is not live.
@pytest.mark.parametrize("how", ["failed", "nothing"])
def test_a_version_that_is_not_live_is_shown_so_in_the_list_of_models(house: House, how: str):
    live(house.harness, "r1")
    if how == "failed":
        deployed(house, "failed", 1)
    else:
        house.harness.later(minutes=16)
    [row] = [row for row in rows(house, "/models") if row.startswith("taxi")]
    assert "not live" in row
    deployed(house, "succeeded", 1)
    [row] = [row for row in rows(house, "/models") if row.startswith("taxi")]
    assert "not live" not in row


# An approval that can't be met any more.
def test_an_approval_that_can_not_be_met_is_shown_so_wherever_it_is(tmp_path, ledger, ledger_url):
    policy = POLICY.replace(
        "{rules: [{group: leads}], expires_after: 2d}", "{rules: [{group: one}], exclude: [requester]}"
    )
    with living(tmp_path, ledger, ledger_url, policy=policy) as house:
        trained(house.harness, "r1")
        house.harness.post("promotion.cancel", by=BOB, model="taxi", version=1)
        house.harness.post("promotion.request", by=BOB, model="taxi", version=1, target="Production")
        for path in ("/", "/promotions", "/models/taxi", asked(house, 1)):
            assert "stuck" in page(house, path), path
        for path in ("/promotions", "/promotions?model=taxi", "/promotions?state=open"):
            told = [row for row in rows(house, path) if "taxi version 1 to Production" in row]
            assert [("stuck" in row) for row in told][:1] == [True], path


# What ended, and how.
def test_what_expired_says_why_and_is_no_success(house: House):
    trained(house.harness, "r1")
    at = asked(house, 1)
    house.harness.later(days=3)
    told = page(house, at)
    assert "expired" in told
    assert "nobody decided about taxi version 1 to Production" in told
    assert '<span class="state bad">expired</span>' in html(house, at)
    for path in ("/promotions?show=decided", "/models/taxi"):
        assert '<span class="state bad">expired</span>' in html(house, path), path


def test_drift_that_was_put_back_is_shown_as_changed_and_put_back(house: House):
    live(house.harness, "r1", "r2")
    house.harness.registry.set_stage("taxi", 1, "Production")
    house.harness.registry.set_alias("taxi", "champion", 1)
    house.harness.post("registry.reconcile", by=ADA, model="taxi")
    for path in ("/", "/models/taxi"):
        told = page(house, path)
        assert "@champion of taxi was moved by hand in MLflow, from version 2 to version 1; it is put back" in told
        assert "@champion of taxi points at version 2 again" in told


def test_a_model_made_anew_by_hand_has_none_of_the_metrics_of_its_namesake(house: House):
    live(house.harness, "r1")
    trained(house.harness, "r2", rmse=5.5)
    house.harness.later(minutes=10)
    registry = house.harness.registry
    registry.delete_model("taxi")
    registry.born = house.harness.now()
    registry.trained("r-hand", rmse=99.0)
    registry.ensure_model("taxi")
    registry.create_version("taxi", registry.sources["r-hand", "model"], run_id="r-hand", description="", tags={})
    registry.set_stage("taxi", 1, "Production")
    house.harness.post("registry.reconcile", by=ADA, model="taxi")
    told = html(house, "/models/taxi")
    versions = told.partition(">Versions</h2>")[2].partition("<h2>")[0]
    assert "rmse 5" not in versions
    assert not re.search(r">5(\.5)?</td>", told)
