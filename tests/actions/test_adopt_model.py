"""`registrar adopt`: what MLflow had before Registrar goes into the record as it is, and nothing is moved."""

import pytest

from registrar.ledger.queries import event_status
from registrar.ledger.queries.holdings import history
from tests.actions.test_adoption import REGISTERED, register, registered, requests, webhook
from tests.policies import model
from tests.worker.harness import ADA, BOB, POLICY
from worker.registry.protocol import AmbiguousError

pytestmark = pytest.mark.both_ledgers


@pytest.fixture
def old(harness):
    """A registry of seven versions that others have kept: 5 in Production as @champion, 6 in Staging, 1 archived."""
    for nth in range(1, 8):
        register(harness, f"old{nth}", rmse=6.5 - nth / 10)
    for number, stage in ((1, "Archived"), (5, "Production"), (6, "Staging")):
        harness.registry.set_stage("taxi", number, stage)
    harness.registry.set_alias("taxi", "champion", 5)
    harness.registry.writes.clear()
    return harness


def adopt(harness, **data) -> str:
    """The answer."""
    event = harness.post("model.adopt", by=ADA, **data)
    with harness.ledger.read() as connection:
        return str(event_status.event(connection, event)["tasks"][0]["outcome"]["summary"])


PLAN = """\
taxi would be taken in, and nothing moved:
  version 5 holds @champion and Production, and stays there
  version 6 holds Staging, and stays there
  version 1: in Archived
  version 7: tagged, and asked for Staging
  versions 1, 2, 3, 4, 5, 6: known, and nothing is asked for
  version 7 to Staging: ready"""


def test_a_plan_says_what_each_version_becomes_and_moves_nothing(old):
    assert adopt(old, model="taxi", plan=True).startswith(PLAN)
    assert (old.registry.writes, old.holding(), old.facts(), old.promotions()) == ([], {}, [], [])
    adopt(old, model="taxi", plan=True)
    old.post("registry.reconcile", by=ADA, model="taxi")
    assert registered(old) == []


def test_an_adoption_does_what_the_plan_said(old):
    adopt(old, model="taxi", reason="we have Registrar now")
    assert "taxi was taken in by Ada: we have Registrar now (version 5 holds" in old.fact("model.adopted")
    assert (registered(old), requests(old)) == ([7], [7])
    assert old.stages() == {
        7: "Staging",
        6: "Archived",
        5: "Production",
        4: "None",
        3: "None",
        2: "None",
        1: "Archived",
    }
    assert [old.registry.version("taxi", number).tags for number in range(1, 7)] == [{}] * 6
    holding = {key: numbers for key, numbers in old.holding().items() if key != "Archived"}
    assert holding == {"Production": [5], "@champion": [5], "Staging": [7], "@challenger": [7]}
    assert not [text for kind, text in old.facts() if kind == "registry.changed_by_hand"]


def test_twice_it_has_nothing_left_to_do(old):
    adopt(old, model="taxi")
    before = (old.facts(), old.promotions(), list(old.registry.writes))
    assert adopt(old, model="taxi") == "nothing of taxi is left to take in"
    assert adopt(old, model="taxi", plan=True) == "nothing of taxi is left to take in"
    assert (old.facts(), old.promotions(), list(old.registry.writes)) == before


def test_what_comes_later_is_taken_in_by_itself(old):
    adopt(old, model="taxi")
    register(old, "r8")
    webhook(old, 8)
    register(old, "r9")
    old.post("registry.reconcile", by=ADA, model="taxi")
    assert registered(old) == [7, 8, 9]


def test_the_history_says_who_had_it_taken_in_and_a_rollback_may_go_back_there(old):
    adopt(old, model="taxi")
    with old.ledger.read() as connection:
        [champion] = [each for each in history(connection, "taxi") if each.key == "champion"]
    assert (champion.version, champion.actor_name, champion.event_type) == (5, "Ada", "model.adopt")
    old.registry.files["models/taxi/5"] = {"MLmodel": b"flavors: {}"}
    old.post("promotion.approve", by=BOB, model="taxi", version=7)
    assert old.stages()[7] == "Production"
    old.post("model.rollback", by=ADA, model="taxi", reason="wrong fares")
    assert (old.stages()[5], old.stages()[7]) == ("Production", "Archived"), old.facts()[-1]


def test_a_newest_version_that_holds_something_is_no_candidate(old):
    old.registry.set_stage("taxi", 6, "Archived")
    old.registry.set_stage("taxi", 7, "Staging")
    adopt(old, model="taxi")
    assert (registered(old), old.promotions()) == ([], [])
    assert old.holding()["Staging"] == [7]


def test_two_holders_of_an_exclusive_stage_are_for_people_to_sort_out(old):
    old.registry.set_stage("taxi", 7, "Production")
    event = old.post("model.adopt", by=ADA, model="taxi")
    assert old.tasks_of(event) == [("adopt_model", "refused")]
    assert "MLflow shows versions 5, 7 of taxi in Production, and one may hold it" in old.fact("task.refused")
    assert old.holding() == {}


def test_a_model_that_mlflow_does_not_have_is_refused(harness):
    event = harness.post("model.adopt", by=ADA, model="taxi")
    assert harness.tasks_of(event) == [("adopt_model", "refused")]


def test_a_holder_that_the_record_knows_otherwise_is_left_to_a_reconcile(old):
    adopt(old, model="taxi")
    old.registry.set_alias("taxi", "champion", 4)
    assert adopt(old, model="taxi") == "nothing of taxi is left to take in"
    assert old.holding()["@champion"] == [5]


def test_a_team_of_aliases_keeps_them(old):
    old.policy(model("mode: aliases"))
    adopt(old, model="taxi")
    assert old.holding()["@champion"] == [5]
    assert old.registry.version("taxi", 7).aliases == ("challenger",)
    assert old.registry.version("taxi", 7).stage == "None"


def test_a_policy_that_only_tells_takes_in_what_somebody_asks_for(old):
    old.policy(model("register: {from_mlflow: tell}"))
    adopt(old, model="taxi")
    assert registered(old) == [7]


def test_a_crash_in_the_middle_adopts_once(old):
    old.registry.fail["set_tag"] = AmbiguousError("the answer was lost")
    adopt(old, model="taxi")
    old.until_nothing_waits()
    assert (registered(old), requests(old)) == ([7], [7])


BUS = POLICY.replace("models:\n", "models:\n  'bus-*': {}\n")


def test_all_are_the_models_that_registrar_yml_names_each_by_its_own_event(old):
    old.policy(BUS)
    for name in ("bus-1", "tram"):
        old.registry.ensure_model(name)
        source = old.registry.sources["old1", "model"]
        old.registry.create_version(name, source, run_id="old1", description="", tags={})
    plan = adopt(old, plan=True)
    assert plan.startswith("bus-1 would be taken in")
    assert PLAN in plan
    assert "tram" not in plan
    assert registered(old) == []
    assert adopt(old, reason="now") == "taken in next, each by an event of its own: bus-1, taxi"
    assert sorted((f.model, f.version) for f in old.told_facts() if f.type == REGISTERED) == [("bus-1", 1), ("taxi", 7)]
    assert "taken in by Ada: now" in old.fact("model.adopted")
    assert old.registry.version("tram", 1).tags == {}


def test_all_of_nothing(harness):
    assert adopt(harness) == "MLflow has no model that registrar.yml names"
