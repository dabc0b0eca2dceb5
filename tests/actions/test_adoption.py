"""A version that was registered in MLflow itself enters the flow once, by whichever way it is noticed."""

from dataclasses import replace
from datetime import timedelta

import pytest

from registrar.events.event import Actor
from registrar.ledger.incarnations import made_anew_at
from registrar.ledger.queries import event_status
from registrar.ledger.queries.versions import known_versions, present_numbers
from registrar.ledger.version_state import Key, current, states
from tests.fakes import BORN
from tests.policies import approval, gate_on_staging, model
from tests.worker.harness import ADA, BOB, POLICY
from worker.registry.entities import ModelSource
from worker.registry.protocol import RetryableError

pytestmark = pytest.mark.both_ledgers
MLFLOW = Actor("source:mlflow", "somebody in MLflow (mlflow)")
PEOPLE = POLICY.replace("{name: Ada}", "{name: Ada, accounts: {mlflow: ada}}")
TURNED = r"\u202e" * 41 + r"\u2…"  # 250 characters of a text that would change the direction of writing
REGISTERED, BY_HAND = "model_version.registered", "registry.changed_by_hand"


def register(harness, run: str = "r1", rmse: float = 5.0, **tags: str) -> int:
    """As MLflow's button Register Model, or log_model(registered_model_name=), does; MLflow's webhook is `webhook`."""
    harness.registry.ensure_model("taxi")
    if run not in harness.registry.runs:
        harness.registry.trained(run, rmse=rmse)
    source = harness.registry.sources[run, "model"]
    return harness.registry.create_version("taxi", source, run_id=run, description="", tags=tags).version


def webhook(harness, number: int) -> str:
    return harness.post("registry.changed", by=MLFLOW, model="taxi", change="model_version.created", version=number)


def first_look(harness) -> None:
    """Registrar knows the model: its version 1 is an event's."""
    harness.registry.trained("r0", rmse=6.0)
    harness.post("training_run.finished", model="taxi", run_id="r0")


def registered(harness) -> list[int]:
    return [fact.version for fact in harness.told_facts() if fact.type == REGISTERED]


def requests(harness, target: str = "Staging") -> list[int]:
    return sorted(version for version, stage, _ in harness.promotions() if stage == target)


def requester(harness, target: str = "Production") -> str:
    return harness.details("promotion.awaiting_approval")["requested_by"] if target == "Production" else ""


def bound(harness, number: int = 1) -> dict[str, str]:
    made = harness.registry.version("taxi", number)
    with harness.ledger.read() as connection:
        return current(states(connection, "taxi", version=number), number, made.created_at)


def test_a_version_that_a_webhook_announces_is_tagged_described_and_tried(harness):
    register(harness)
    event = webhook(harness, 1)
    version = harness.registry.version("taxi", 1)
    assert (version.stage, version.aliases) == ("Staging", ("challenger",))
    assert version.tags == {"registrar.event": event}
    assert version.description.splitlines()[0] == (
        "registered in MLflow from run run-r1 (r1) by ada, as its run says; taken in by Registrar"
    )
    assert harness.fact(REGISTERED) == "taxi version 1 was registered in MLflow by ada, as its run says, and taken in"
    assert harness.promotions() == [(1, "Staging", "promoted"), (1, "Production", "awaiting_approval")]
    assert not [text for kind, text in harness.facts() if kind == BY_HAND]


def test_it_is_on_the_pages_as_every_version_is(harness):
    register(harness)
    event = webhook(harness, 1)
    with harness.ledger.read() as connection:
        [known] = known_versions(connection, "taxi")
    assert (known.version, known.run_id, known.event_id) == (1, "r1", event)
    assert (known.registered_by, known.metrics) == ("ada in MLflow", {"rmse": 5.0})


