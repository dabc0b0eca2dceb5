import math
from dataclasses import replace

import pytest
from sqlalchemy import select, update

from registrar.ledger.queries import models
from registrar.ledger.tables import events
from tests.policies import gate_on_staging
from tests.worker.harness import POLICY
from worker.actions import register
from worker.registry import entities
from worker.registry.entities import ModelSource
from worker.registry.protocol import RetryableError

pytestmark = pytest.mark.both_ledgers


def test_a_finished_run_becomes_a_described_and_tagged_version(harness):
    harness.registry.trained("r1", rmse=9.0)
    event = harness.post("training_run.finished", model="taxi", run_id="r1", commit="c0ffee", tags={"team": "taxi"})
    made = harness.registry.version("taxi", 1)
    assert "registered from run run-r1 (r1) at commit c0ffee by ci" in made.description
    assert made.tags["team"] == "taxi"
    assert {made.tags[f"registrar.{key}"] for key in ("run", "commit", "event", "by")} == {"r1", "c0ffee", event, "ci"}


LINK = " ([gates, votes and history](https://registrar.example.com/models/{}))"


@pytest.mark.parametrize(
    ("model", "path"), [("taxi", "taxi"), ("tax(i)) [x] & ü?#", "tax%28i%29%29%20%5Bx%5D%20%26%20%C3%BC%3F%23")]
)
def test_its_description_leads_from_mlflow_to_the_models_page(harness, model, path):
    harness.settings(public_url="https://registrar.example.com/")
    harness.registry.trained("r1", rmse=9.0)
    harness.post("training_run.finished", model=model, run_id="r1", description="as people wrote")
    lines = harness.registry.version(model, 1).description.splitlines()
    assert lines == ["as people wrote", f"registered from run run-r1 (r1) by ci{LINK.format(path)}"]


def test_so_does_that_of_a_version_that_is_taken_up_and_a_long_name_leaves_room_for_the_link(harness):
    harness.settings(public_url="https://registrar.example.com")
    run = harness.registry.trained("r1", rmse=9.0)
    harness.registry.runs["r1"] = replace(run, name="r" * 6000)
    by_hand(harness, description="trained nightly")
    harness.post("training_run.finished", model="taxi", run_id="r1")
    said = harness.registry.version("taxi", 1).description
    assert (len(said), said.endswith(LINK.format("taxi"))) == (entities.MAX_DESCRIPTION, True)


def test_a_run_without_a_model_fails_and_leaves_no_empty_model_behind(harness):
    harness.registry.trained("r1", model=None)
    event = harness.post("training_run.finished", model="taxi", run_id="r1")
    assert harness.tasks_of(event) == [("register", "failed")]
    assert harness.registry.models() == []
    assert "logged no model named 'model'" in harness.fact("task.failed")


def test_an_unknown_run_fails_and_is_told(harness):
    event = harness.post("training_run.finished", model="taxi", run_id="nope")
    assert harness.tasks_of(event) == [("register", "failed")]
    assert "no such run" in harness.fact("task.failed")


def test_two_deliveries_about_one_run_make_one_version(harness):
    harness.registry.trained("r1", rmse=9.0)
    harness.post("training_run.finished", model="taxi", run_id="r1")
    harness.post("training_run.finished", model="taxi", run_id="r1")
    assert list(harness.stages()) == [1]


def test_a_crash_after_mlflows_commit_makes_one_version(harness):
    harness.registry.trained("r1", rmse=5.0)
    create = harness.registry.create_version

    def cut(*given, **named):
        create(*given, **named)
        raise RetryableError("the answer was lost")

    harness.registry.create_version = cut
    harness.post("training_run.finished", model="taxi", run_id="r1")
    harness.registry.create_version = create

    harness.until_nothing_waits()
    assert harness.stages() == {1: "Staging"}


def test_a_first_attempts_write_that_comes_late_leaves_one_version(harness):
    """Its client has given up, the second attempt has looked, and only then MLflow does it."""
    harness.registry.trained("r1", rmse=5.0)
    create, late = harness.registry.create_version, []

    def unanswered(*given, **named):
        late.append((given, named))
        raise RetryableError("nobody answered")

    def after_the_late_one(*given, **named):
        [(first, words)] = late
        create(*first, **words)
        return create(*given, **named)

    harness.registry.create_version = unanswered
    harness.post("training_run.finished", model="taxi", run_id="r1")
    harness.registry.create_version = after_the_late_one

    harness.until_nothing_waits()
    assert harness.stages() == {1: "Staging"}


