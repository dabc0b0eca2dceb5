"""What fails after the first write to MLflow: a move is done or taken back, whole, and told as what it is."""

import pytest
from sqlalchemy import update

from registrar.ledger.engine import now
from registrar.ledger.queries import event_status
from registrar.ledger.tables import tasks
from tests.policies import approval, model, production
from tests.worker.harness import ADA, POLICY
from worker import retry
from worker.registry import entities
from worker.registry.protocol import AmbiguousError, PermanentError, RetryableError
from worker.shutdown import TaskReleased

pytestmark = pytest.mark.both_ledgers
NO = PermanentError("permission denied")
FREE = POLICY.replace('gates: [{metric: rmse, op: "<", threshold: 7}], approval', "approval")


def trained(harness, *runs: str) -> None:
    for run in runs:
        harness.registry.trained(run, rmse=5.0)
        harness.registry.files[f"models/taxi/{max(harness.stages(), default=0) + 1}"] = {"MLmodel": b""}
        harness.post("training_run.finished", model="taxi", run_id=run)


def approve(harness, number: int) -> str:
    return harness.post("promotion.approve", by=ADA, model="taxi", version=number)


def live(harness, *runs: str) -> None:
    for run in runs:
        trained(harness, run)
        approve(harness, max(harness.stages()))


def aliases(harness) -> dict[str, int]:
    return dict(harness.registry.model("taxi").aliases)


def agrees(harness) -> bool:
    """Whether the record has what MLflow shows."""
    stages = {number: stage for number, stage in harness.stages().items() if stage != "None"}
    shown: dict[str, list[int]] = {}
    for number, stage in stages.items():
        shown.setdefault(stage, []).append(number)
    shown |= {f"@{alias}": [number] for alias, number in aliases(harness).items()}
    return shown == {key: sorted(numbers) for key, numbers in harness.holding().items()}


def until_it_ends(harness, **values) -> None:
    """Every attempt that is still to come."""
    with harness.ledger.write() as connection:
        changed = update(tasks).where(tasks.c.state == "queued").values(not_before=now(), **values)
        connection.execute(changed)
    harness.work()


# The description.
def test_a_full_description_hides_no_move(harness):
    live(harness, "r1")
    trained(harness, "r2")
    full = "x" * (entities.MAX_DESCRIPTION - 41)
    harness.registry.set_description("taxi", 2, full)
    event = approve(harness, 2)
    assert harness.stages() == {1: "Archived", 2: "Production"}
    assert {state for _, state in harness.tasks_of(event)} == {"succeeded"}
    assert harness.promotions()[-1] == (2, "Production", "promoted")
    assert harness.registry.version("taxi", 2).description == full
    said = [text for type_, text in harness.facts() if type_ == "model_version.transitioned"][-1]
    assert said == (
        "taxi version 2 is in Production (@champion), by Ada; its description does not say so: it has no room left, "
        "MLflow keeps 5,000 characters"
    )
    assert agrees(harness)


def test_a_full_description_of_the_one_replaced_does_not_keep_it(harness):
    live(harness, "r1")
    harness.registry.set_description("taxi", 1, "x" * entities.MAX_DESCRIPTION)
    live(harness, "r2")
    assert harness.stages() == {1: "Archived", 2: "Production"}
    assert harness.fact("model_version.archived").endswith("MLflow keeps 5,000 characters")
    assert agrees(harness)


def test_older_lines_about_moves_make_room(harness):
    trained(harness, "r1")
    old = [f"version 1 was transitioned to Staging on 2026-01-0{day} by {'a' * 275}" for day in range(1, 10)]
    harness.registry.set_description("taxi", 1, "\n".join(["x" * 2000, *old]))
    approve(harness, 1)
    said = harness.registry.version("taxi", 1).description
    assert len(said) <= entities.MAX_DESCRIPTION
    assert said.startswith("x" * 2000)
    assert said.count("transitioned to Production") == 1


def test_of_many_lines_about_moves_the_twenty_newest_stay(harness):
    trained(harness, "r1")
    old = [f"version 1 was transitioned to Staging on 2026-01-{day:02} 12:00 UTC by Bob" for day in range(1, 26)]
    harness.registry.set_description("taxi", 1, "\n".join(["night fares", *old]))
    approve(harness, 1)
    people, *moves = harness.registry.version("taxi", 1).description.split("\n")
    assert (people, moves[:-1]) == ("night fares", old[-19:])
    assert moves[-1].startswith("version 1 was transitioned to Production on ")


