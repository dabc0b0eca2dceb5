"""A row for each model says what is so, by a real worker's record: who holds what, whether it is live, what waits."""

import re
from collections.abc import Iterator
from html import unescape

import pytest
import requests

from registrar.ledger.disputes import Disputed
from tests.actions.versions import live, trained
from tests.cli.setting import House, living
from tests.cli.test_what_came_of_it import POLICY, deployed, page
from tests.dashboard.test_what_is_shown import made_anew, rows
from tests.worker.harness import ADA, BOB

ALERT = POLICY.replace("drift: revert", "drift: alert")


@pytest.fixture
def house(tmp_path, ledger, ledger_url, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    monkeypatch.setenv("REGISTRAR_LOCAL_OPERATOR", "ada")
    with living(tmp_path, ledger, ledger_url, policy=POLICY) as house:
        yield house


@pytest.fixture
def by_hand(tmp_path, ledger, ledger_url) -> Iterator[House]:
    """Where what is moved by hand stays where it is."""
    with living(tmp_path, ledger, ledger_url, policy=ALERT) as house:
        yield house


def row(house: House, path: str = "/", model: str = "taxi") -> str:
    [found] = [one for one in rows(house, path) if one.startswith(f"{model} ")]
    return found


def moved_by_hand(house: House, version: int) -> None:
    house.harness.registry.set_stage("taxi", version, "Production")
    house.harness.registry.set_alias("taxi", "champion", version)
    house.harness.post("registry.reconcile", by=ADA, model="taxi")


def test_each_target_says_who_holds_it_and_since_when(house: House):
    live(house.harness, "r1")
    trained(house.harness, "r2")
    told = row(house)
    assert re.search(r"Staging version 2 since \d+ (s|min) ago", told)
    assert re.search(r"Production deploying version 1 since \d+ (s|min) ago", told)
    assert "nothing yet" not in told


def test_a_target_without_a_holder_says_so(house: House):
    trained(house.harness, "r1")
    assert "Production nothing yet" in row(house)


@pytest.mark.parametrize("path", ["/", "/models"])
def test_a_holder_is_live_or_not_or_on_its_way(house: House, path: str):
    live(house.harness, "r1")
    assert "deploying" in row(house, path)
    deployed(house, "failed", 1)
    assert "not live" in row(house, path)
    deployed(house, "succeeded", 1)
    told = row(house, path)
    assert ("deploying" in told, "not live" in told, " live" in told) == (False, False, True)


def test_a_holder_that_nothing_was_told_to_deploy_is_not_known_to_be_live(by_hand: House):
    live(by_hand.harness, "r1", "r2")
    deployed(by_hand, "succeeded", 2)
    by_hand.harness.registry.trained("r3", rmse=5.0)
    moved_by_hand(by_hand, trained(by_hand.harness, "r4"))
    told = row(by_hand)
    assert re.search(r"Production version 3 since \S+ \S+ ago live unknown by hand", told)


def test_a_holder_that_was_live_before_another_is_not_known_to_be_so_when_it_is_back_by_hand(by_hand: House):
    for version, run in enumerate(("r1", "r2"), 1):
        live(by_hand.harness, run)
        deployed(by_hand, "succeeded", version)
    assert "Production live version 2" in row(by_hand)
    by_hand.harness.later(minutes=1)
    moved_by_hand(by_hand, 1)
    assert re.search(r"version 1 since .* live unknown by hand version 2", row(by_hand))


def test_what_was_moved_by_hand_is_marked_until_it_is_adopted(tmp_path, ledger, ledger_url):
    with living(tmp_path, ledger, ledger_url, policy=POLICY.replace("drift: revert", "drift: adopt")) as house:
        live(house.harness, "r1", "r2")
        moved_by_hand(house, 1)
        assert "by hand" not in row(house)


@pytest.mark.both_ledgers
def test_a_quarantined_version_that_is_back_by_hand_is_marked(by_hand: House):
    live(by_hand.harness, "r1", "r2")
    by_hand.harness.post("model.rollback", by=ADA, model="taxi", reason="wrong fares")
    assert "quarantined" not in row(by_hand)
    moved_by_hand(by_hand, 2)
    told = row(by_hand)
    assert re.search(r"Production version 2 since \S+ \S+ ago live unknown quarantined by hand", told)


def test_what_waits_between_two_targets_is_on_the_way_and_names_who_acts(house: House):
    live(house.harness, "r1")
    deployed(house, "succeeded", 1)
    assert "nobody" in row(house)
    trained(house.harness, "r2")
    told = row(house)
    assert "version 2 waits for you" in told
    assert re.search(r"you or Bob, operator 1 more of leads for version 2 to Production", told)
    html = requests.get(house.url, timeout=10).text
    [mark] = re.findall(r'<a class="mark mine" href="(/promotions/[^"]+)"', html)
    assert requests.get(house.url + mark, timeout=10).status_code == 200


def test_who_may_not_vote_is_told_who_may(tmp_path, ledger, ledger_url, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("REGISTRAR_LOCAL_OPERATOR", "ada")
    with living(tmp_path, ledger, ledger_url, policy=POLICY.replace("group: leads}]", "group: one}]")) as house:
        trained(house.harness, "r1")
        told = row(house)
        assert ("waits for you" in told, "version 1 awaits approval" in told) == (False, True)
        assert "Bob 1 more of one for version 1 to Production" in told


def test_a_version_that_its_gates_held_back_is_marked_until_it_is_asked_for(house: House):
    trained(house.harness, "r1", rmse=8.1)
    assert "version 1 held back" in row(house)
    trained(house.harness, "r2")
    assert "version 1 held back" not in row(house)


def test_a_deployment_that_failed_is_for_an_operator(house: House):
    live(house.harness, "r1")
    assert "the deployment of version 1 in Production to prod is to be confirmed" in row(house)
    house.harness.later(minutes=16)
    assert "you , as an operator must look after version 1 in Production" in row(house).replace("you,", "you ,")


@pytest.mark.both_ledgers
def test_a_model_in_dispute_waits_for_an_operator_and_says_why(house: House):
    live(house.harness, "r1")
    trained(house.harness, "r2")
    house.harness.record(Disputed("taxi", "MLflow has nothing of taxi, and the record has"))
    told = row(house)
    assert "in dispute" in told
    assert "version 2 stopped: in dispute" in told
    assert "must say whether MLflow or the record is right: MLflow has nothing of taxi" in told


@pytest.mark.parametrize("path", ["/", "/models"])
def test_the_metric_that_decides_goes_from_version_to_version(house: House, path: str):
    live(house.harness, "r1")
    trained(house.harness, "r2", rmse=6.25)
    trained(house.harness, "r3", rmse=8.1)
    html = unescape(requests.get(house.url + path, timeout=10).text)
    told = "rmse by version, lower is better: version 1 5 (the champion), version 2 6.25, version 3 8.1 (held back)"
    assert f'aria-label="{told}"' in html
    assert '<span class="metric-value">5</span>' in html


def test_the_metric_of_a_deleted_model_is_not_its_namesakes(house: House):
    live(house.harness, "r1")
    made_anew(house)
    html = unescape(requests.get(house.url, timeout=10).text)
    assert re.findall(r"lower is better: ([^\"<]+)", html)[0].startswith("version 1 5")
    assert "version 2" not in html.partition('id="models"')[2].partition("</section>")[0]


def test_an_alias_that_another_version_has_is_shown(by_hand: House):
    live(by_hand.harness, "r1", "r2")
    by_hand.harness.registry.set_alias("taxi", "champion", 1)
    by_hand.harness.post("registry.reconcile", by=ADA, model="taxi")
    assert re.search(r"Production deploying version 2 .* differs @champion: version 1", row(by_hand))


def test_a_model_of_registrar_yml_without_a_version_teaches_what_to_do(house: House):
    for path in ("/", "/models"):
        assert "registrar send training_run.finished model=taxi run_id=RUN" in row(house, path)
        assert 'href="/models/taxi"' not in requests.get(house.url + path, timeout=10).text
    assert "All 1 model " in f"{page(house, '/')} "
    trained(house.harness, "r1")
    assert "model=taxi run_id=RUN" not in row(house)


@pytest.mark.both_ledgers
def test_v1_and_the_command_line_say_the_same(house: House):
    live(house.harness, "r1")
    trained(house.harness, "r2", rmse=6.25)
    [found] = house.get("/v1/models")["models"]
    staging, production = found["path"]
    assert [one["version"] for one in (*staging["holders"], *production["holders"])] == [2, 1]
    assert [(one["live"], one["by_hand"]) for one in production["holders"]] == [("deploying", False)]
    assert [(one["version"], one["state"]) for one in production["open"]] == [(2, "awaiting_approval")]
    assert [one["value"] for one in found["metric"]["trend"]] == [5.0, 6.25]
    assert found["metric"]["champion"] == {"version": 1, "value": 5.0, "held_back": False}
    assert (found["next"]["who"], [one["id"] for one in found["next"]["people"]]) == (
        "approvers",
        ["ada", "bob", "source:operator"],
    )
    told = house.run("models").output
    assert "rmse 5 (version 1)" in told
    assert "Ada, Bob, operator: 1 more of leads for version 2 to Production" in told


def test_a_vote_that_counts_already_waits_for_the_others(tmp_path, ledger, ledger_url, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("REGISTRAR_LOCAL_OPERATOR", "ada")
    two = POLICY.replace("rules: [{group: leads}]", "rules: [{group: leads, required_approvals: 2}]")
    with living(tmp_path, ledger, ledger_url, policy=two) as house:
        trained(house.harness, "r1")
        assert "waits for you" in row(house)
        house.harness.post("promotion.approve", by=ADA, model="taxi", version=1)
        told = row(house)
        assert ("waits for you" in told, "Bob, operator 1 more of leads" in told) == (False, True)
        house.harness.post("promotion.approve", by=BOB, model="taxi", version=1)
        assert "Production deploying version 1" in row(house)
