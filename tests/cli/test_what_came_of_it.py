"""What is not well is shown: in the commands, on the pages and in the metrics; and what was refused is no success."""

import json
import re
from collections.abc import Iterator
from html import unescape

import pytest
import requests

from registrar.ledger.journal import entries
from registrar.ledger.verify import verify
from tests.actions.versions import live, trained
from tests.cli.house import House, living
from tests.metrics.reading import scraped
from tests.worker.office import ADA, BOB, CI
from webhooks.metrics.state import State

POLICY = """
version: 1
sources:
  operator: {kind: standard, secrets: ["file:whsec"], may: [{events: ["*"], models: ["*"]}]}
people:
  ada: {name: Ada}
  bob: {name: Bob}
groups:
  leads: [ada, bob, "source:operator"]
  one: [bob]
models:
  taxi:
    drift: revert
    targets:
      - {stage: Staging, alias: challenger, gates: [{metric: rmse, op: "<", threshold: 7}], approval: automatic}
      - stage: Production
        alias: champion
        approval: {rules: [{group: leads}], expires_after: 2d}
        deploy: {to: [log], environment: prod, confirm_within: 15m}
channels:
  log: {kind: log}
notify:
  - {outcomes: ["*"], to: [log]}
"""


@pytest.fixture
def house(tmp_path, ledger, ledger_url) -> Iterator[House]:
    with living(tmp_path, ledger, ledger_url, policy=POLICY) as house:
        yield house


def page(house: House, path: str) -> str:
    answer = requests.get(house.url + path, timeout=10)
    assert answer.status_code == 200, answer.text
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.text)))


def promotion(house: House, version: int) -> dict:
    rows = json.loads(house.run("promotions", "list", "--all", "--model", "taxi", "--json").output)
    return next(row for row in rows if (row["version"], row["target"]) == (version, "Production"))


def deployed(house: House, what: str, version: int) -> None:
    house.office.post(f"deployment.{what}", by=CI, model="taxi", version=version, environment="prod")


# Each promotion has its own deployment.
def test_a_promotion_shows_its_own_deployment_and_no_other(house: House):
    live(house.office, "r1")
    deployed(house, "succeeded", 1)
    live(house.office, "r2")
    house.office.post("model.rollback", by=ADA, model="taxi", reason="wrong fares")
    house.office.later(minutes=16)
    first = promotion(house, 1)
    assert first["became"]["deployment"]["state"] == "live"
    shown = house.run("promotions", "show", first["id"]).output
    assert "deployment   live to prod" in shown
    assert "timed out" not in shown
    told = page(house, f"/promotions/{first['id']}")
    assert ("live deployment to prod" in told, "timed out" in told) == (True, False)


def test_what_was_rolled_back_is_no_success(house: House):
    live(house.office, "r1", "r2")
    house.office.post("model.rollback", by=ADA, model="taxi", reason="wrong fares")
    second = promotion(house, 2)
    assert (second["state"], second["became"]["state"]) == ("promoted", "rolled_back")
    assert "rolled back" in house.run("promotions", "list", "--all").output
    shown = house.run("promotions", "show", second["id"]).output
    assert re.search(r"quarantined +wrong fares \(rolled back on .* by Ada\)", shown)
    for path in ("/promotions", "/models/taxi", f"/promotions/{second['id']}"):
        html = requests.get(house.url + path, timeout=10).text
        assert '<span class="state bad">rolled back</span>' in html, path
    assert '<span class="state ok">promoted</span>' not in html


def test_what_was_lifted_is_quarantined_no_more_and_was_rolled_back(house: House):
    live(house.office, "r1", "r2")
    house.office.post("model.rollback", by=ADA, model="taxi", reason="wrong fares")
    house.office.post("quarantine.lift", by=ADA, model="taxi", version=2, reason="right after all")
    became = promotion(house, 2)["became"]
    assert (became["state"], became["quarantined"]) == ("rolled_back", None)
    history = house.run("history", "taxi").output
    assert "taxi version 2 is quarantined: wrong fares" in history
    assert "taxi version 2 is quarantined no more" in history