@pytest.mark.parametrize(
    "error", [NO, AmbiguousError("the registry answered 500"), RetryableError("it does not answer")]
)
def test_a_description_that_is_refused_hides_no_move(harness, error):
    live(harness, "r1")
    trained(harness, "r2")
    harness.registry.refuse["set_description"] = lambda *_: error
    event = approve(harness, 2)
    until_it_ends(harness, attempts=retry.AMBIGUOUS_ATTEMPTS, started_at=now() - 2 * retry.RETRY_FOR)
    until_it_ends(harness, attempts=retry.AMBIGUOUS_ATTEMPTS, started_at=now() - 2 * retry.RETRY_FOR)
    assert {state for _, state in harness.tasks_of(event)} == {"succeeded"}
    assert harness.stages() == {1: "Archived", 2: "Production"}
    assert f"its description does not say so: {error}" in harness.fact("model_version.transitioned")
    assert agrees(harness)


# The rest.
CALLS = {
    "set_stage": lambda _, number, stage: NO if (number, stage) == (2, "Production") else None,
    "set_alias": lambda _, alias, number: NO if (alias, number) == ("champion", 2) else None,
    "drop_alias": lambda _, alias: NO if alias == "challenger" else None,
}


def test_what_a_worker_that_stopped_had_done_is_taken_back_too(harness):
    live(harness, "r1")
    trained(harness, "r2")
    before = harness.stages(), aliases(harness), harness.holding()
    met = iter([TaskReleased()])
    harness.registry.refuse["set_alias"] = lambda *_: next(met, NO)
    approve(harness, 2)
    assert (harness.stages(), aliases(harness), harness.holding()) == before
    assert "taken back: taxi version 2 is in Staging" in harness.fact("task.failed")


@pytest.mark.parametrize(
    ("mode", "call"),
    [
        *(("stages+aliases", call) for call in CALLS),
        ("aliases", "set_alias"),
        ("aliases", "drop_alias"),
    ],
)
def test_a_refused_step_takes_the_others_back(harness, mode, call):
    harness.policy(model(f"mode: {mode}"))
    live(harness, "r1")
    trained(harness, "r2")
    before = harness.stages(), aliases(harness), harness.holding()
    harness.registry.refuse[call] = CALLS[call]
    approve(harness, 2)
    assert (harness.stages(), aliases(harness), harness.holding()) == before
    assert harness.promotions()[-1] == (2, "Production", "failed")
    said = harness.fact("task.failed")
    assert said.startswith("promotion.approve by Ada could not be done: permission denied")
    moved = {"stages+aliases": {"set_alias", "drop_alias"}, "aliases": {"drop_alias"}}
    assert ("taken back" in said) == (call in moved[mode])


def test_a_refused_alias_of_the_one_replaced_takes_all_back(harness):
    harness.policy(production("previous_alias: previous"))
    live(harness, "r1")
    trained(harness, "r2")
    before = harness.stages(), aliases(harness), harness.holding()
    harness.registry.refuse["set_alias"] = lambda _, alias, __: NO if alias == "previous" else None
    approve(harness, 2)
    assert (harness.stages(), aliases(harness), harness.holding()) == before


def test_what_is_given_up_after_a_while_is_taken_back_too(harness):
    """The attempts before the last one have moved the stage already."""
    live(harness, "r1")
    trained(harness, "r2")
    before = harness.stages(), aliases(harness), harness.holding()
    broken = AmbiguousError("setting @champion of taxi to version 2: the registry answered 500")
    harness.registry.refuse["set_alias"] = lambda _, alias, number: broken if number == 2 else None
    approve(harness, 2)
    assert harness.stages()[2] == "Production"
    until_it_ends(harness, attempts=retry.AMBIGUOUS_ATTEMPTS)
    assert (harness.stages(), aliases(harness), harness.holding()) == before
    assert harness.fact("task.dead").endswith("what had been done was taken back: taxi version 2 is in Staging")


@pytest.mark.parametrize(
    ("hand", "seen"),
    [
        (lambda registry: registry.set_stage("taxi", 1, "Archived"), "Archived with @champion"),
        (lambda registry: registry.set_alias("taxi", "champion", 2), "Production with no alias"),
    ],
)
def test_what_a_hand_does_in_the_middle_is_seen_before_it_is_called_done(harness, hand, seen):
    trained(harness, "r1")
    trained(harness, "r2")
    harness.policy(approval("{rules: [{group: leads}], on_newer_candidate: keep}"))
    harness.registry.set_stage("taxi", 1, "Staging")
    harness.registry.set_alias("taxi", "challenger", 1)
    harness.post("promotion.request", by=ADA, model="taxi", version=1, target="Production")

    def meanwhile(*_: object) -> None:
        harness.registry.refuse.clear()
        hand(harness.registry)

    harness.registry.refuse["drop_alias"] = meanwhile
    event = approve(harness, 1)
    with harness.ledger.read() as connection:
        [tried] = [task for task in (event_status.event(connection, event) or {})["tasks"] if task["state"] == "queued"]
    assert f"is in {seen}: somebody else moved it meanwhile" in tried["error"]
    assert (1, "Production", "approved") in harness.promotions()