def test_the_record_says_that_only_mlflow_names_who_registered_it(harness):
    harness.policy(PEOPLE)
    register(harness)
    event = webhook(harness, 1)
    assert bound(harness) == {Key.AUTHOR_SEEN: "ada", Key.REGISTRANT: "mlflow:ada", Key.EVENT: event}
    assert "registered in MLflow by Ada, as its run says" in harness.fact(REGISTERED)


def test_who_registered_it_is_the_requester_and_may_not_approve_it(harness):
    harness.policy(approval("{rules: [{group: leads}], exclude: [requester]}", PEOPLE))
    register(harness)
    webhook(harness, 1)
    assert harness.details("promotion.awaiting_approval")["requested_by"] == "Ada"
    harness.post("promotion.approve", by=ADA, model="taxi", version=1)
    assert "Ada asked for taxi version 1 to Production" in harness.fact("promotion.vote_refused")
    harness.post("promotion.approve", by=BOB, model="taxi", version=1)
    assert harness.stages() == {1: "Production"}


@pytest.mark.parametrize(
    ("user", "asked"),
    [("", "mlflow:unknown"), ("mallory", "mlflow:mallory"), ("\u202e" * 300, "mlflow:" + TURNED)],
    ids=["nobody", "mallory", "somebody who would turn the text"],
)
def test_somebody_whom_nobody_knows_excludes_nobody(harness, user, asked):
    harness.policy(approval("{rules: [{group: leads}], exclude: [requester]}", PEOPLE))
    harness.registry.trained("r1", rmse=5.0)
    harness.registry.runs["r1"] = replace(harness.registry.runs["r1"], user=user)
    register(harness)
    webhook(harness, 1)
    assert harness.details("promotion.awaiting_approval")["requested_by"] == asked
    harness.post("promotion.approve", by=ADA, model="taxi", version=1)
    assert harness.stages() == {1: "Production"}


def test_a_later_change_of_the_runs_user_changes_no_requester(harness):
    """What was held back is asked for in the name that MLflow gave when the version was taken in."""
    harness.policy(PEOPLE)
    register(harness, rmse=9.0)
    webhook(harness, 1)
    run = replace(harness.registry.runs["r1"], user="mallory", metrics={"rmse": 5.0})
    harness.registry.runs["r1"] = run
    harness.registry.evaluated("e1", 1)
    harness.post("evaluation_run.finished", model="taxi", version=1, run_id="e1")
    assert harness.details("promotion.awaiting_approval")["requested_by"] == "Ada"


def test_a_user_that_the_registry_itself_names_comes_before_the_runs(harness):
    register(harness)
    versions = harness.registry._models["taxi"]
    versions[1] = replace(versions[1], user="grace")
    webhook(harness, 1)
    assert "registered in MLflow by grace, as its version says" in harness.fact(REGISTERED)
    assert harness.details("promotion.awaiting_approval")["requested_by"] == "mlflow:grace"


def test_a_doubled_webhook_and_a_reconcile_after_it_change_nothing(harness):
    register(harness)
    webhook(harness, 1)
    before = (harness.facts(), harness.promotions(), list(harness.registry.writes))
    webhook(harness, 1)
    harness.post("registry.reconcile", by=ADA, model="taxi")
    assert (harness.facts(), harness.promotions(), list(harness.registry.writes)) == before


def test_the_echo_of_our_own_tags_changes_nothing(harness):
    harness.registry.trained("r1", rmse=5.0)
    harness.registry.runs["r1"] = replace(harness.registry.runs["r1"], tags={"git_commit": "c0ffee"})
    register(harness)
    webhook(harness, 1)
    assert harness.registry.version("taxi", 1).tags["registrar.commit"] == "c0ffee"
    before = harness.facts()
    for key in ("registrar.event", "registrar.commit"):
        change = "model_version_tag.set"
        harness.post("registry.changed", by=MLFLOW, model="taxi", change=change, version=1, key=key, value="x")
    assert harness.facts() == before