# Not live.
@pytest.mark.parametrize(("how", "said"), [("failed", "failed"), ("nothing", "was not confirmed in time")])
def test_a_champion_that_is_not_live_is_shown_everywhere(house: House, how: str, said: str):
    live(house.office, "r1")
    if how == "failed":
        deployed(house, "failed", 1)
    else:
        house.office.later(minutes=16)
    sentence = f"taxi version 1 holds Production and IS NOT LIVE: its deployment to prod {said}"
    assert sentence in house.run("overview").output
    assert [one["version"] for one in house.get("/v1/overview")["not_live"]] == [1]
    assert [one["version"] for one in house.get("/v1/models/taxi")["not_live"]] == [1]
    start = page(house, "/")
    assert ("1 version holds a target and is not live" in start, "All parts are well" in start) == (True, False)
    assert "Version 1 holds Production and is not live: its deployment to prod" in page(house, "/models/taxi")
    metrics = scraped(State(house.office.ledger, house.office.bench.policy, house.office.now))
    assert metrics["registrar_holders_not_live"] == {("taxi", "Production"): 1}
    assert f"the deployment of taxi version 1 {said}" in house.run("history", "taxi").output
    assert promotion(house, 1)["became"]["state"].startswith("deployment_")


def test_what_is_live_after_all_or_holds_nothing_more_is_not_shown_so(house: House):
    live(house.office, "r1")
    house.office.later(minutes=16)
    deployed(house, "succeeded", 1)
    assert house.get("/v1/overview")["not_live"] == []
    live(house.office, "r2")
    deployed(house, "failed", 2)
    live(house.office, "r3")
    assert house.get("/v1/overview")["not_live"] == []


# What was refused.
def test_what_was_refused_is_in_history_and_overview(house: House):
    trained(house.office, "r1")
    house.office.post("promotion.approve", by=CI, model="taxi", version=1)
    house.office.post("promotion.reject", by=ADA, model="taxi", version=1, reason="wrong at night")
    trained(house.office, "r2")
    house.office.later(days=3)
    history = house.run("history", "taxi").output
    assert "approve taxi version 1: did not count: ci may not approve taxi version 1 to Production" in history
    assert "the promotion of taxi version 1 is rejected: wrong at night" in history
    assert "the promotion of taxi version 2 is expired: nobody decided about it" in history.replace(
        "nobody decided about taxi version 2 to Production", "nobody decided about it"
    )
    assert "rejected: wrong at night" in house.run("overview").output
    assert "rejected: wrong at night" in page(house, "/")
    assert "rejected: wrong at night" in page(house, "/models/taxi")
    alone = json.loads(house.run("history", "taxi", "--incidents", "--json").output)
    assert {one["kind"] for one in alone} == {"vote", "promotion.decided"}


def test_an_approval_that_can_not_be_met_is_counted(house: House):
    stuck = POLICY.replace(
        "{rules: [{group: leads}], expires_after: 2d}", "{rules: [{group: one}], exclude: [requester]}"
    )
    house.office.policy(stuck)
    trained(house.office, "r1")
    house.office.post("promotion.cancel", by=BOB, model="taxi", version=1)
    house.office.post("promotion.request", by=BOB, model="taxi", version=1, target="Production")
    metrics = scraped(State(house.office.ledger, house.office.bench.policy, house.office.now))
    assert metrics["registrar_approvals_impossible"] == {("taxi", "Production"): 1}


# By hand.
def test_a_change_by_hand_that_was_put_back_is_in_history_and_journal(house: House):
    live(house.office, "r1", "r2")
    house.office.registry.set_stage("taxi", 1, "Production")
    house.office.registry.set_alias("taxi", "champion", 1)
    house.office.post("registry.reconcile", by=ADA, model="taxi")
    assert house.office.stages() == {1: "Archived", 2: "Production"}
    history = house.run("history", "taxi").output
    for said in (
        "@champion of taxi was moved by hand in MLflow, from version 2 to version 1; it is put back",
        "@champion of taxi points at version 2 again",
        "Production of taxi was changed by hand in MLflow: version 1 came; it is put back",
        "taxi version 1 is in Archived again",
    ):
        assert said in history
    with house.office.ledger.read() as connection:
        found = [json.loads(one["body"])["said"] for one in entries(connection) if one["kind"].startswith("registry.")]
        assert verify(connection)
    assert {one.get("by") for one in found} == {None, "by hand in MLflow, which does not say who"}
    [by] = {line.split()[-2] for line in history.splitlines() if "was moved by hand" in line}
    assert by == "hand"


def test_a_tag_that_a_hand_set_is_in_the_journal(house: House):
    live(house.office, "r1")
    house.office.registry.set_tag("taxi", 1, "registrar.evaluation", "mine")
    changed = {"change": "model_version_tag.set", "key": "registrar.evaluation", "version": 1}
    house.office.post("registry.changed", model="taxi", **changed)
    said = "the tag registrar.evaluation of taxi version 1 was set to 'mine' by hand in MLflow"
    assert said in house.run("history", "taxi", "--incidents").output
    assert said in page(house, "/models/taxi")