def test_what_a_worker_made_that_stood_still_right_before_its_write_is_taken_back(harness, monkeypatch):
    """Its task was another's by then, which has registered the run."""
    harness.registry.trained("r1", rmse=5.0)
    create = harness.registry.create_version

    def late(*given, **named):
        create(*given, **named)
        return create(*given, **named)

    harness.registry.create_version = late
    monkeypatch.setattr(register, "SLOW", 0.0)
    harness.post("training_run.finished", model="taxi", run_id="r1")
    assert harness.stages() == {1: "Staging"}


def test_the_best_run_of_a_search_that_has_a_model_is_registered(harness):
    harness.registry.create_experiment("exp", tags={})
    harness.registry.trained("worst", rmse=6.0)
    harness.registry.trained("best-without-model", model=None, rmse=1.0)
    harness.registry.trained("best", rmse=2.0)
    search = {
        "experiment": "exp",
        "filter_string": "metrics.rmse < 7",
        "order_by": ["metrics.rmse ASC"],
        "max_results": 5,
    }
    harness.post("model_version.register", model="taxi", search=search)
    assert harness.registry.version("taxi", 1).run_id == "best"


def test_a_search_passes_over_a_better_run_that_ended_badly(harness):
    harness.registry.create_experiment("exp", tags={})
    harness.registry.trained("good", rmse=2.0)
    harness.registry.runs["bad"] = replace(harness.registry.trained("bad", rmse=1.0), status="FAILED")
    search = {"experiment": "exp", "order_by": ["metrics.rmse ASC"], "max_results": 5}
    harness.post("model_version.register", model="taxi", search=search)
    assert harness.registry.version("taxi", 1).run_id == "good"


@pytest.mark.parametrize(
    ("search", "said"),
    [
        ({"filter_string": "metrics.rmse < 1"}, "no run in experiment 'exp' for 'metrics.rmse < 1'"),
        ({"max_results": 2}, "none of 2 run(s) ended well with a model named 'model' in experiment 'exp'"),
    ],
)
def test_a_search_without_a_hit_is_refused_with_what_was_looked_for(harness, search, said):
    harness.registry.create_experiment("exp", tags={})
    harness.registry.trained("without-model", model=None, rmse=2.0)
    harness.registry.runs["bad"] = replace(harness.registry.trained("bad", rmse=2.0), status="FAILED")
    harness.post("model_version.register", model="taxi", search={"experiment": "exp", **search})
    assert said in harness.fact("task.refused")


def test_a_metric_that_is_not_a_number_does_not_stop_the_record(harness):
    harness.registry.trained("r1", rmse=math.nan)
    event = harness.post("training_run.finished", model="taxi", run_id="r1")
    assert harness.tasks_of(event) == [("register", "succeeded"), ("request", "succeeded")]
    assert "rmse is NaN" in harness.fact("model_version.held_back")


@pytest.mark.edits_the_record
def test_a_reserved_tag_that_an_earlier_version_accepted_is_set_by_nobody(harness):
    harness.registry.trained("r1", rmse=5.0)
    event = harness.accept("training_run.finished", model="taxi", run_id="r1", tags={"evaluation": "r1"})
    with harness.ledger.write() as connection:
        data = connection.execute(select(events.c.data).where(events.c.id == event)).scalar_one()
        old = {**data, "tags": {"registrar.evaluation": "r1"}}
        connection.execute(update(events).where(events.c.id == event).values(data=old))
    harness.work()
    assert harness.tasks_of(event) == [("register", "failed")]
    assert "was accepted by an earlier version, and is no longer valid: no event may" in harness.fact("task.failed")
    assert harness.stages() == {}