def test_what_an_event_registered_is_not_taken_in_again(harness):
    first_look(harness)
    before = harness.facts()
    webhook(harness, 1)
    harness.post("registry.reconcile", by=ADA, model="taxi")
    assert harness.facts() == before


def test_a_webhook_that_comes_before_our_commit_waits_for_it(harness):
    """The worker dies between MLflow's answer and its own commit; the webhook is there before the next attempt."""
    harness.registry.trained("r1", rmse=5.0)
    create = harness.registry.create_version

    def cut(*given, **named):
        create(*given, **named)
        webhook_event.append(
            harness.accept("registry.changed", by=MLFLOW, model="taxi", change="model_version.created", version=1)
        )
        raise RetryableError("the answer was lost")

    webhook_event: list[str] = []
    harness.registry.create_version = cut
    harness.post("training_run.finished", model="taxi", run_id="r1")
    harness.registry.create_version = create
    harness.until_nothing_waits()
    assert harness.tasks_of(webhook_event[0]) == [("observe", "succeeded")]
    assert (registered(harness), requests(harness)) == ([1], [1])
    assert "registered from run run-r1" in harness.fact(REGISTERED)


@pytest.mark.parametrize("call", ["run", "set_tag", "set_description"])
def test_a_crash_in_the_middle_of_an_adoption_takes_in_once(harness, call):
    register(harness)
    harness.registry.fail[call] = RetryableError("the answer was lost")
    webhook(harness, 1)
    harness.until_nothing_waits()
    assert (registered(harness), requests(harness)) == ([1], [1])
    assert harness.registry.version("taxi", 1).description.count("taken in by Registrar") == 1


def test_a_lost_webhook_is_made_up_for_by_a_reconcile(harness):
    first_look(harness)
    register(harness)
    register(harness, "r2", 5.5)
    harness.post("registry.reconcile", by=ADA, model="taxi")
    assert (registered(harness), requests(harness)) == ([1, 2, 3], [1, 2, 3])
    harness.post("registry.reconcile", by=ADA, model="taxi")
    webhook(harness, 2)
    assert (registered(harness), requests(harness)) == ([1, 2, 3], [1, 2, 3])


def test_a_lost_webhook_is_made_up_for_by_the_next_one_in_the_order_of_the_versions(harness):
    first_look(harness)
    for run in ("r1", "r2", "r3"):
        register(harness, run)
    webhook(harness, 4)
    assert registered(harness) == [1, 2, 3, 4]
    assert harness.stages() == {1: "Archived", 2: "Archived", 3: "Archived", 4: "Staging"}
    webhook(harness, 3)
    webhook(harness, 2)
    assert registered(harness) == [1, 2, 3, 4]


def test_webhooks_in_any_order_never_put_an_older_version_before_a_newer_one(harness):
    """At the first look nobody knows what the lower numbers are: each message speaks for its version alone."""
    register(harness)
    register(harness, "r2")
    webhook(harness, 2)
    assert registered(harness) == [2]
    webhook(harness, 1)
    assert registered(harness) == [2, 1]
    assert harness.fact(REGISTERED).endswith("and taken in; nothing is asked for, as version 2 came first")
    assert harness.stages() == {1: "None", 2: "Staging"}
    with harness.ledger.read() as connection:
        assert [known.version for known in known_versions(connection, "taxi")] == [2, 1]


def test_a_model_that_the_webhook_says_is_new_is_followed_from_its_first_version_on(harness):
    harness.registry.ensure_model("taxi")
    harness.post("registry.changed", by=MLFLOW, model="taxi", change="registered_model.created")
    assert harness.facts() == []
    register(harness)
    harness.post("registry.reconcile", by=ADA, model="taxi")
    assert registered(harness) == [1]


