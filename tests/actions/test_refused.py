"""A mistake of whoever asks ends as refused: they are told why, and nobody else has to look at anything."""

import pytest
from mlflow.exceptions import RestException

from registrar.ledger import dead_letters
from registrar.ledger.queries import event_search, event_status, metrics, queue
from registrar.ledger.queries.event_search import EventFilter
from tests.actions.versions import live, trained
from tests.worker.harness import ADA, CI, EVE, POLICY, WorkerHarness
from worker.registry.errors import translate
from worker.registry.protocol import PermanentError

# What is asked, by whom, and of what the answer tells.
MISTAKES = {
    "no such version": (
        "promotion.request",
        ADA,
        {"version": 9, "target": "Production"},
        "no version 9 of taxi: it has versions 1 to 3",
    ),
    "no such target": ("promotion.request", ADA, {"version": 1, "target": "Archived"}, "has no target Archived"),
    "past its gates": ("promotion.request", CI, {"version": 3, "target": "Staging"}, "was held back from Staging"),
    "a version to move": (
        "model_version.transition",
        CI,
        {"version": 9, "stage": "Archived"},
        "no version 9 of taxi: it has versions 1 to 3",
    ),
    "a version to describe": (
        "model_version.describe",
        CI,
        {"version": 9, "tags": {"a": "b"}},
        "no version 9 of taxi: it has versions 1 to 3",
    ),
    "may not take it out": ("model_version.archive", EVE, {"version": 1}, "may"),
    "may not roll it back": ("model.rollback", EVE, {"reason": "bad"}, "Eve may not roll taxi back"),
    "nothing to go back to": ("model.rollback", ADA, {"reason": "bad"}, "no earlier version"),
    "nothing to cancel": ("promotion.cancel", ADA, {"version": 1}, "nothing to cancel"),
    "nothing to settle": ("registry.settle", ADA, {"trust": "mlflow"}, "not in dispute"),
    "no run to register": ("model_version.register", CI, {"run_id": "r404"}, "no such run"),
    "no such task": ("task.retry", ADA, {"task_id": "tsk_" + "0" * 32}, "there is no task"),
    "no such event": ("event.replay", ADA, {"event_id": "evt_" + "0" * 32}, "there is no event"),
    "a vote by nobody who may": ("promotion.approve", EVE, {"version": 2}, "Eve may not approve"),
    "a vote on nothing": ("promotion.reject", ADA, {"version": 9}, "nobody asked for"),
}


@pytest.fixture
def requested(harness: WorkerHarness) -> WorkerHarness:
    """Version 1 is in Production, version 2 is asked for."""
    harness.policy(POLICY)
    live(harness, "r1")
    trained(harness, "r2")
    trained(harness, "r3", rmse=99.0)
    return harness


def task_of(harness: WorkerHarness, event_id: str) -> dict:
    with harness.ledger.read() as connection:
        return event_status.event(connection, event_id)


@pytest.mark.parametrize("mistake", MISTAKES)
def test_what_the_asker_got_wrong_is_refused_and_no_dead_letter(requested, mistake):
    type_, by, data, why = MISTAKES[mistake]
    event = requested.post(type_, by=by, model="taxi", **data)
    found = task_of(requested, event)
    assert (found["state"], found["refused"], found["tasks"][0]["state"]) == ("refused", True, "refused")
    said = found["tasks"][0]["error"] or found["tasks"][0]["outcome"]["summary"]
    assert why in said
    with requested.ledger.read() as connection:
        assert dead_letters.list_dead_letters(connection) == []
        assert (queue.overview(connection)["dead"], metrics.dead(connection)) == (0, [])


@pytest.mark.both_ledgers
def test_what_was_refused_is_found_by_its_state(requested):
    event = requested.post("promotion.cancel", by=EVE, model="taxi", version=2)
    with requested.ledger.read() as connection:
        assert [each["id"] for each in event_search.search(connection, EventFilter(state="refused"))] == [event]
        assert event not in [each["id"] for each in event_search.search(connection, EventFilter(state="succeeded"))]