@pytest.mark.parametrize("name", ["a run", "r" * 4000, "r" * 6000])
def test_a_description_is_no_longer_than_mlflow_keeps(harness, name):
    run = harness.registry.trained("r1", rmse=5.0)
    harness.registry.runs["r1"] = replace(run, name=name, tags={"git_commit": "c" * 6000})
    harness.post("training_run.finished", model="taxi", run_id="r1", description="d" * 2000)
    made = harness.registry.version("taxi", 1)
    said = made.description.split("\nversion 1 was")[0]
    assert len(made.description) <= entities.MAX_DESCRIPTION
    assert f"registered from run {name}"[:4900] in said
    assert ("d" * 2000 in said) is (name == "a run")
    assert len(made.tags["registrar.commit"]) == entities.MAX_TAG


def by_hand(harness, run: str = "r1", description: str = "", **tags: str):
    """As train.py does with registered_model_name=, before CI announces the run."""
    harness.registry.ensure_model("taxi")
    source = harness.registry.sources[run, "model"]
    return harness.registry.create_version("taxi", source, run_id=run, description=description, tags=tags)


def test_a_version_that_the_training_registered_itself_is_taken_up(harness):
    """With registered_model_name=; it was 'already there, nothing to do', without gates, commit and tags."""
    harness.registry.trained("r1", rmse=5.0)
    by_hand(harness, description="trained nightly")
    event = harness.post("training_run.finished", model="taxi", run_id="r1", commit="c0ffee", tags={"team": "taxi"})
    assert harness.stages() == {1: "Staging"}
    version = harness.registry.version("taxi", 1)
    assert (version.tags["team"], version.tags["registrar.commit"]) == ("taxi", "c0ffee")
    assert (version.tags["registrar.event"], version.tags["registrar.by"]) == (event, "ci")
    assert version.description.splitlines()[:2] == [
        "trained nightly",
        "taken up from run run-r1 (r1) at commit c0ffee by ci; it was in MLflow already",
    ]
    told = harness.fact("model_version.registered")
    assert told == "taxi version 1 of run run-r1, which was in MLflow already, was taken up by ci"


def test_a_version_that_was_taken_up_is_held_back_as_any_other(harness):
    harness.registry.trained("r1", rmse=9.0)
    by_hand(harness)
    harness.post("training_run.finished", model="taxi", run_id="r1")
    assert harness.stages() == {1: "None"}
    assert "rmse 9 is not < 7" in harness.fact("model_version.held_back")


def test_a_version_is_taken_up_once(harness):
    harness.registry.trained("r1", rmse=9.0)
    by_hand(harness)
    harness.post("training_run.finished", model="taxi", run_id="r1", tags={"team": "taxi"})
    event = harness.post("training_run.finished", model="taxi", run_id="r1", tags={"team": "bus"})
    assert harness.tasks_of(event) == [("register", "succeeded")]
    assert harness.registry.version("taxi", 1).tags["team"] == "taxi"


def test_a_crash_in_the_middle_of_taking_up_takes_up_once(harness):
    harness.registry.trained("r1", rmse=5.0)
    by_hand(harness)
    harness.registry.fail["set_description"] = RetryableError("the answer was lost")
    harness.post("training_run.finished", model="taxi", run_id="r1", commit="c0ffee")
    harness.until_nothing_waits()
    assert harness.stages() == {1: "Staging"}
    assert harness.registry.version("taxi", 1).description.count("taken up") == 1


def test_a_version_that_a_hand_has_moved_already_is_taken_up_where_it_is(harness):
    harness.registry.trained("r1", rmse=5.0)
    by_hand(harness)
    harness.registry.set_stage("taxi", 1, "Production")
    event = harness.post("training_run.finished", model="taxi", run_id="r1", commit="c0ffee")
    assert harness.tasks_of(event) == [("register", "succeeded")]
    assert harness.stages() == {1: "Production"}
    assert harness.registry.version("taxi", 1).tags["registrar.commit"] == "c0ffee"


def test_tags_of_a_version_that_was_taken_up_count_as_the_sources(harness):
    """Gates that ask `by:` whom a tag is from; nobody's hand counts, and what the event gave does."""
    harness.policy(gate_on_staging("{tags: [report], by: ci}"))
    harness.registry.trained("r1", rmse=5.0)
    by_hand(harness, report="by hand")
    harness.post("training_run.finished", model="taxi", run_id="r1")
    assert harness.stages() == {1: "None"}
    harness.registry.trained("r2", rmse=5.0)
    by_hand(harness, "r2")
    harness.post("training_run.finished", model="taxi", run_id="r2", tags={"report": "s3"})
    assert harness.stages() == {1: "None", 2: "Staging"}