def test_versions_from_before_the_first_look_are_taken_in_by_nobody(harness):
    for nth in range(5):
        register(harness, f"old{nth}")
    event = harness.post("registry.reconcile", by=ADA, model="taxi")
    assert harness.tasks_of(event) == [("reconcile", "succeeded")]
    assert (registered(harness), harness.registry.version("taxi", 5).tags) == ([], {})
    register(harness, "r1")
    harness.post("registry.reconcile", by=ADA, model="taxi")
    assert registered(harness) == [6]


@pytest.mark.parametrize("way", ["webhook", "event"])
def test_nor_where_the_first_look_is_at_a_new_version(harness, way):
    for nth in range(3):
        register(harness, f"old{nth}")
    if way == "webhook":
        webhook(harness, register(harness, "r1"))
    else:
        harness.registry.trained("r1", rmse=5.0)
        harness.post("training_run.finished", model="taxi", run_id="r1")
    harness.post("registry.reconcile", by=ADA, model="taxi")
    assert registered(harness) == [4]


@pytest.mark.parametrize("way", ["webhook", "reconcile"])
def test_a_model_that_was_made_anew_begins_anew(harness, way):
    first_look(harness)
    register(harness)
    webhook(harness, 2)
    harness.registry.delete_model("taxi")
    harness.registry.born = BORN + timedelta(hours=1)
    register(harness, "r2")
    if way == "webhook":
        webhook(harness, 1)
    harness.post("registry.reconcile", by=ADA, model="taxi")
    harness.until_nothing_waits()
    assert registered(harness) == [1, 2, 1]
    assert harness.stages() == {1: "Staging"}
    assert harness.details(REGISTERED)["run_id"] == "r2"


def test_a_number_that_was_deleted_and_given_again_is_a_new_version(harness):
    first_look(harness)
    register(harness)
    webhook(harness, 2)
    harness.registry.delete_version("taxi", 2)
    harness.registry.born = BORN + timedelta(hours=1)
    register(harness, "r2")
    harness.post("registry.reconcile", by=ADA, model="taxi")
    assert registered(harness) == [1, 2, 2]


def test_a_training_event_that_comes_first_takes_it_up_and_the_webhook_adds_nothing(harness):
    register(harness)
    harness.post("training_run.finished", model="taxi", run_id="r1", commit="c0ffee")
    before = harness.facts()
    webhook(harness, 1)
    harness.post("registry.reconcile", by=ADA, model="taxi")
    assert harness.facts() == before
    assert (registered(harness), requests(harness)) == ([1], [1])


def test_a_training_event_that_comes_second_adds_what_it_knows_and_no_request(harness):
    register(harness)
    webhook(harness, 1)
    said = {"commit": "c0ffee", "tags": {"team": "taxi"}, "description": "nightly"}
    for _ in range(2):
        harness.post("training_run.finished", model="taxi", run_id="r1", **said)
    version = harness.registry.version("taxi", 1)
    assert (version.tags["team"], version.tags["registrar.commit"]) == ("taxi", "c0ffee")
    assert version.description.startswith("nightly\n")
    assert (registered(harness), requests(harness)) == ([1], [1])
    assert harness.fact("model_version.described") == (
        "taxi version 1, taken in from MLflow, is of run run-r1, which ci announced"
    )
    assert len([kind for kind, _ in harness.facts() if kind == "model_version.described"]) == 1
    with harness.ledger.read() as connection:
        [known] = known_versions(connection, "taxi")
    assert (known.commit, known.registered_by) == ("c0ffee", "ada in MLflow")


def test_what_a_replay_of_the_training_event_would_add_is_said_before(harness):
    event = harness.post("training_run.finished", model="taxi", run_id="r1", commit="c0ffee")
    register(harness)
    webhook(harness, 1)
    for said in (
        "taxi version 1 of run r1, taken in from MLflow, would get what the event says",
        "is taxi version 1 already",
    ):
        plan = harness.post("event.replay", by=ADA, via="web", event_id=event, model="taxi", plan=True)
        with harness.ledger.read() as connection:
            assert said in event_status.event(connection, plan)["tasks"][0]["outcome"]["summary"]
        harness.post("event.replay", by=ADA, via="web", event_id=event, model="taxi")


