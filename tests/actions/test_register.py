import math
import time
from dataclasses import replace

import pytest
from sqlalchemy import select, update

from registrar.ledger.queries import models
from registrar.ledger.tables import events
from tests.policies import gate_on_staging
from worker.actions import register
from worker.registry import limits
from worker.registry.protocol import ModelSource, RetryableError

pytestmark = pytest.mark.both_ledgers


def test_a_finished_run_becomes_a_described_and_tagged_version(office):
    office.registry.trained("r1", rmse=9.0)
    event = office.post("training_run.finished", model="taxi", run_id="r1", commit="c0ffee", tags={"team": "taxi"})
    made = office.registry.version("taxi", 1)
    assert "registered from run run-r1 (r1) at commit c0ffee by ci" in made.description
    assert made.tags["team"] == "taxi"
    assert {made.tags[f"registrar.{key}"] for key in ("run", "commit", "event", "by")} == {"r1", "c0ffee", event, "ci"}


def test_a_run_without_a_model_fails_and_leaves_no_empty_model_behind(office):
    office.registry.trained("r1", model=None)
    event = office.post("training_run.finished", model="taxi", run_id="r1")
    assert office.tasks_of(event) == [("register", "failed")]
    assert office.registry.models() == []
    assert "logged no model named 'model'" in office.fact("task.failed")


def test_an_unknown_run_fails_and_is_told(office):
    event = office.post("training_run.finished", model="taxi", run_id="nope")
    assert office.tasks_of(event) == [("register", "failed")]
    assert "no such run" in office.fact("task.failed")


def test_two_deliveries_about_one_run_make_one_version(office):
    office.registry.trained("r1", rmse=9.0)
    office.post("training_run.finished", model="taxi", run_id="r1")
    office.post("training_run.finished", model="taxi", run_id="r1")
    assert list(office.stages()) == [1]


def test_a_crash_after_mlflows_commit_makes_one_version(office):
    office.registry.trained("r1", rmse=5.0)
    create = office.registry.create_version

    def cut(*given, **named):
        create(*given, **named)
        raise RetryableError("the answer was lost")

    office.registry.create_version = cut
    office.post("training_run.finished", model="taxi", run_id="r1")
    office.registry.create_version = create

    time.sleep(1.1)
    office.work()
    assert office.stages() == {1: "Staging"}


def test_a_first_attempts_write_that_comes_late_leaves_one_version(office):
    """Its client has given up, the second attempt has looked, and only then MLflow does it."""
    office.registry.trained("r1", rmse=5.0)
    create, late = office.registry.create_version, []

    def unanswered(*given, **named):
        late.append((given, named))
        raise RetryableError("nobody answered")

    def after_the_late_one(*given, **named):
        [(first, words)] = late
        create(*first, **words)
        return create(*given, **named)

    office.registry.create_version = unanswered
    office.post("training_run.finished", model="taxi", run_id="r1")
    office.registry.create_version = after_the_late_one

    time.sleep(1.1)
    office.work()
    assert office.stages() == {1: "Staging"}


def test_what_a_worker_made_that_stood_still_right_before_its_write_is_taken_back(office, monkeypatch):
    """Its task was another's by then, which has registered the run."""
    office.registry.trained("r1", rmse=5.0)
    create = office.registry.create_version

    def late(*given, **named):
        create(*given, **named)
        return create(*given, **named)

    office.registry.create_version = late
    monkeypatch.setattr(register, "SLOW", 0.0)
    office.post("training_run.finished", model="taxi", run_id="r1")
    assert office.stages() == {1: "Staging"}


def test_the_best_run_of_a_search_that_has_a_model_is_registered(office):
    office.registry.create_experiment("exp", tags={})
    office.registry.trained("worst", rmse=6.0)
    office.registry.trained("best-without-model", model=None, rmse=1.0)
    office.registry.trained("best", rmse=2.0)
    search = {
        "experiment": "exp",
        "filter_string": "metrics.rmse < 7",
        "order_by": ["metrics.rmse ASC"],
        "max_results": 5,
    }
    office.post("model_version.register", model="taxi", search=search)
    assert office.registry.version("taxi", 1).run_id == "best"