def test_what_the_second_attempt_is_refused_is_taken_back_too(harness):
    live(harness, "r1")
    trained(harness, "r2")
    before = harness.stages(), aliases(harness), harness.holding()
    met = iter([RetryableError("the line is cut")])
    harness.registry.refuse["drop_alias"] = lambda *_: next(met, NO)
    approve(harness, 2)
    assert aliases(harness)["champion"] == 2
    until_it_ends(harness)
    assert (harness.stages(), aliases(harness), harness.holding()) == before


def test_an_alias_that_a_hand_had_given_it_is_not_taken_back(harness):
    live(harness, "r1")
    trained(harness, "r2")
    harness.registry.set_alias("taxi", "champion", 2)
    before = harness.stages(), aliases(harness), harness.holding()
    harness.registry.refuse["drop_alias"] = CALLS["drop_alias"]
    approve(harness, 2)
    assert (harness.stages(), aliases(harness), harness.holding()) == before


def test_what_can_not_be_taken_back_is_told_as_that(harness):
    live(harness, "r1")
    trained(harness, "r2")
    harness.registry.refuse["set_alias"] = CALLS["set_alias"]
    harness.registry.refuse["set_stage"] = lambda _, number, stage: NO if stage == "Staging" else None
    approve(harness, 2)
    told = "what had been done could not be taken back (permission denied): look at taxi version 2 in MLflow"
    assert harness.fact("task.failed").endswith(f"permission denied; {told}")


def test_a_registry_that_is_away_while_it_is_taken_back_is_waited_for(harness):
    live(harness, "r1")
    trained(harness, "r2")
    before = harness.stages(), aliases(harness), harness.holding()
    harness.registry.refuse["set_alias"] = CALLS["set_alias"]
    down = [RetryableError("the line is cut")]
    harness.registry.refuse["set_stage"] = lambda _, __, stage: down.pop() if stage == "Staging" and down else None
    approve(harness, 2)
    until_it_ends(harness)
    assert (harness.stages(), aliases(harness), harness.holding()) == before


@pytest.mark.parametrize(
    ("error", "told"), [(NO, "task.failed"), (AmbiguousError("the registry answered 500"), "task.dead")]
)
def test_a_transition_that_nobody_must_approve_is_taken_back_too(harness, error, told):
    harness.policy(FREE.replace("alias: challenger,", "alias: challenger, request: on_request,"))
    trained(harness, "r1")
    harness.registry.refuse["set_alias"] = lambda *_: error
    harness.post("model_version.transition", model="taxi", version=1, stage="Staging")
    until_it_ends(harness, attempts=retry.AMBIGUOUS_ATTEMPTS)
    assert harness.stages() == {1: "None"}
    assert "taken back: taxi version 1 is in None" in harness.fact(told)


def test_a_rollback_that_fails_frees_the_version_again(harness):
    live(harness, "r1", "r2")
    before = harness.stages(), aliases(harness), harness.holding()
    harness.registry.refuse["set_alias"] = lambda _, alias, number: NO if number == 1 else None
    harness.post("model.rollback", by=ADA, model="taxi", reason="wrong fares")
    assert (harness.stages(), aliases(harness), harness.holding()) == before
    assert "registrar.quarantined" not in harness.registry.version("taxi", 2).tags


# Describing by event.
def test_what_was_described_is_told_with_what_was_not(harness):
    trained(harness, "r1")
    harness.registry.refuse["set_tag"] = lambda _, __, key: PermanentError("tagging: no") if key == "b" else None
    event = harness.post(
        "model_version.describe", model="taxi", version=1, description="new", tags={"a": "1", "b": "2", "c": "3"}
    )
    found = harness.registry.version("taxi", 1)
    assert (found.description, found.tags.get("a"), found.tags.get("b"), found.tags.get("c")) == ("new", "1", None, "3")
    assert harness.tasks_of(event) == [("describe", "succeeded")]
    assert harness.fact("model_version.described") == (
        "taxi version 1 was described by ci; not written: its tag b (tagging: no)"
    )


def test_a_tag_of_ours_is_cut_to_what_mlflow_keeps(harness):
    """Reasons of many gates are long."""
    gates = ", ".join(f'{{metric: {"m" * 200}{number}, op: "<", threshold: 7}}' for number in range(20))
    harness.policy(POLICY.replace('{metric: rmse, op: "<", threshold: 7}', gates))
    trained(harness, "r1")
    kept = harness.registry.version("taxi", 1).tags["registrar.held_back.Staging"]
    assert len(kept) == entities.MAX_TAG
    assert kept.endswith("…")