def test_a_gate_that_waits_for_the_events_tag_opens_with_it(harness):
    harness.policy(gate_on_staging("{tags: [report], by: ci}"))
    register(harness, report="by hand")
    webhook(harness, 1)
    assert harness.stages() == {1: "None"}
    harness.post("training_run.finished", model="taxi", run_id="r1", tags={"report": "s3"})
    assert harness.stages() == {1: "Staging"}
    assert requests(harness) == [1]


def test_a_version_whose_event_failed_for_good_is_taken_in_and_a_retry_adds_nothing(harness):
    first_look(harness)
    harness.registry.trained("r1", rmse=5.0)
    create = harness.registry.create_version

    def cut(*given, **named):
        create(*given, **named)
        raise RuntimeError("a bug, each time")

    harness.registry.create_version = cut
    event = harness.post("training_run.finished", model="taxi", run_id="r1")
    for _ in range(6):
        harness.later(hours=1)
    harness.registry.create_version = create
    harness.until_nothing_waits()
    assert registered(harness) == [1, 2], harness.tasks_of(event)


def test_what_an_attempt_of_ours_left_behind_is_not_taken_in(harness):
    """A worker that stood still past its lease made a second version, and has not taken it back yet."""
    first_look(harness)
    ours = harness.registry.version("taxi", 1)
    source = harness.registry.sources["r0", "model"]
    harness.registry.create_version("taxi", source, run_id="r0", description="", tags=ours.tags)
    webhook(harness, 2)
    harness.post("registry.reconcile", by=ADA, model="taxi")
    assert (registered(harness), harness.stages()) == ([1], {1: "Staging", 2: "None"})


def test_a_forged_tag_of_ours_keeps_a_version_of_another_run_from_nothing(harness):
    first_look(harness)
    register(harness, **dict(harness.registry.version("taxi", 1).tags))
    webhook(harness, 2)
    assert (registered(harness), harness.stages()[2]) == ([1, 2], "Staging")


def test_a_renamed_models_versions_are_not_new_under_a_name_that_was_followed_before(harness):
    first_look(harness)
    harness.post("registry.changed", by=MLFLOW, model="taxi", change="model_version.created", version=1)
    harness.registry.ensure_model("bus")
    harness.post("registry.changed", by=MLFLOW, model="bus", change="registered_model.created")
    harness.registry.delete_model("bus")
    harness.registry._models["bus"] = {
        number: replace(version, model="bus") for number, version in harness.registry._models.pop("taxi").items()
    }
    harness.registry._aliases["bus"] = harness.registry._aliases.pop("taxi")
    harness.policy(POLICY.replace("  taxi:", "  bus:"))
    harness.post("registry.reconcile", by=ADA, model="bus")
    assert registered(harness) == [1]


def test_a_person_may_register_what_was_rejected_and_it_is_asked_anew_with_all_gates(harness):
    first_look(harness)
    harness.post("promotion.reject", by=ADA, model="taxi", version=1, reason="wrong fares")
    register(harness, "r0")
    webhook(harness, 2)
    assert harness.promotions()[-1] == (2, "Production", "awaiting_approval")
    assert harness.stages()[2] == "Staging"


def test_a_version_with_a_tag_of_quarantine_stays_out(harness):
    register(harness, **{"registrar.quarantined": "wrong fares"})
    webhook(harness, 1)
    assert registered(harness) == [1]
    assert "it is quarantined: wrong fares" in harness.fact("model_version.held_back")
    assert harness.stages() == {1: "None"}


def test_a_version_that_fails_its_gate_is_held_back(harness):
    register(harness, rmse=9.0)
    webhook(harness, 1)
    assert "rmse 9 is not < 7" in harness.fact("model_version.held_back")


