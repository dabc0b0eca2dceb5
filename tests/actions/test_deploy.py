"""Promoted is not live: who deploys is told, and what they say, or don't, is acted on."""

import pytest

from registrar.ledger.deployments import under_way
from registrar.ledger.journal.verify import verify
from tests.actions.versions import live, trained
from tests.policies import production
from tests.worker.harness import ADA, CI, POLICY

pytestmark = pytest.mark.both_ledgers
DEPLOY = "deploy: {to: [serving], environment: prod, confirm_within: 15m, on_failure: rollback}"


def policy(deploy: str = DEPLOY) -> str:
    return production(deploy, POLICY.replace("channels:", "channels:\n  serving: {kind: log}"))


def report(harness, what: str, version: int, environment: str = "prod") -> None:
    harness.post(f"deployment.{what}", by=CI, model="taxi", version=version, environment=environment)


def test_who_deploys_is_told_whatever_the_routes_say(harness):
    harness.policy(policy().replace('outcomes: ["*"]', "outcomes: [task.dead]"))
    live(harness, "r1")
    [text] = [text for type_, text in harness.facts() if type_ == "deployment.requested"]
    assert text.startswith("taxi version 1 is to be deployed to prod; to be confirmed by 20")


def test_who_deploys_is_told_for_programs_too(harness):
    harness.policy(policy())
    live(harness, "r1")
    with harness.ledger.read() as connection:
        [awaited] = under_way(connection, model="taxi")
    told = harness.details("deployment.requested")
    due = {"due_at": awaited.due_at.isoformat(), "deployment": awaited.id}
    assert told.items() >= {"target": "Production", "environment": "prod", "stage": "Production", **due}.items()


def test_what_is_confirmed_is_live_and_stays(harness):
    harness.policy(policy())
    live(harness, "r1")
    report(harness, "succeeded", 1)
    assert "Production is live" in harness.fact("deployment.succeeded")
    harness.later(hours=1)
    assert harness.holding()["Production"] == [1]


@pytest.mark.parametrize("how", ["failed", "nothing is heard"])
def test_what_failed_goes_back_and_is_quarantined(harness, how):
    harness.policy(policy())
    live(harness, "r1")
    report(harness, "succeeded", 1)
    live(harness, "r2")
    if how == "failed":
        report(harness, "failed", 2)
    else:
        harness.later(minutes=16)
    assert harness.holding()["Production"] == harness.holding()["@champion"] == [1]
    assert "registrar.quarantined" in harness.registry.version("taxi", 2).tags
    assert "from version 2 to version 1" in harness.fact("model.rolled_back")
    assert "version 1 is to be deployed to prod" in harness.fact("deployment.requested")


def test_what_failed_goes_back_in_its_own_target(harness):
    harness.policy(policy().replace(f", {DEPLOY}", "").replace("alias: challenger,", f"alias: challenger, {DEPLOY},"))
    live(harness, "r1")
    for run, number in (("r2", 2), ("r3", 3)):
        trained(harness, run)
        report(harness, "succeeded" if number == 2 else "failed", number)
    assert harness.stages() == {1: "Production", 2: "Staging", 3: "Archived"}
    why = "the deployment of taxi version 3 to prod failed"
    assert harness.fact("model.rolled_back").endswith(f"in Staging from version 3 to version 2, by ci: {why}")


def test_a_rollback_that_can_not_be_deployed_is_not_rolled_back_again(harness):
    harness.policy(policy())
    live(harness, "r1", "r2", "r3")
    report(harness, "failed", 3)
    harness.later(hours=1)
    assert harness.holding()["Production"] == [2]
    assert "was not confirmed in time" in harness.fact("deployment.timed_out")


def test_who_was_deployed_in_vain_is_passed_over(harness):
    harness.policy(policy("deploy: {to: [serving], environment: prod, confirm_within: 15m, on_failure: alert}"))
    live(harness, "r1")
    report(harness, "succeeded", 1)
    live(harness, "r2")
    report(harness, "failed", 2)
    live(harness, "r3")
    harness.post("model.rollback", by=ADA, model="taxi", reason="wrong prices")
    assert harness.holding()["Production"] == [1]


