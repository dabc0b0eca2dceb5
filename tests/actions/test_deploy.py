"""Promoted is not live: who deploys is told, and what they say, or don't, is acted on."""

import pytest

from registrar.ledger.journal.verify import verify
from tests.policies import production
from tests.worker.harness import ADA, CI, POLICY

pytestmark = pytest.mark.both_ledgers
DEPLOY = "deploy: {to: [serving], environment: prod, confirm_within: 15m, on_failure: rollback}"


def policy(deploy: str = DEPLOY) -> str:
    return production(deploy, POLICY.replace("channels:", "channels:\n  serving: {kind: log}"))


def promoted(office, *runs: str) -> None:
    for run in runs:
        number = max(office.stages(), default=0) + 1
        office.registry.files[f"models/taxi/{number}"] = {"MLmodel": b""}
        office.registry.trained(run, rmse=5.0)
        office.post("training_run.finished", model="taxi", run_id=run)
        office.post("promotion.approve", by=ADA, model="taxi", version=number)


def report(office, what: str, version: int, environment: str = "prod") -> None:
    office.post(f"deployment.{what}", by=CI, model="taxi", version=version, environment=environment)


def test_who_deploys_is_told_whatever_the_routes_say(office):
    office.policy(policy().replace('outcomes: ["*"]', "outcomes: [task.dead]"))
    promoted(office, "r1")
    [text] = [text for type_, text in office.facts() if type_ == "deployment.requested"]
    assert text.startswith("taxi version 1 is to be deployed to prod; to be confirmed by 20")


def test_what_is_confirmed_is_live_and_stays(office):
    office.policy(policy())
    promoted(office, "r1")
    report(office, "succeeded", 1)
    assert "Production is live" in office.fact("deployment.succeeded")
    office.later(hours=1)
    assert office.holding()["Production"] == [1]


@pytest.mark.parametrize("how", ["failed", "nothing is heard"])
def test_what_failed_goes_back_and_is_quarantined(office, how):
    office.policy(policy())
    promoted(office, "r1")
    report(office, "succeeded", 1)
    promoted(office, "r2")
    if how == "failed":
        report(office, "failed", 2)
    else:
        office.later(minutes=16)
    assert office.holding()["Production"] == office.holding()["@champion"] == [1]
    assert "registrar.quarantined" in office.registry.version("taxi", 2).tags
    assert "from version 2 to version 1" in office.fact("model.rolled_back")
    assert "version 1 is to be deployed to prod" in office.fact("deployment.requested")


def test_a_rollback_that_can_not_be_deployed_is_not_rolled_back_again(office):
    office.policy(policy())
    promoted(office, "r1", "r2", "r3")
    report(office, "failed", 3)
    office.later(hours=1)
    assert office.holding()["Production"] == [2]
    assert "was not confirmed in time" in office.fact("deployment.timed_out")


def test_who_was_deployed_in_vain_is_passed_over(office):
    office.policy(policy("deploy: {to: [serving], environment: prod, confirm_within: 15m, on_failure: alert}"))
    promoted(office, "r1")
    report(office, "succeeded", 1)
    promoted(office, "r2")
    report(office, "failed", 2)
    promoted(office, "r3")
    office.post("model.rollback", by=ADA, model="taxi", reason="wrong prices")
    assert office.holding()["Production"] == [1]


def test_with_alert_people_are_told_and_nothing_moves(office):
    office.policy(policy(DEPLOY.replace("rollback", "alert")))
    promoted(office, "r1", "r2")
    report(office, "failed", 2)
    office.later(hours=1)
    assert office.holding()["Production"] == [2]
    assert office.fact("deployment.failed") == "the deployment of taxi version 2 to prod failed"


@pytest.mark.parametrize(("version", "environment"), [(1, "prod"), (2, "canary")])
def test_a_report_about_something_else_ends_nothing(office, version, environment):
    office.policy(policy())
    promoted(office, "r1", "r2")
    report(office, "failed", version, environment)
    assert office.holding()["Production"] == [2]
    report(office, "succeeded", 2)
    office.later(hours=1)
    assert office.holding()["Production"] == [2]


def test_without_a_deadline_nobody_is_waited_for(office):
    office.policy(policy("deploy: {to: [serving], on_failure: rollback}"))
    promoted(office, "r1", "r2")
    report(office, "failed", 2)
    office.later(days=9)
    assert office.holding()["Production"] == [2]


def test_a_late_failure_of_what_is_replaced_rolls_nothing_back(office):
    office.policy(policy())
    promoted(office, "r1", "r2", "r3")
    report(office, "failed", 2)
    assert office.holding()["Production"] == [3]


def test_the_newer_deployment_ends_the_wait_for_the_older(office):
    office.policy(policy())
    promoted(office, "r1", "r2")
    report(office, "succeeded", 2)
    office.later(hours=1)
    assert office.holding()["Production"] == [2]
    assert "deployment.timed_out" not in [type_ for type_, _ in office.facts()]


def rollback(office, **data) -> None:
    office.post("model.rollback", by=ADA, model="taxi", reason="wrong prices", **data)


def test_what_was_live_once_is_gone_back_to_whatever_an_outage_says_later(office):
    """The deploy system was down: version 2 timed out, and so did version 1's deployment after the rollback."""
    office.policy(policy())
    promoted(office, "r1")
    report(office, "succeeded", 1)
    promoted(office, "r2")
    office.later(minutes=16)
    office.later(minutes=16)
    assert "version 1 was not confirmed in time" in office.fact("deployment.timed_out")
    promoted(office, "r3")
    rollback(office)
    assert office.holding()["Production"] == [1]


@pytest.mark.parametrize("before", ["nothing is heard", "failed"])
def test_a_success_that_is_reported_late_counts(office, before):
    office.policy(policy(DEPLOY.replace("rollback", "alert")))
    promoted(office, "r1")
    if before == "failed":
        report(office, "failed", 1)
    office.later(minutes=16)
    report(office, "succeeded", 1)
    assert office.fact("deployment.succeeded").startswith("taxi version 1 was deployed to prod; it had ")
    promoted(office, "r2")
    rollback(office)
    assert office.holding()["Production"] == [1]
    with office.ledger.read() as connection:
        assert verify(connection)


def test_a_late_success_elsewhere_or_of_another_version_counts_for_nothing(office):
    office.policy(policy(DEPLOY.replace("rollback", "alert")))
    promoted(office, "r1")
    office.later(minutes=16)
    report(office, "succeeded", 1, environment="canary")
    report(office, "succeeded", 2)
    promoted(office, "r2")
    rollback(office)
    assert office.fact("task.refused").endswith(
        "taxi has no earlier version in Production to go back to from version 2 (version 1 was deployed in vain): "
        "version 1 can be named: model.rollback with to: 1"
    )
    rollback(office, to=1)
    assert office.holding()["Production"] == [1]