def test_a_search_passes_over_a_better_run_that_ended_badly(office):
    office.registry.create_experiment("exp", tags={})
    office.registry.trained("good", rmse=2.0)
    office.registry.runs["bad"] = replace(office.registry.trained("bad", rmse=1.0), status="FAILED")
    search = {"experiment": "exp", "order_by": ["metrics.rmse ASC"], "max_results": 5}
    office.post("model_version.register", model="taxi", search=search)
    assert office.registry.version("taxi", 1).run_id == "good"


def test_a_search_without_a_hit_is_refused_with_what_was_looked_for(office):
    office.registry.create_experiment("exp", tags={})
    office.post("model_version.register", model="taxi", search={"experiment": "exp"})
    assert "no run in experiment 'exp'" in office.fact("task.refused")


def test_a_metric_that_is_not_a_number_does_not_stop_the_record(office):
    office.registry.trained("r1", rmse=math.nan)
    event = office.post("training_run.finished", model="taxi", run_id="r1")
    assert office.tasks_of(event) == [("register", "succeeded"), ("request", "succeeded")]
    assert "rmse is NaN" in office.fact("model_version.held_back")


@pytest.mark.edits_the_record
def test_a_reserved_tag_that_an_earlier_version_accepted_is_set_by_nobody(office):
    office.registry.trained("r1", rmse=5.0)
    event = office.accept("training_run.finished", model="taxi", run_id="r1", tags={"evaluation": "r1"})
    with office.ledger.write() as connection:
        data = connection.execute(select(events.c.data).where(events.c.id == event)).scalar_one()
        old = {**data, "tags": {"registrar.evaluation": "r1"}}
        connection.execute(update(events).where(events.c.id == event).values(data=old))
    office.work()
    assert office.tasks_of(event) == [("register", "failed")]
    assert "was accepted by an earlier version, and is not valid any more: no event may" in office.fact("task.failed")
    assert office.stages() == {}


@pytest.mark.parametrize("name", ["a run", "r" * 4000, "r" * 6000])
def test_a_description_is_no_longer_than_mlflow_keeps(office, name):
    run = office.registry.trained("r1", rmse=5.0)
    office.registry.runs["r1"] = replace(run, name=name, tags={"git_commit": "c" * 6000})
    office.post("training_run.finished", model="taxi", run_id="r1", description="d" * 2000)
    made = office.registry.version("taxi", 1)
    said = made.description.split("\nversion 1 was")[0]
    assert len(made.description) <= limits.DESCRIPTION
    assert f"registered from run {name}"[:4900] in said
    assert ("d" * 2000 in said) is (name == "a run")
    assert len(made.tags["registrar.commit"]) == limits.TAG


def by_hand(office, run: str = "r1", description: str = "", **tags: str):
    """As train.py does with registered_model_name=, before CI announces the run."""
    office.registry.ensure_model("taxi")
    source = office.registry.sources[run, "model"]
    return office.registry.create_version("taxi", source, run_id=run, description=description, tags=tags)


def test_a_version_that_the_training_registered_itself_is_taken_up(office):
    """With registered_model_name=; it was 'already there, nothing to do', without gates, commit and tags."""
    office.registry.trained("r1", rmse=5.0)
    by_hand(office, description="trained nightly")
    event = office.post("training_run.finished", model="taxi", run_id="r1", commit="c0ffee", tags={"team": "taxi"})
    assert office.stages() == {1: "Staging"}
    version = office.registry.version("taxi", 1)
    assert (version.tags["team"], version.tags["registrar.commit"]) == ("taxi", "c0ffee")
    assert (version.tags["registrar.event"], version.tags["registrar.by"]) == (event, "ci")
    assert version.description.splitlines()[:2] == [
        "trained nightly",
        "taken up from run run-r1 (r1) at commit c0ffee by ci; it was in MLflow already",
    ]
    told = office.fact("model_version.registered")
    assert told == "taxi version 1 of run run-r1, which was in MLflow already, was taken up by ci"


def test_a_version_that_was_taken_up_is_held_back_as_any_other(office):
    office.registry.trained("r1", rmse=9.0)
    by_hand(office)
    office.post("training_run.finished", model="taxi", run_id="r1")
    assert office.stages() == {1: "None"}
    assert "rmse 9 is not < 7" in office.fact("model_version.held_back")