def test_with_alert_people_are_told_and_nothing_moves(harness):
    harness.policy(policy(DEPLOY.replace("rollback", "alert")))
    live(harness, "r1", "r2")
    report(harness, "failed", 2)
    harness.later(hours=1)
    assert harness.holding()["Production"] == [2]
    assert harness.fact("deployment.failed") == "the deployment of taxi version 2 to prod failed"


@pytest.mark.parametrize(("version", "environment"), [(1, "prod"), (2, "canary")])
def test_a_report_about_something_else_ends_nothing(harness, version, environment):
    harness.policy(policy())
    live(harness, "r1", "r2")
    report(harness, "failed", version, environment)
    assert harness.holding()["Production"] == [2]
    report(harness, "succeeded", 2)
    harness.later(hours=1)
    assert harness.holding()["Production"] == [2]


def test_without_a_deadline_nobody_is_waited_for(harness):
    harness.policy(policy("deploy: {to: [serving], on_failure: rollback}"))
    live(harness, "r1", "r2")
    report(harness, "failed", 2)
    harness.later(days=9)
    assert harness.holding()["Production"] == [2]


def test_a_late_failure_of_what_is_replaced_rolls_nothing_back(harness):
    harness.policy(policy())
    live(harness, "r1", "r2", "r3")
    report(harness, "failed", 2)
    assert harness.holding()["Production"] == [3]


def test_the_newer_deployment_ends_the_wait_for_the_older(harness):
    harness.policy(policy())
    live(harness, "r1", "r2")
    report(harness, "succeeded", 2)
    harness.later(hours=1)
    assert harness.holding()["Production"] == [2]
    assert "deployment.timed_out" not in [type_ for type_, _ in harness.facts()]


def rollback(harness, **data) -> None:
    harness.post("model.rollback", by=ADA, model="taxi", reason="wrong prices", **data)


def test_what_was_live_once_is_gone_back_to_whatever_an_outage_says_later(harness):
    """The deploy system was down: version 2 timed out, and so did version 1's deployment after the rollback."""
    harness.policy(policy())
    live(harness, "r1")
    report(harness, "succeeded", 1)
    live(harness, "r2")
    harness.later(minutes=16)
    harness.later(minutes=16)
    assert "version 1 was not confirmed in time" in harness.fact("deployment.timed_out")
    live(harness, "r3")
    rollback(harness)
    assert harness.holding()["Production"] == [1]


@pytest.mark.parametrize("before", ["nothing is heard", "failed"])
def test_a_success_that_is_reported_late_counts(harness, before):
    harness.policy(policy(DEPLOY.replace("rollback", "alert")))
    live(harness, "r1")
    if before == "failed":
        report(harness, "failed", 1)
    harness.later(minutes=16)
    report(harness, "succeeded", 1)
    assert harness.fact("deployment.succeeded").startswith("taxi version 1 was deployed to prod; it had ")
    live(harness, "r2")
    rollback(harness)
    assert harness.holding()["Production"] == [1]
    with harness.ledger.read() as connection:
        assert verify(connection)


def test_a_late_success_elsewhere_or_of_another_version_counts_for_nothing(harness):
    harness.policy(policy(DEPLOY.replace("rollback", "alert")))
    live(harness, "r1")
    harness.later(minutes=16)
    report(harness, "succeeded", 1, environment="canary")
    report(harness, "succeeded", 2)
    live(harness, "r2")
    rollback(harness)
    assert harness.fact("task.refused").endswith(
        "taxi has no earlier version in Production to go back to from version 2 (version 1 was deployed in vain): "
        "version 1 can be named: model.rollback with to: 1"
    )
    rollback(harness, to=1)
    assert harness.holding()["Production"] == [1]