@pytest.mark.parametrize("source", ["runs:/r1/model", "mlflow-artifacts:/1/r1/artifacts/model"])
def test_a_version_that_was_registered_by_the_runs_path_is_the_same_models(harness, source):
    harness.registry.trained("r1", rmse=5.0)
    harness.registry.ensure_model("taxi")
    harness.registry.create_version("taxi", ModelSource(source), run_id="r1", description="", tags={})
    harness.post("training_run.finished", model="taxi", run_id="r1")
    assert harness.stages() == {1: "Staging"}


def test_another_model_of_the_same_run_is_another_version(harness):
    harness.registry.trained("r1", rmse=5.0)
    harness.registry.ensure_model("taxi")
    harness.registry.create_version("taxi", ModelSource("runs:/r1/scaler"), run_id="r1", description="", tags={})
    harness.post("training_run.finished", model="taxi", run_id="r1")
    assert harness.stages() == {1: "None", 2: "Staging"}


def listed(harness) -> list[str]:
    with harness.ledger.read() as connection:
        return [each["model"] for each in models.page(connection)]


def test_a_misspelt_model_of_what_failed_is_listed_nowhere(harness):
    """It stood in `registrar models` for ever."""
    harness.registry.trained("r1", rmse=5.0)
    harness.post("training_run.finished", model="taxi", run_id="r1")
    harness.post("training_run.finished", model="taxy", run_id="nope")
    harness.post("promotion.request", model="taxii", version=1, target="Staging")
    harness.post("training_run.failed", model="tax", run_id="r2", reason="out of memory")
    harness.post("registry.query", model="txai", question="history")
    assert listed(harness) == ["taxi"]


def test_a_model_is_listed_as_soon_as_something_is_under_way_for_it(harness):
    harness.registry.fail["run"] = RetryableError("MLflow does not answer")
    harness.registry.trained("r1", rmse=9.0)
    harness.post("training_run.finished", model="taxi", run_id="r1")
    assert listed(harness) == ["taxi"]
    harness.until_nothing_waits()
    assert harness.stages() == {1: "None"}  # held back: nothing holds it, and nothing is open
    assert listed(harness) == ["taxi"]


def test_a_runs_only_model_needs_no_name(harness):
    harness.registry.trained("r1", model="models", rmse=5.0)
    harness.post("training_run.finished", model="taxi", run_id="r1")
    assert harness.stages() == {1: "Staging"}
    harness.post("model_version.register", model="taxi", run_id="r1", artifact_path="models")
    assert harness.stages() == {1: "Staging"}


def test_a_version_that_was_registered_by_the_path_of_a_runs_only_model_is_the_same_models(harness):
    harness.registry.trained("r1", model="models", rmse=5.0)
    harness.registry.ensure_model("taxi")
    harness.registry.create_version("taxi", ModelSource("runs:/r1/models"), run_id="r1", description="", tags={})
    harness.post("training_run.finished", model="taxi", run_id="r1")
    assert harness.stages() == {1: "Staging"}


def test_of_several_models_of_a_run_one_is_to_be_named_and_all_are_listed(harness):
    for name in ("scaler", "booster"):
        harness.registry.trained("r1", model=name, rmse=5.0)
    harness.post("training_run.finished", model="taxi", run_id="r1")
    told = harness.fact("task.failed")
    assert "run r1 logged no model named 'model', but 'booster', 'scaler': say which in artifact_path" in told
    harness.post("training_run.finished", model="taxi", run_id="r1", artifact_path="booster")
    assert harness.stages() == {1: "Staging"}


@pytest.mark.parametrize("by", ["event", "policy"])
def test_a_name_that_is_given_is_never_another_models(harness, by: str):
    harness.registry.trained("r1", model="scaler", rmse=5.0)
    given = {"artifact_path": "model"} if by == "event" else {}
    if by == "policy":
        harness.policy(POLICY.replace("  taxi:\n", "  taxi:\n    artifact_path: model\n"))
    harness.post("training_run.finished", model="taxi", run_id="r1", **given)
    assert "logged no model named 'model', but 'scaler'" in harness.fact("task.failed")
