"""Who trained a version, and who registered it, is bound in the record; MLflow's tags say nothing about it later."""

from dataclasses import replace

import pytest
from sqlalchemy import delete

from registrar.ledger.tables import journal, version_states
from registrar.ledger.version_state import Key, current, states
from tests.policies import approval
from tests.worker.harness import ADA, BOB, POLICY

pytestmark = pytest.mark.both_ledgers
PEOPLE = POLICY.replace("{name: Ada}", "{name: Ada, accounts: {mlflow: ada}}").replace(
    "{name: Bob}", "{name: Bob, accounts: {mlflow: bob}}"
)
NOT_THE_AUTHOR = approval("{rules: [{group: leads}], exclude: [author]}", PEOPLE)


def train(harness, run: str = "r1", number: int = 1) -> None:
    harness.policy(NOT_THE_AUTHOR)
    harness.registry.trained(run, rmse=5.0)
    harness.post("training_run.finished", model="taxi", run_id=run)
    assert harness.stages()[number] == "Staging"


def say_who_trained(harness, user: str, run: str = "r1") -> None:
    """As anybody may who can write to MLflow: the tag mlflow.user of the run."""
    harness.registry.runs[run] = replace(harness.registry.runs[run], user=user)


def approve(harness, by, number: int = 1) -> None:
    harness.post("promotion.approve", by=by, model="taxi", version=number)


def bound(harness, number: int = 1) -> dict[str, str]:
    made = harness.registry.version("taxi", number)
    with harness.ledger.read() as connection:
        return current(states(connection, "taxi", version=number), number, made.created_at)


def test_registering_binds_who_trained_and_who_registered(harness):
    train(harness)
    assert bound(harness) == {Key.AUTHOR: "ada", Key.REGISTRANT: "source:ci"}


def test_who_is_asked_are_those_whose_approval_would_count(harness):
    train(harness)
    told = "waits for approval to go to Production: 1 of Bob (leads)"
    assert harness.fact("promotion.awaiting_approval").endswith(told)
    harness.policy(approval("{rules: [{group: leads}], exclude: [author, requester]}", PEOPLE))
    harness.post("promotion.reject", by=BOB, model="taxi", version=1)
    harness.post("promotion.request", by=BOB, model="taxi", version=1, target="Production")
    assert harness.fact("promotion.awaiting_approval").endswith("1 of nobody who may (leads)")


@pytest.mark.parametrize("hand", ["bob", "nobody", ""])
def test_a_tag_set_by_hand_neither_frees_the_author_nor_locks_out_another(harness, hand):
    train(harness)
    say_who_trained(harness, hand)
    approve(harness, ADA)
    assert "Ada trained taxi version 1" in harness.fact("promotion.vote_refused")
    assert harness.stages() == {1: "Staging"}
    approve(harness, BOB)
    assert harness.stages() == {1: "Production"}


def test_nor_when_it_is_asked_for_again(harness):
    train(harness)
    harness.post("promotion.reject", by=BOB, model="taxi", version=1)
    say_who_trained(harness, "bob")
    harness.post("promotion.request", by=BOB, model="taxi", version=1, target="Production")
    approve(harness, ADA)
    assert "Ada trained taxi version 1" in harness.fact("promotion.vote_refused")
    approve(harness, BOB)
    assert harness.stages() == {1: "Production"}


def test_a_run_that_named_nobody_has_no_author_ever(harness):
    harness.policy(NOT_THE_AUTHOR)
    harness.registry.trained("r1", rmse=5.0)
    say_who_trained(harness, "")
    harness.post("training_run.finished", model="taxi", run_id="r1")
    say_who_trained(harness, "bob")
    approve(harness, BOB)
    assert harness.stages() == {1: "Production"}


@pytest.fixture
def earlier(harness):
    """A version of before: the record does not say who trained it, and it is in Staging."""
    train(harness)
    harness.post("promotion.reject", by=BOB, model="taxi", version=1)
    with harness.ledger.write() as connection:
        connection.execute(delete(version_states))
    return harness


@pytest.mark.edits_the_record
def test_of_a_version_of_before_it_is_noted_at_the_first_look_as_seen_then(earlier):
    earlier.post("promotion.request", by=BOB, model="taxi", version=1, target="Production")
    assert bound(earlier) == {Key.AUTHOR_SEEN: "ada"}
    say_who_trained(earlier, "bob")
    earlier.post("promotion.reject", by=BOB, model="taxi", version=1)
    earlier.post("promotion.request", by=BOB, model="taxi", version=1, target="Production")
    assert bound(earlier) == {Key.AUTHOR_SEEN: "ada"}
    approve(earlier, ADA)
    assert "Ada trained taxi version 1" in earlier.fact("promotion.vote_refused")


@pytest.mark.edits_the_record
def test_what_can_not_be_known_is_not_guessed(earlier):
    """Its run is gone."""
    del earlier.registry.runs["r1"]
    earlier.post("promotion.request", by=BOB, model="taxi", version=1, target="Production")
    assert bound(earlier) == {}


def test_what_a_hand_registered_is_noted_when_it_is_first_heard_of(harness):
    harness.policy(NOT_THE_AUTHOR)
    run = harness.registry.trained("r1", rmse=5.0)
    harness.registry.ensure_model("taxi")
    source = harness.registry.source_of(run, "model")
    harness.registry.create_version("taxi", source, run_id="r1", description="", tags={})
    harness.post("registry.changed", model="taxi", version=1, change="model_version.created")
    noted = (Key.AUTHOR_SEEN, Key.REGISTRANT)
    assert [bound(harness)[key] for key in noted] == ["ada", "mlflow:ada"]
    say_who_trained(harness, "bob")
    harness.post("training_run.finished", model="taxi", run_id="r1")
    assert [bound(harness)[key] for key in noted] == ["ada", "mlflow:ada"]


def test_the_journal_tells_both(harness):
    train(harness)
    with harness.ledger.read() as connection:
        kinds = connection.execute(journal.select().where(journal.c.kind == "version.state")).all()
    assert [("registrar.author" in row.body, "registrar.registrant" in row.body) for row in kinds] == [
        (True, False),
        (False, True),
    ]
