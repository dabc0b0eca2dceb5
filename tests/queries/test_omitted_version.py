"""Which version is meant where a person names none: found in the record of a real worker, or in doubt."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from registrar.events.left_out import LEFT_OUT, is_left_out
from registrar.ledger import Ledger
from registrar.ledger.promotions import still_open
from registrar.queries.omitted_version import JUST_NOW, VersionInDoubt, complete
from tests import policies
from tests.worker.harness import ADA, POLICY, WorkerHarness
from webhooks.ingress import validation
from webhooks.ingress.errors import InvalidEvent

KEEPING = policies.approval("{rules: [{group: leads}], on_newer_candidate: keep}")
ALIASES = policies.model("mode: aliases")
ONLY_PRODUCTION = POLICY.replace(
    POLICY[POLICY.index("      - {stage: Staging") : POLICY.index("      - {stage: Prod")], ""
)
VOTES = ("promotion.approve", "promotion.reject", "promotion.cancel")


@pytest.fixture
def harness(ledger: Ledger, tmp_path: Path) -> WorkerHarness:
    return WorkerHarness(ledger, tmp_path)


def trained(harness: WorkerHarness, *runs: str, rmse: float = 5.0) -> None:
    for run in runs:
        harness.registry.trained(run, rmse=rmse)
        harness.registry.files.update({f"models/taxi/{number}": {"MLmodel": b"flavors: {}\n"} for number in (1, 2, 3)})
        harness.post("training_run.finished", model="taxi", run_id=run)


def meant(harness: WorkerHarness, type_: str, **data: Any) -> Any:
    left_out = validation.command(type_, {"model": "taxi", **data})
    assert is_left_out(left_out)
    with harness.ledger.read() as connection:
        return complete(connection, harness.context.policy, left_out, at=harness.now())


def doubt(harness: WorkerHarness, type_: str, **data: Any) -> str:
    with pytest.raises(VersionInDoubt) as caught:
        meant(harness, type_, **data)
    return str(caught.value)


def in_production(harness: WorkerHarness, version: int) -> None:
    harness.post("promotion.approve", by=ADA, model="taxi", version=version)
    assert (version, "Production", "promoted") in harness.promotions()


@pytest.mark.both_ledgers
@pytest.mark.parametrize("type_", VOTES)
def test_a_vote_is_about_the_one_open_promotion_and_pinned_to_it(harness: WorkerHarness, type_: str):
    trained(harness, "r1")
    found = meant(harness, type_, reason="fine")
    [promotion] = [row for row in harness.promotions() if row[2] == "awaiting_approval"]
    assert (found.version, found.target, found.reason) == (promotion[0], "Production", "fine")
    assert found.promotion.startswith("prm_")
    assert meant(harness, type_, target="production").promotion == found.promotion
    assert doubt(harness, type_, target="Staging") == "no promotion of taxi to Staging is open"


def test_of_several_open_promotions_none_is_meant(harness: WorkerHarness):
    harness.policy(KEEPING)
    trained(harness, "r1", "r2")
    why = doubt(harness, "promotion.approve")
    assert why.startswith("several promotions of taxi are open")
    assert "version 1 to Production, version 2 to Production" in why


def test_what_superseded_another_a_moment_ago_is_not_what_a_voter_has_seen(harness: WorkerHarness):
    trained(harness, "r1", "r2")
    why = doubt(harness, "promotion.approve")
    assert "taxi version 1 to Production ended just now: superseded (version 2 came after it)" in why
    assert "taxi version 2 to Production is open, which you may not have seen: name the version" in why
    harness.jump(JUST_NOW + timedelta(minutes=1))
    assert meant(harness, "promotion.approve").version == 2


def test_who_wants_to_approve_what_was_approved_just_now_does_not_approve_the_next(harness: WorkerHarness):
    trained(harness, "r1")
    in_production(harness, 1)
    trained(harness, "r2")
    assert "taxi version 1 to Production ended just now: promoted" in doubt(harness, "promotion.approve")
    harness.jump(JUST_NOW + timedelta(minutes=1))
    assert meant(harness, "promotion.approve").version == 2


def test_nothing_open_says_what_ended(harness: WorkerHarness):
    trained(harness, "r1")
    in_production(harness, 1)
    assert doubt(harness, "promotion.approve").startswith(
        "no promotion of taxi is open; the promotion of taxi version 1 to Production ended just now: promoted"
    )


def test_a_vote_names_its_promotion_or_breaks_the_glass_by_number(harness: WorkerHarness):
    harness.policy(KEEPING)
    trained(harness, "r1", "r2")
    with harness.ledger.read() as connection:
        second = still_open(connection)[1]
    assert meant(harness, "promotion.approve", promotion=second.id).version == second.version
    with pytest.raises(InvalidEvent, match="version is missing"):
        validation.command("promotion.approve", {"model": "taxi", "break_glass": True})


@pytest.mark.parametrize("policy", [POLICY, ALIASES], ids=["stages", "aliases"])
def test_a_request_is_about_the_one_version_that_can_be_next(harness: WorkerHarness, policy: str):
    harness.policy(policy)
    trained(harness, "r1")
    in_production(harness, 1)
    assert "it is reached from Staging" in doubt(harness, "promotion.request", target="Production")
    trained(harness, "r2")  # to Staging by itself
    for type_, field in (("promotion.request", "target"), ("model_version.transition", "stage")):
        assert meant(harness, type_, **{field: "Production"}).version == 2
    assert meant(harness, "promotion.request", target="production").target == "Production"
    trained(harness, "r3", rmse=9.0)  # held back, and in no stage
    assert meant(harness, "promotion.request", target="Production").version == 2
    assert meant(harness, "promotion.request", target="Staging").version == 3


def test_of_those_in_no_stage_the_newest_alone_is_meant(harness: WorkerHarness):
    harness.policy(ONLY_PRODUCTION)
    trained(harness, "r1", "r2")
    assert meant(harness, "promotion.request", target="Production").version == 2
    harness.post("model_version.archive", model="taxi", version=2)
    why = doubt(harness, "promotion.request", target="Production")
    assert why.endswith("so name one: 2, 1")


def test_two_that_could_be_next_are_in_doubt(harness: WorkerHarness):
    harness.policy(policies.production("from: [None, Staging]"))
    trained(harness, "r1")
    trained(harness, "r2", rmse=9.0)
    why = doubt(harness, "promotion.request", target="Production")
    assert why == "several versions of taxi could go to Production, so name one: 2, 1"


def test_a_quarantined_version_is_not_meant(harness: WorkerHarness):
    trained(harness, "r1")
    in_production(harness, 1)
    trained(harness, "r2")
    in_production(harness, 2)
    harness.post("model.rollback", by=ADA, model="taxi", reason="wrong fares")
    harness.policy(ONLY_PRODUCTION)
    harness.post("model_version.transition", by=ADA, model="taxi", version=2, stage="None")
    why = doubt(harness, "promotion.request", target="Production")
    assert "version 2 is quarantined" in why


def test_a_stage_that_is_no_target_needs_a_version(harness: WorkerHarness):
    trained(harness, "r1")
    for stage in ("Archived",):
        assert "is no target of taxi" in doubt(harness, "model_version.transition", stage=stage)


def test_who_takes_a_version_out_means_the_one_that_is_in(harness: WorkerHarness):
    assert "no model taxi" in doubt(harness, "model_version.transition", stage="None")
    trained(harness, "r1")
    assert "version 1 (Staging) came there just now" in doubt(harness, "model_version.transition", stage="None")
    harness.jump(JUST_NOW + timedelta(minutes=1))
    assert meant(harness, "model_version.transition", stage="None").version == 1
    in_production(harness, 1)
    trained(harness, "r2")
    harness.jump(JUST_NOW + timedelta(minutes=1))
    why = doubt(harness, "model_version.transition", stage="None")
    assert "version 2 (Staging)" in why
    assert "version 1 (Production)" in why


def test_a_step_back_leads_to_where_the_policy_takes_versions_from_there(harness: WorkerHarness):
    trained(harness, "r1")
    in_production(harness, 1)
    harness.jump(JUST_NOW + timedelta(minutes=1))
    for version in ({}, {"version": 1}):
        found = meant(harness, "model_version.transition", stage=None, **version)
        assert (found.version, found.stage) == (1, "None")
    harness.policy(POLICY.replace("{stage: Staging,", "{stage: Staging, from: [None, Production],"))
    assert meant(harness, "model_version.transition", stage=None).stage == "Staging"
    assert doubt(harness, "model_version.transition", stage=None, version=2) == (
        "the record knows no version 2 of taxi: it has version 1"
    )


def test_a_description_is_of_the_only_version(harness: WorkerHarness):
    trained(harness, "r1")
    assert meant(harness, "model_version.describe", tags={"a": "b"}).version == 1
    trained(harness, "r2")
    assert doubt(harness, "model_version.describe", tags={"a": "b"}) == "taxi has several versions, so name one: 2, 1"


def test_files_are_those_in_production(harness: WorkerHarness):
    trained(harness, "r1")
    assert "no version of taxi is in Production, so name one: 1" in doubt(harness, "artifacts.fetch")
    in_production(harness, 1)
    trained(harness, "r2")
    assert meant(harness, "artifacts.fetch").version == 1
    assert meant(harness, "registry.query", question="fetch").version == 1
    assert meant(harness, "registry.query", question="plan", target="Production").version == 2


def test_a_deleted_model_s_versions_are_not_meant(harness: WorkerHarness):
    trained(harness, "r1", "r2")
    harness.registry.delete_model("taxi")
    harness.registry.born += timedelta(days=1)
    trained(harness, "r3")
    assert meant(harness, "model_version.describe", tags={"a": "b"}).version == 1


@pytest.mark.parametrize("type_", ["model_version.archive", "quarantine.lift", "evaluation_run.finished"])
def test_all_others_name_their_version(type_: str):
    with pytest.raises(InvalidEvent, match="version is missing"):
        validation.command(type_, {"model": "taxi", "reason": "x", "run_id": "r1"})


def test_a_source_names_its_version_always():
    with pytest.raises(InvalidEvent, match="version is missing"):
        validation.data("promotion.approve", {"model": "taxi"})
    with pytest.raises(InvalidEvent):
        validation.data("promotion.approve", {"model": "taxi", "version": LEFT_OUT})


def test_a_misspelt_model_is_suggested_to_who_may_know_of_it(harness: WorkerHarness):
    trained(harness, "r1")
    left_out = validation.command("promotion.approve", {"model": "tax"})
    for may, ending in ((True, "; did you mean taxi?"), (False, "no model tax")):
        with harness.ledger.read() as connection, pytest.raises(VersionInDoubt) as caught:
            complete(connection, harness.context.policy, left_out, at=harness.now(), may_name=lambda name, may=may: may)
        assert str(caught.value).endswith(ending)
