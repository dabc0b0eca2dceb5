"""What people do by hand in MLflow gets into the record and is told; what we did ourselves causes nothing."""

import pytest

from registrar.events.event import Actor
from registrar.ledger.queries.holdings import history
from tests.policies import model
from tests.worker.harness import ADA, POLICY
from worker.registry.entities import ModelSource

MLFLOW = Actor("source:mlflow", "somebody in MLflow (mlflow)")
CHANGED = "registry.changed_by_hand"
TELL = model("register: {from_mlflow: tell}")


def observe(harness, change: str, **data) -> str:
    return harness.post("registry.changed", by=MLFLOW, model="taxi", change=change, **data)


def holders(harness) -> list[tuple[str, int, str]]:
    with harness.ledger.read() as connection:
        return [(h.key, h.version, h.actor_name) for h in history(connection, "taxi") if h.until is None]


def by_hand(harness) -> list[str]:
    return [text for type_, text in harness.facts() if type_ == CHANGED]


def promoted(harness) -> None:
    """Version 1 is in Production as @champion, by the book."""
    harness.registry.trained("r1", rmse=5.0)
    harness.post("training_run.finished", model="taxi", run_id="r1")
    harness.post("promotion.approve", by=ADA, model="taxi", version=1)


def test_our_own_writes_that_come_back_cause_nothing(harness):
    promoted(harness)
    harness.post("model_version.describe", by=ADA, model="taxi", version=1, tags={"reviewed": "yes"})
    before = harness.facts()
    for change, data in (
        ("registered_model.created", {}),
        ("model_version.created", {"version": 1}),
        ("model_version_alias.created", {"version": 1, "alias": "challenger"}),
        ("model_version_alias.deleted", {"alias": "challenger"}),
        ("model_version_alias.created", {"version": 1, "alias": "champion"}),
        ("model_version_tag.set", {"version": 1, "key": "reviewed", "value": "yes"}),
        ("model_version_tag.set", {"version": 1, "key": "registrar.by", "value": "ci"}),
    ):
        event = observe(harness, change, **data)
        assert harness.tasks_of(event) == [("observe", "succeeded")], change
    assert harness.facts() == before


def test_an_alias_moved_by_hand_is_told_and_in_the_history(harness):
    promoted(harness)
    harness.registry.create_version(
        "taxi", harness.registry.sources["r1", "model"], run_id="r1", description="", tags={}
    )
    harness.registry.set_alias("taxi", "champion", 2)
    observe(harness, "model_version_alias.created", alias="champion", version=2)
    assert by_hand(harness) == [
        "@champion of taxi was moved by hand in MLflow, from version 1 to version 2; "
        "Production's gates and approvals were not asked"
    ]
    assert ("champion", 2, MLFLOW.name) in holders(harness)
    assert ("champion", 1) not in [(key, version) for key, version, _ in holders(harness)]


def test_told_twice_it_is_recorded_once(harness):
    test_an_alias_moved_by_hand_is_told_and_in_the_history(harness)
    observe(harness, "model_version_alias.created", alias="champion", version=2)
    assert len(by_hand(harness)) == 1


def test_a_late_message_says_nothing_about_the_present(harness):
    """@champion went to 2 and back to 1 by hand; both messages come when it is back."""
    promoted(harness)
    observe(harness, "model_version_alias.created", alias="champion", version=2)
    observe(harness, "model_version_alias.created", alias="champion", version=1)
    assert by_hand(harness) == []


def test_an_alias_taken_away_by_hand_is_told_and_released(harness):
    promoted(harness)
    harness.registry.drop_alias("taxi", "champion")
    observe(harness, "model_version_alias.deleted", alias="champion")
    assert by_hand(harness) == ["@champion of taxi was moved by hand in MLflow, from version 1 to nothing"]
    assert "champion" not in [key for key, _, _ in holders(harness)]


def test_an_alias_that_no_policy_names_is_in_the_history_too(harness):
    promoted(harness)
    harness.registry.set_alias("taxi", "shadow", 1)
    observe(harness, "model_version_alias.created", alias="shadow", version=1)
    assert by_hand(harness) == ["@shadow of taxi was moved by hand in MLflow, from nothing to version 1"]


def test_a_version_and_a_model_made_by_hand_are_told_and_not_promoted_where_the_policy_says_so(harness):
    harness.policy(TELL)
    harness.registry.ensure_model("taxi")
    observe(harness, "registered_model.created")
    harness.registry.trained("r9", rmse=1.0)
    harness.registry.create_version(
        "taxi", harness.registry.sources["r9", "model"], run_id="r9", description="", tags={}
    )
    observe(harness, "model_version.created", version=1)
    assert by_hand(harness) == [
        "the model taxi was created by hand in MLflow",
        "taxi version 1 was registered by hand in MLflow from run r9",
    ]
    assert harness.promotions() == []
    assert harness.registry.version("taxi", 1).stage == "None"


