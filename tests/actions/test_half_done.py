"""What fails after the first write to MLflow: a move is done or taken back, whole, and told as what it is."""

import pytest
from sqlalchemy import update

from registrar.ledger.engine import now
from registrar.ledger.tables import tasks
from tests.policies import model, production
from tests.worker.harness import ADA, POLICY
from worker import retry
from worker.registry import limits
from worker.registry.protocol import AmbiguousError, PermanentError, RetryableError
from worker.shutdown import TaskReleased

pytestmark = pytest.mark.both_ledgers
NO = PermanentError("permission denied")
FREE = POLICY.replace('gates: [{metric: rmse, op: "<", threshold: 7}], approval', "approval")


def trained(office, *runs: str) -> None:
    for run in runs:
        office.registry.trained(run, rmse=5.0)
        office.registry.files[f"models/taxi/{max(office.stages(), default=0) + 1}"] = {"MLmodel": b""}
        office.post("training_run.finished", model="taxi", run_id=run)


def approve(office, number: int) -> str:
    return office.post("promotion.approve", by=ADA, model="taxi", version=number)


def live(office, *runs: str) -> None:
    for run in runs:
        trained(office, run)
        approve(office, max(office.stages()))


def aliases(office) -> dict[str, int]:
    return dict(office.registry.model("taxi").aliases)


def agrees(office) -> bool:
    """Whether the record has what MLflow shows."""
    stages = {number: stage for number, stage in office.stages().items() if stage != "None"}
    shown: dict[str, list[int]] = {}
    for number, stage in stages.items():
        shown.setdefault(stage, []).append(number)
    shown |= {f"@{alias}": [number] for alias, number in aliases(office).items()}
    return shown == {key: sorted(numbers) for key, numbers in office.holding().items()}


def until_it_ends(office, **values) -> None:
    """Every attempt that is still to come."""
    with office.ledger.write() as connection:
        changed = update(tasks).where(tasks.c.state == "queued").values(not_before=now(), **values)
        connection.execute(changed)
    office.work()


# The description.
def test_a_full_description_hides_no_move(office):
    live(office, "r1")
    trained(office, "r2")
    full = "x" * (limits.DESCRIPTION - 41)
    office.registry.set_description("taxi", 2, full)
    event = approve(office, 2)
    assert office.stages() == {1: "Archived", 2: "Production"}
    assert {state for _, state in office.tasks_of(event)} == {"succeeded"}
    assert office.promotions()[-1] == (2, "Production", "promoted")
    assert office.registry.version("taxi", 2).description == full
    said = [text for type_, text in office.facts() if type_ == "model_version.transitioned"][-1]
    assert said == (
        "taxi version 2 is in Production (@champion), by Ada; its description does not say so: it has no room left, "
        "MLflow keeps 5,000 characters"
    )
    assert agrees(office)


def test_a_full_description_of_the_one_replaced_does_not_keep_it(office):
    live(office, "r1")
    office.registry.set_description("taxi", 1, "x" * limits.DESCRIPTION)
    live(office, "r2")
    assert office.stages() == {1: "Archived", 2: "Production"}
    assert office.fact("model_version.archived").endswith("MLflow keeps 5,000 characters")
    assert agrees(office)


def test_older_lines_about_moves_make_room(office):
    trained(office, "r1")
    old = [f"version 1 was transitioned to Staging on 2026-01-0{day} by {'a' * 275}" for day in range(1, 10)]
    office.registry.set_description("taxi", 1, "\n".join(["x" * 2000, *old]))
    approve(office, 1)
    said = office.registry.version("taxi", 1).description
    assert len(said) <= limits.DESCRIPTION
    assert said.startswith("x" * 2000)
    assert said.count("transitioned to Production") == 1


@pytest.mark.parametrize(
    "error", [NO, AmbiguousError("the registry answered 500"), RetryableError("it does not answer")]
)
def test_a_description_that_is_refused_hides_no_move(office, error):
    live(office, "r1")
    trained(office, "r2")
    office.registry.refuse["set_description"] = lambda *_: error
    event = approve(office, 2)
    until_it_ends(office, attempts=retry.DOUBTFUL_ATTEMPTS, started_at=now() - 2 * retry.RETRY_FOR)
    until_it_ends(office, attempts=retry.DOUBTFUL_ATTEMPTS, started_at=now() - 2 * retry.RETRY_FOR)
    assert {state for _, state in office.tasks_of(event)} == {"succeeded"}
    assert office.stages() == {1: "Archived", 2: "Production"}
    assert f"its description does not say so: {error}" in office.fact("model_version.transitioned")
    assert agrees(office)


# The rest.
CALLS = {
    "set_stage": lambda _, number, stage: NO if (number, stage) == (2, "Production") else None,
    "set_alias": lambda _, alias, number: NO if (alias, number) == ("champion", 2) else None,
    "drop_alias": lambda _, alias: NO if alias == "challenger" else None,
}


def test_what_a_worker_that_stopped_had_done_is_taken_back_too(office):
    live(office, "r1")
    trained(office, "r2")
    before = office.stages(), aliases(office), office.holding()
    met = iter([TaskReleased()])
    office.registry.refuse["set_alias"] = lambda *_: next(met, NO)
    approve(office, 2)
    assert (office.stages(), aliases(office), office.holding()) == before
    assert "taken back: taxi version 2 is in Staging" in office.fact("task.failed")