def test_a_version_without_a_run_is_taken_in_and_named_after_nobody(harness):
    harness.registry.ensure_model("taxi")
    harness.registry.create_version("taxi", ModelSource("s3://bucket/model"), run_id=None, description="", tags={})
    webhook(harness, 1)
    assert harness.fact(REGISTERED) == "taxi version 1 was registered in MLflow, and taken in"
    assert bound(harness)[Key.REGISTRANT] == "mlflow:unknown"


def test_a_version_that_a_hand_has_moved_already_is_taken_in_where_it_is(harness):
    register(harness)
    harness.registry.set_stage("taxi", 1, "Production")
    webhook(harness, 1)
    assert (registered(harness), harness.promotions(), harness.stages()) == ([1], [], {1: "Production"})


def test_what_people_wrote_stays_where_our_line_has_no_room(harness):
    harness.registry.ensure_model("taxi")
    harness.registry.trained("r1", rmse=5.0)
    source = harness.registry.sources["r1", "model"]
    harness.registry.create_version("taxi", source, run_id="r1", description="x" * 4_990, tags={})
    webhook(harness, 1)
    assert harness.registry.version("taxi", 1).description.startswith("x" * 4_990)
    assert harness.stages() == {1: "Staging"}


ALIASES = POLICY.replace("  taxi:\n", "  taxi:\n    mode: aliases\n")


def test_a_team_that_uses_aliases_alone_gets_the_alias_and_no_stage(harness):
    harness.policy(ALIASES)
    register(harness)
    webhook(harness, 1)
    version = harness.registry.version("taxi", 1)
    assert (version.stage, version.aliases) == ("None", ("challenger",))
    assert harness.promotions() == [(1, "Staging", "promoted"), (1, "Production", "awaiting_approval")]


@pytest.mark.parametrize(("said", "told"), [("tell", 1), ("ignore", 0)])
def test_other_policies_tell_of_it_or_not_and_take_nothing_in(harness, said, told):
    harness.policy(model(f"register: {{from_mlflow: {said}}}"))
    first_look(harness)
    before = list(harness.registry.writes)
    register(harness)
    webhook(harness, 2)
    harness.post("registry.reconcile", by=ADA, model="taxi")
    assert harness.registry.writes == [*before, ("create_version", "taxi")]
    texts = [text for kind, text in harness.facts() if kind == BY_HAND]
    assert texts == ["taxi version 2 was registered by hand in MLflow from run r1"] * told
    register(harness, "r2")
    harness.post("registry.reconcile", by=ADA, model="taxi")
    assert len([kind for kind, _ in harness.facts() if kind == BY_HAND]) == 2 * told
    harness.policy(POLICY)
    harness.post("registry.reconcile", by=ADA, model="taxi")
    assert registered(harness) == [1], "what was told under the former policy is not taken in by the new one"


def test_a_model_that_registrar_yml_does_not_name_is_only_told_of(harness):
    harness.registry.ensure_model("bus")
    harness.registry.trained("r1")
    harness.registry.create_version("bus", ModelSource("models:/m-r1"), run_id="r1", description="", tags={})
    harness.post("registry.changed", by=MLFLOW, model="bus", change="model_version.created", version=1)
    assert harness.registry.version("bus", 1).tags == {}
    assert harness.fact(BY_HAND) == "bus version 1 was registered by hand in MLflow from run r1"


def test_a_model_with_new_versions_and_no_holder_is_looked_at_by_the_clock(harness):
    harness.policy(model("reconcile_every: 1h", gate_on_staging("{tags: [report]}")))
    first_look(harness)
    register(harness)
    harness.later(hours=2)
    assert registered(harness) == [1, 2]


TELL = POLICY.replace("  taxi:\n", "  taxi:\n    register: {from_mlflow: tell}\n")


def announced(harness) -> list[str]:
    return [text for kind, text in harness.facts() if kind == BY_HAND]