def test_a_version_that_is_gone_again_is_nothing(harness):
    observe(harness, "model_version.created", version=7)
    observe(harness, "model_version_alias.created", version=7, alias="champion")
    assert by_hand(harness) == []


def set_by_hand(harness, number: int, key: str, value: str | None) -> list[str]:
    """What is told of it."""
    before = len(by_hand(harness))
    if value is None:
        harness.registry.drop_tag("taxi", number, key)
        observe(harness, "model_version_tag.deleted", version=number, key=key)
    else:
        harness.registry.set_tag("taxi", number, key, value)
        observe(harness, "model_version_tag.set", version=number, key=key, value=value)
    return by_hand(harness)[before:]


def test_tags_set_and_removed_by_hand_are_told(harness):
    promoted(harness)
    harness.post("model_version.describe", by=ADA, model="taxi", version=1, tags={"reviewed": "yes, by two"})
    for value in ("no\nway", "yes", ""):
        told = set_by_hand(harness, 1, "reviewed", value)
        assert told == [f"the tag reviewed of taxi version 1 was set to {value!r} by hand in MLflow"]
    assert set_by_hand(harness, 1, "reviewed", None) == [
        "the tag reviewed of taxi version 1 was removed by hand in MLflow"
    ]
    assert set_by_hand(harness, 1, "reviewed", "yes, by two") == []


@pytest.mark.parametrize(
    "key", ["run", "event", "task", "by", "evaluation", "quarantined", "prune_after", "held_back.Staging"]
)
def test_a_tag_of_ours_that_a_hand_set_is_told(harness, key):
    promoted(harness)
    was = harness.registry.version("taxi", 1).tags.get(f"registrar.{key}")
    [told] = set_by_hand(harness, 1, f"registrar.{key}", "mallory")
    assert told == f"the tag registrar.{key} of taxi version 1 was set to 'mallory' by hand in MLflow"
    assert set_by_hand(harness, 1, f"registrar.{key}", was) == []


def test_what_holds_a_version_back_and_evaluates_it_is_our_own(harness):
    harness.registry.trained("r1", rmse=9.0)
    harness.registry.evaluated("e1", 1, rmse=3.0)
    harness.post("training_run.finished", model="taxi", run_id="r1", commit="c0ffee", tags={"team": "taxi"})
    harness.post("evaluation_run.finished", model="taxi", version=1, run_id="e1")
    for key, value in harness.registry.version("taxi", 1).tags.items():
        observe(harness, "model_version_tag.set", version=1, key=key, value=value)
    assert by_hand(harness) == []


def test_that_a_version_is_held_back_and_no_longer_is_our_own(harness):
    harness.registry.trained("r1", rmse=9.0)
    harness.post("training_run.finished", model="taxi", run_id="r1")
    key = "registrar.held_back.Staging"
    observe(harness, "model_version_tag.set", version=1, key=key, value=harness.registry.version("taxi", 1).tags[key])
    harness.post("promotion.request", by=ADA, model="taxi", version=1, target="Staging")
    observe(harness, "model_version_tag.set", version=1, key=key, value=harness.registry.version("taxi", 1).tags[key])
    harness.policy(POLICY.replace("threshold: 7", "threshold: 10"))
    harness.post("promotion.request", by=ADA, model="taxi", version=1, target="Staging")
    observe(harness, "model_version_tag.deleted", version=1, key=key)
    assert by_hand(harness) == []


def test_a_quarantine_whose_tag_a_hand_takes_away_is_told_and_stays(harness):
    harness.registry.files["models/taxi/1"] = {"MLmodel": b"flavors: {}"}
    promoted(harness)
    harness.registry.trained("r2", rmse=4.0)
    harness.post("training_run.finished", model="taxi", run_id="r2")
    harness.post("promotion.approve", by=ADA, model="taxi", version=2)
    harness.post("model.rollback", by=ADA, model="taxi", reason="wrong fares")
    [told] = set_by_hand(harness, 2, "registrar.quarantined", None)
    assert told.endswith("was removed by hand in MLflow; it stays quarantined until quarantine.lift")


def test_a_copy_of_a_version_was_registered_by_hand_though_its_tags_say_otherwise(harness):
    harness.policy(TELL)
    promoted(harness)
    first = harness.registry.version("taxi", 1)
    source = ModelSource("models:/taxi/1")
    harness.registry.create_version("taxi", source, run_id="r1", description="", tags=first.tags)
    observe(harness, "model_version.created", version=2)
    assert by_hand(harness) == ["taxi version 2 was registered by hand in MLflow from run r1"]


def test_nothing_in_the_registry_is_changed_by_it(harness):
    promoted(harness)
    harness.registry.set_alias("taxi", "shadow", 1)
    before = list(harness.registry.writes)
    observe(harness, "model_version_alias.created", alias="shadow", version=1)
    observe(harness, "model_version_tag.set", version=1, key="reviewed", value="yes")
    assert harness.registry.writes == before