def test_a_version_is_taken_up_once(office):
    office.registry.trained("r1", rmse=9.0)
    by_hand(office)
    office.post("training_run.finished", model="taxi", run_id="r1", tags={"team": "taxi"})
    event = office.post("training_run.finished", model="taxi", run_id="r1", tags={"team": "bus"})
    assert office.tasks_of(event) == [("register", "succeeded")]
    assert office.registry.version("taxi", 1).tags["team"] == "taxi"


def test_a_crash_in_the_middle_of_taking_up_takes_up_once(office):
    office.registry.trained("r1", rmse=5.0)
    by_hand(office)
    office.registry.fail["set_description"] = RetryableError("the answer was lost")
    office.post("training_run.finished", model="taxi", run_id="r1", commit="c0ffee")
    time.sleep(1.1)
    office.work()
    assert office.stages() == {1: "Staging"}
    assert office.registry.version("taxi", 1).description.count("taken up") == 1


def test_a_version_that_a_hand_has_moved_already_is_taken_up_where_it_is(office):
    office.registry.trained("r1", rmse=5.0)
    by_hand(office)
    office.registry.set_stage("taxi", 1, "Production")
    event = office.post("training_run.finished", model="taxi", run_id="r1", commit="c0ffee")
    assert office.tasks_of(event) == [("register", "succeeded")]
    assert office.stages() == {1: "Production"}
    assert office.registry.version("taxi", 1).tags["registrar.commit"] == "c0ffee"


def test_tags_of_a_version_that_was_taken_up_count_as_the_sources(office):
    """Gates that ask `by:` whom a tag is from; nobody's hand counts, and what the event gave does."""
    office.policy(gate_on_staging("{tags: [report], by: ci}"))
    office.registry.trained("r1", rmse=5.0)
    by_hand(office, report="by hand")
    office.post("training_run.finished", model="taxi", run_id="r1")
    assert office.stages() == {1: "None"}
    office.registry.trained("r2", rmse=5.0)
    by_hand(office, "r2")
    office.post("training_run.finished", model="taxi", run_id="r2", tags={"report": "s3"})
    assert office.stages() == {1: "None", 2: "Staging"}


@pytest.mark.parametrize("source", ["runs:/r1/model", "mlflow-artifacts:/1/r1/artifacts/model"])
def test_a_version_that_was_registered_by_the_runs_path_is_the_same_models(office, source):
    office.registry.trained("r1", rmse=5.0)
    office.registry.ensure_model("taxi")
    office.registry.create_version("taxi", ModelSource(source), run_id="r1", description="", tags={})
    office.post("training_run.finished", model="taxi", run_id="r1")
    assert office.stages() == {1: "Staging"}


def test_another_model_of_the_same_run_is_another_version(office):
    office.registry.trained("r1", rmse=5.0)
    office.registry.ensure_model("taxi")
    office.registry.create_version("taxi", ModelSource("runs:/r1/scaler"), run_id="r1", description="", tags={})
    office.post("training_run.finished", model="taxi", run_id="r1")
    assert office.stages() == {1: "None", 2: "Staging"}


def listed(office) -> list[str]:
    with office.ledger.read() as connection:
        return [each["model"] for each in models.page(connection)]


def test_a_misspelt_model_of_what_failed_is_listed_nowhere(office):
    """It stood in `registrar models` for ever."""
    office.registry.trained("r1", rmse=5.0)
    office.post("training_run.finished", model="taxi", run_id="r1")
    office.post("training_run.finished", model="taxy", run_id="nope")
    office.post("promotion.request", model="taxii", version=1, target="Staging")
    office.post("training_run.failed", model="tax", run_id="r2", reason="out of memory")
    office.post("registry.query", model="txai", question="history")
    assert listed(office) == ["taxi"]


def test_a_model_is_listed_as_soon_as_something_is_under_way_for_it(office):
    office.registry.fail["run"] = RetryableError("MLflow does not answer")
    office.registry.trained("r1", rmse=9.0)
    office.post("training_run.finished", model="taxi", run_id="r1")
    assert listed(office) == ["taxi"]
    time.sleep(1.1)
    office.work()
    assert office.stages() == {1: "None"}  # held back: nothing holds it, and nothing is open
    assert listed(office) == ["taxi"]
