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


def train(office, run: str = "r1", number: int = 1) -> None:
    office.policy(NOT_THE_AUTHOR)
    office.registry.trained(run, rmse=5.0)
    office.post("training_run.finished", model="taxi", run_id=run)
    assert office.stages()[number] == "Staging"


def say_who_trained(office, user: str, run: str = "r1") -> None:
    """As anybody may who can write to MLflow: the tag mlflow.user of the run."""
    office.registry.runs[run] = replace(office.registry.runs[run], user=user)


def approve(office, by, number: int = 1) -> None:
    office.post("promotion.approve", by=by, model="taxi", version=number)


def bound(office, number: int = 1) -> dict[str, str]:
    made = office.registry.version("taxi", number)
    with office.ledger.read() as connection:
        return current(states(connection, "taxi", version=number), number, made.created_at)


def test_registering_binds_who_trained_and_who_registered(office):
    train(office)
    assert bound(office) == {Key.AUTHOR: "ada", Key.REGISTRANT: "source:ci"}


@pytest.mark.parametrize("hand", ["bob", "nobody", ""])
def test_a_tag_set_by_hand_neither_frees_the_author_nor_locks_out_another(office, hand):
    train(office)
    say_who_trained(office, hand)
    approve(office, ADA)
    assert "Ada trained taxi version 1" in office.fact("promotion.vote_refused")
    assert office.stages() == {1: "Staging"}
    approve(office, BOB)
    assert office.stages() == {1: "Production"}


def test_nor_when_it_is_asked_for_again(office):
    train(office)
    office.post("promotion.reject", by=BOB, model="taxi", version=1)
    say_who_trained(office, "bob")
    office.post("promotion.request", by=BOB, model="taxi", version=1, target="Production")
    approve(office, ADA)
    assert "Ada trained taxi version 1" in office.fact("promotion.vote_refused")
    approve(office, BOB)
    assert office.stages() == {1: "Production"}


def test_a_run_that_named_nobody_has_no_author_ever(office):
    office.policy(NOT_THE_AUTHOR)
    office.registry.trained("r1", rmse=5.0)
    say_who_trained(office, "")
    office.post("training_run.finished", model="taxi", run_id="r1")
    say_who_trained(office, "bob")
    approve(office, BOB)
    assert office.stages() == {1: "Production"}


@pytest.fixture
def earlier(office):
    """A version of before: the record does not say who trained it, and it is in Staging."""
    train(office)
    office.post("promotion.reject", by=BOB, model="taxi", version=1)
    with office.ledger.write() as connection:
        connection.execute(delete(version_states))
    return office


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


def test_what_a_hand_registered_is_noted_when_it_is_first_heard_of(office):
    office.policy(NOT_THE_AUTHOR)
    run = office.registry.trained("r1", rmse=5.0)
    office.registry.ensure_model("taxi")
    source = office.registry.source_of(run, "model")
    office.registry.create_version("taxi", source, run_id="r1", description="", tags={})
    office.post("registry.changed", model="taxi", version=1, change="model_version.created")
    assert bound(office) == {Key.AUTHOR_SEEN: "ada"}
    say_who_trained(office, "bob")
    office.post("training_run.finished", model="taxi", run_id="r1")
    assert bound(office) == {Key.AUTHOR_SEEN: "ada"}


def test_the_journal_tells_both(office):
    train(office)
    with office.ledger.read() as connection:
        kinds = connection.execute(journal.select().where(journal.c.kind == "version.state")).all()
    assert [("registrar.author" in row.body, "registrar.registrant" in row.body) for row in kinds] == [
        (True, False),
        (False, True),
    ]