@pytest.mark.parametrize(
    ("mode", "call"),
    [
        *(("stages+aliases", call) for call in CALLS),
        ("aliases", "set_alias"),
        ("aliases", "drop_alias"),
    ],
)
def test_a_refused_step_takes_the_others_back(office, mode, call):
    office.policy(model(f"mode: {mode}"))
    live(office, "r1")
    trained(office, "r2")
    before = office.stages(), aliases(office), office.holding()
    office.registry.refuse[call] = CALLS[call]
    approve(office, 2)
    assert (office.stages(), aliases(office), office.holding()) == before
    assert office.promotions()[-1] == (2, "Production", "failed")
    said = office.fact("task.failed")
    assert said.startswith("promotion.approve by Ada could not be done: permission denied")
    moved = {"stages+aliases": {"set_alias", "drop_alias"}, "aliases": {"drop_alias"}}
    assert ("taken back" in said) == (call in moved[mode])


def test_a_refused_alias_of_the_one_replaced_takes_all_back(office):
    office.policy(production("previous_alias: previous"))
    live(office, "r1")
    trained(office, "r2")
    before = office.stages(), aliases(office), office.holding()
    office.registry.refuse["set_alias"] = lambda _, alias, __: NO if alias == "previous" else None
    approve(office, 2)
    assert (office.stages(), aliases(office), office.holding()) == before


def test_what_is_given_up_after_a_while_is_taken_back_too(office):
    """The attempts before the last one have moved the stage already."""
    live(office, "r1")
    trained(office, "r2")
    before = office.stages(), aliases(office), office.holding()
    broken = AmbiguousError("setting @champion of taxi to version 2: the registry answered 500")
    office.registry.refuse["set_alias"] = lambda _, alias, number: broken if number == 2 else None
    approve(office, 2)
    assert office.stages()[2] == "Production"
    until_it_ends(office, attempts=retry.DOUBTFUL_ATTEMPTS)
    assert (office.stages(), aliases(office), office.holding()) == before
    assert office.fact("task.dead").endswith("what had been done was taken back: taxi version 2 is in Staging")


def test_what_can_not_be_taken_back_is_told_as_that(office):
    live(office, "r1")
    trained(office, "r2")
    office.registry.refuse["set_alias"] = CALLS["set_alias"]
    office.registry.refuse["set_stage"] = lambda _, number, stage: NO if stage == "Staging" else None
    approve(office, 2)
    told = "what had been done could not be taken back (permission denied): look at taxi version 2 in MLflow"
    assert office.fact("task.failed").endswith(f"permission denied; {told}")


def test_a_registry_that_is_away_while_it_is_taken_back_is_waited_for(office):
    live(office, "r1")
    trained(office, "r2")
    before = office.stages(), aliases(office), office.holding()
    office.registry.refuse["set_alias"] = CALLS["set_alias"]
    down = [RetryableError("the line is cut")]
    office.registry.refuse["set_stage"] = lambda _, __, stage: down.pop() if stage == "Staging" and down else None
    approve(office, 2)
    until_it_ends(office)
    assert (office.stages(), aliases(office), office.holding()) == before


def test_a_transition_that_nobody_must_approve_is_taken_back_too(office):
    office.policy(FREE.replace("alias: challenger,", "alias: challenger, request: on_request,"))
    trained(office, "r1")
    office.registry.refuse["set_alias"] = lambda *_: NO
    office.post("model_version.transition", model="taxi", version=1, stage="Staging")
    assert office.stages() == {1: "None"}
    assert "taken back: taxi version 1 is in None" in office.fact("task.failed")


def test_a_rollback_that_fails_frees_the_version_again(office):
    live(office, "r1", "r2")
    before = office.stages(), aliases(office), office.holding()
    office.registry.refuse["set_alias"] = lambda _, alias, number: NO if number == 1 else None
    office.post("model.rollback", by=ADA, model="taxi", reason="wrong fares")
    assert (office.stages(), aliases(office), office.holding()) == before
    assert "registrar.quarantined" not in office.registry.version("taxi", 2).tags


# Describing by event.
def test_what_was_described_is_told_with_what_was_not(office):
    trained(office, "r1")
    office.registry.refuse["set_tag"] = lambda _, __, key: PermanentError("tagging: no") if key == "b" else None
    event = office.post(
        "model_version.describe", model="taxi", version=1, description="new", tags={"a": "1", "b": "2", "c": "3"}
    )
    found = office.registry.version("taxi", 1)
    assert (found.description, found.tags.get("a"), found.tags.get("b"), found.tags.get("c")) == ("new", "1", None, "3")
    assert office.tasks_of(event) == [("describe", "succeeded")]
    assert office.fact("model_version.described") == (
        "taxi version 1 was described by ci; not written: its tag b (tagging: no)"
    )


def test_a_tag_of_ours_is_cut_to_what_mlflow_keeps(office):
    """Reasons of many gates are long."""
    gates = ", ".join(f'{{metric: {"m" * 200}{number}, op: "<", threshold: 7}}' for number in range(20))
    office.policy(POLICY.replace('{metric: rmse, op: "<", threshold: 7}', gates))
    trained(office, "r1")
    kept = office.registry.version("taxi", 1).tags["registrar.held_back.Staging"]
    assert len(kept) == limits.TAG
    assert kept.endswith("…")