def test_a_version_is_announced_once_however_often_it_is_noticed(harness):
    harness.policy(TELL)
    first_look(harness)
    number = register(harness)
    webhook(harness, number)
    change = {"model": "taxi", "change": "model_version.created", "version": number}
    harness.post("registry.changed", by=MLFLOW, via="registrar", **change)
    harness.post("registry.reconcile", model="taxi")
    assert len(announced(harness)) == 1


def test_a_version_that_a_look_announced_is_not_announced_by_its_late_webhook(harness):
    harness.policy(TELL)
    first_look(harness)
    number = register(harness)
    harness.post("registry.reconcile", model="taxi")
    webhook(harness, number)
    assert len(announced(harness)) == 1


def test_versions_whose_webhooks_were_lost_are_announced_with_the_next(harness):
    harness.policy(TELL)
    first_look(harness)
    register(harness, "r1")
    webhook(harness, register(harness, "r2"))
    harness.post("registry.reconcile", model="taxi")
    assert [text.split(" was ")[0] for text in announced(harness)] == ["taxi version 2", "taxi version 3"]


def test_the_first_versions_of_a_new_model_are_taken_in_though_their_webhooks_were_lost(harness):
    """registered_model.created says that the model is new, though it is worked on when a version is there."""
    register(harness, "r1")
    harness.post("registry.changed", by=MLFLOW, model="taxi", change="registered_model.created")
    register(harness, "r2")
    webhook(harness, 2)
    assert registered(harness) == [1, 2]


def test_a_copied_tag_hides_no_version_from_who_asks_for_it(harness):
    """The tag of a task on a version of another number: left by an attempt, or copied. A webhook leaves it alone."""
    first_look(harness)
    task = harness.registry.version("taxi", 1).tags["registrar.task"]
    number = register(harness, "r0", **{"registrar.task": task})
    webhook(harness, number)
    assert registered(harness) == [1]
    harness.post("model.adopt", by=ADA, model="taxi")
    assert registered(harness) == [1, number]


@pytest.mark.parametrize("tag", ["registrar.event", "registrar.task"])
@pytest.mark.parametrize("policy", [TELL, POLICY], ids=["tell", "adopt"])
def test_a_copied_tag_hides_no_version_from_its_training(harness, tag, policy):
    harness.policy(policy)
    first_look(harness)
    copied = {tag: harness.registry.version("taxi", 1).tags[tag]}
    number = register(harness, "r1", **copied)
    harness.post("training_run.finished", model="taxi", run_id="r1", commit="abc", tags={"team": "fares"})
    assert number in requests(harness)
    assert harness.registry.version("taxi", number).tags["team"] == "fares"


def test_versions_that_two_clients_registered_at_once_are_of_one_model(harness):
    """MLflow takes the time before it gives the number: version 3 was made 13 ms before version 2."""
    for number in (1, 2, 3):
        register(harness, f"r{number}")
        made = BORN + timedelta(seconds=number if number < 3 else 2, milliseconds=-13 * (number == 3))
        harness.registry._models["taxi"][number] = replace(harness.registry.version("taxi", number), created_at=made)
        webhook(harness, number)
    with harness.ledger.read() as connection:
        assert made_anew_at(connection, ["taxi"]) == {}
        assert present_numbers(connection, "taxi") == [3, 2, 1]


def test_a_version_that_is_taken_in_late_takes_no_newer_one_off_the_pages(harness):
    first_look(harness)
    register(harness, "r1")
    harness.registry.trained("r2", rmse=5.0)
    harness.post("training_run.finished", model="taxi", run_id="r2")
    harness.post("registry.reconcile", by=ADA, model="taxi")
    with harness.ledger.read() as connection:
        found = {one.version: one.run_id for one in known_versions(connection, "taxi")}
    assert found == {1: "r0", 2: "r1", 3: "r2"}