# By nobody's mistake: a report is about what is there, and what follows by itself was asked for by no person.
@pytest.mark.parametrize(
    ("type_", "data"),
    [
        ("training_run.finished", {"run_id": "r404"}),
        ("evaluation_run.finished", {"version": 9, "run_id": "r1"}),
    ],
)
def test_a_report_of_what_is_not_there_has_failed_for_somebody_to_look_at(requested, type_, data):
    event = requested.post(type_, model="taxi", **data)
    assert task_of(requested, event)["state"] == "failed"
    with requested.ledger.read() as connection:
        assert [each.event_id for each in dead_letters.list_dead_letters(connection)] == [event]


def test_a_move_to_a_guarded_target_is_refused_where_its_gates_hold_it_back(requested):
    event = requested.post("model_version.transition", model="taxi", version=3, stage="Staging")
    found = task_of(requested, event)
    assert [(task["name"], task["state"]) for task in found["tasks"][:2]] == [
        ("worker.transition", "succeeded"),
        ("worker.request", "refused"),
    ]
    assert (found["state"], requested.stages()[3]) == ("refused", "None")


def test_a_training_that_a_gate_held_back_has_done_all_that_it_was_to_do(requested):
    requested.registry.trained("r4", rmse=99.0)
    event = requested.post("training_run.finished", model="taxi", run_id="r4")
    assert requested.fact("model_version.held_back").startswith("taxi version 4 was held back from Staging")
    assert task_of(requested, event)["state"] == "succeeded"


def test_what_can_not_be_written_has_failed(requested):
    requested.registry.refuse["set_tag"] = lambda *_: PermanentError("permission denied")
    event = requested.post("model_version.describe", model="taxi", version=1, tags={"a": "b"})
    assert task_of(requested, event)["state"] == "failed"


def test_people_are_told_of_a_refused_act_as_such(requested):
    requested.post("promotion.cancel", by=EVE, model="taxi", version=2)
    said = requested.fact("task.refused")
    assert said.startswith("promotion.cancel by Eve was refused: Eve may not cancel taxi version 2 to Production")
    assert "task.failed" not in [kind for kind, _ in requested.facts()]


def test_nothing_refused_is_tried_again_or_dropped(requested):
    event = requested.post("promotion.cancel", by=EVE, model="taxi", version=2)
    task = task_of(requested, event)["tasks"][0]["id"]
    retried = task_of(requested, requested.post("task.retry", by=ADA, model="taxi", task_id=task))
    assert retried["state"] == "refused"
    assert f"{task} was refused, and nothing is left to do" in retried["tasks"][0]["error"]


@pytest.mark.parametrize(
    ("states", "state"),
    [
        ({"refused", "succeeded"}, "refused"),
        ({"refused", "dropped", "succeeded"}, "refused"),
        ({"refused", "failed"}, "failed"),  # nobody could be told
        ({"refused", "queued"}, "unfinished"),
    ],
)
def test_an_event_is_as_the_worst_of_its_tasks(states, state):
    assert event_status.state_of(states) == state


# MLflow's own word for what it was asked: it is wrong.
@pytest.mark.parametrize(
    ("call", "type_", "data"),
    [
        ("search_runs", "registry.query", {"question": "runs", "experiment": "exp", "filter_string": "metrics.x < 7"}),
        ("set_tag", "model_version.describe", {"model": "taxi", "version": 1, "tags": {"a": "b"}}),
        ("create_experiment", "experiment.create", {"name": "another"}),
    ],
)
def test_what_mlflow_says_is_no_valid_question_is_refused(requested, call, type_, data):
    requested.registry.create_experiment("exp", tags={})
    requested.registry.fail[call] = translate("asking", RestException({"error_code": "INVALID_PARAMETER_VALUE"}))
    event = requested.post(type_, by=ADA, **data)
    assert task_of(requested, event)["state"] == "refused"


def test_what_mlflow_does_not_allow_us_has_failed(requested):
    requested.registry.create_experiment("exp", tags={})
    requested.registry.fail["search_runs"] = translate("asking", RestException({"error_code": "PERMISSION_DENIED"}))
    event = requested.post("registry.query", by=ADA, question="runs", experiment="exp")
    assert task_of(requested, event)["state"] == "failed"
