"""What an event may say."""

import pytest
from pydantic import ValidationError

from registrar.events.types import VOCABULARY, UnknownType, parse
from registrar.plugins import kinds

RUN = {"model": "taxi", "run_id": "r1"}
ONE = {"model": "taxi", "version": 1}
TASK = f"tsk_{'0' * 32}"


def test_every_event_names_an_action_that_exists():
    assert {kind.task.removeprefix("worker.") for kind in VOCABULARY.values()} <= set(kinds("worker.actions"))


def test_an_unknown_type_lists_those_that_are_known():
    with pytest.raises(UnknownType, match=r"training_run\.finished"):
        parse("training.done", {})


@pytest.mark.parametrize(
    ("type_", "data"),
    [
        ("training_run.finished", {"model": "taxi"}),
        ("training_run.finished", {**RUN, "surprise": 1}),
        ("training_run.finished", {**RUN, "model": "a/b"}),
        ("training_run.finished", {**RUN, "model": ".."}),
        ("training_run.finished", {**RUN, "model": "a\x00"}),
        ("training_run.finished", {**RUN, "model": ""}),
        ("training_run.finished", {**RUN, "model": 7}),
        ("training_run.finished", {**RUN, "run_id": "../../etc"}),
        ("training_run.finished", {**RUN, "artifact_path": "/etc"}),
        ("training_run.finished", {**RUN, "artifact_path": "a/../b"}),
        ("training_run.finished", {**RUN, "artifact_path": "a\\b"}),
        ("training_run.finished", {**RUN, "commit": "a\nb"}),
        ("training_run.finished", {**RUN, "tags": {str(n): "" for n in range(51)}}),
        ("model_version.register", {"model": "taxi"}),
        ("model_version.register", {**RUN, "search": {"experiment": "e"}}),
        ("model_version.register", {"model": "taxi", "search": {"experiment": "e", "max_results": 0}}),
        ("model_version.transition", {**ONE, "stage": "Live"}),
        ("model_version.transition", {**ONE, "version": 0, "stage": "Staging"}),
        ("model_version.transition", {**ONE, "version": True, "stage": "Staging"}),
        ("model_version.transition", {**ONE, "version": 1.0, "stage": "Staging"}),
        ("model_version.transition", {**ONE, "version": "٣", "stage": "Staging"}),
        ("model_version.transition", {**ONE, "version": 2**31, "stage": "Staging"}),
        ("model_version.describe", ONE),
        ("promotion.approve", {**ONE, "promotion": "prm_1"}),
        ("artifacts.fetch", {}),
        ("artifacts.fetch", {"model": "taxi"}),
        ("artifacts.fetch", {"run_id": "r", "model": "taxi", "version": 1}),
        ("task.retry", {"model": "taxi"}),
        ("task.retry", {"task_id": "tsk_1"}),
        ("task.retry", {"task_id": f"{TASK}\n"}),
        ("task.drop", {"task_id": TASK}),
        ("event.replay", {"event_id": TASK}),
        ("registry.query", {"question": "versions"}),
        ("registry.query", {"question": "runs"}),
    ],
)
def test_what_is_wrong_is_refused(type_, data):
    with pytest.raises(ValidationError):
        parse(type_, data)


def test_versions_are_taken_as_mlflow_writes_them_and_stages_in_any_case():
    data = parse("model_version.transition", {"model": "taxi", "version": "3", "stage": "pRODUCTION"})
    assert (data.version, data.stage) == (3, "Production")


def test_work_on_one_model_has_one_lane():
    assert (
        parse("training_run.finished", RUN).lane("e1") == parse("model_version.archive", ONE).lane("e2") == "model:taxi"
    )
    assert parse("registry.query", {"question": "models"}).lane("e1") == "event:e1"


def test_what_is_about_one_task_has_one_lane_and_not_its_models():
    retry, drop = {"task_id": TASK, "model": "taxi"}, {"task_id": TASK, "reason": "x"}
    assert parse("task.retry", retry).lane("e1") == parse("task.drop", drop).lane("e2") == f"task:{TASK}"


WITH_TAGS = {"training_run.finished": RUN, "model_version.register": RUN, "model_version.describe": ONE}
WITH_TAGS |= {"experiment.create": {"name": "fares"}}


def test_these_events_carry_tags():
    assert {kind.type for kind in VOCABULARY.values() if "tags" in kind.model_fields} == WITH_TAGS.keys()


@pytest.mark.parametrize("type_", WITH_TAGS)
@pytest.mark.parametrize(
    "key",
    [
        "registrar.evaluation",
        "registrar.quarantined",
        "registrar.prune_after",
        "registrar.held_back.Production",
        "registrar.",
        "Registrar.Evaluation",
        " registrar.evaluation",
        "mlflow.prompt.is_prompt",
        "mlflow.user",
        "MLFLOW.note.content",
    ],
)
def test_a_tag_that_registrar_or_mlflow_keeps_is_set_by_no_event(type_, key):
    with pytest.raises(ValidationError) as refused:
        parse(type_, {**WITH_TAGS[type_], "tags": {"team": "taxi", key: "x"}})
    [error] = refused.value.errors()
    assert (error["loc"], error["type"]) == (("tags",), "value_error")
    assert key in error["msg"]
    assert "choose another name, such as" in error["msg"]


def test_a_tag_that_only_looks_like_one_is_the_senders():
    tags = {"registrar": "x", "mlflow": "x", "my.mlflow.user": "x", "registrars.note": "x"}
    assert parse("model_version.describe", {**ONE, "tags": tags}).tags == tags
