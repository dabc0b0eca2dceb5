"""Old versions are marked, then deleted; what is in use never goes, whatever a search says."""

from datetime import timedelta

import pytest
from sqlalchemy import update

from registrar.events.event import Actor
from registrar.ledger.engine import now
from registrar.ledger.tables import tasks
from registrar.ledger.version_state import Key, StateSet
from tests.worker.harness import ADA, BOB, CI, EVE, POLICY
from worker.registry.entities import ModelSource
from worker.registry.protocol import PermanentError, RetryableError

pytestmark = pytest.mark.both_ledgers
TAG = "registrar.prune_after"
KEPT = POLICY.replace("  taxi:\n", "  taxi:\n    retention: {keep_last: 1, older_than: 30d, grace: 7d}\n")
FILES = {"MLmodel": b"flavors: {}\n", "data/weights": b"1234567890"}


@pytest.fixture
def harness(harness):
    harness.policy(KEPT)
    return harness


def trained(harness, count: int, *, days: int = 100) -> None:
    """So many versions, registered so long ago, in no stage, with 22 bytes of files each."""
    harness.registry.ensure_model("taxi")
    for _ in range(count):
        number = len(harness.registry._models["taxi"]) + 1
        harness.registry.trained(f"r{number}", rmse=5.0)
        harness.registry.create_version(
            "taxi", ModelSource(f"models:/m-{number}"), run_id=f"r{number}", description="", tags={}
        )
        harness.registry._change("taxi", number, created_at=now() - timedelta(days=days))
        harness.registry.files[f"models/taxi/{number}"] = dict(FILES)


def marked(harness, *numbers: int) -> None:
    """As if an earlier prune had done it, its time of grace over."""
    stamp = (now() - timedelta(minutes=1)).isoformat()
    for number in numbers:
        harness.registry.set_tag("taxi", number, TAG, stamp)
    harness.record(*(mark(harness.registry.version("taxi", number), stamp) for number in numbers))


def mark(version, stamp: str) -> StateSet:
    return StateSet(version.model, version.version, version.created_at, Key.PRUNE_AFTER, stamp)


def prune(harness, by=CI, **data) -> str:
    return harness.post("model.prune", by=by, model="taxi", **data)


def there(harness) -> list[int]:
    return sorted(v.version for v in harness.registry.versions("taxi"))


def marks(harness) -> list[int]:
    return sorted(v.version for v in harness.registry.versions("taxi") if TAG in v.tags)


def again(harness) -> None:
    """What waits for its next attempt has waited."""
    with harness.ledger.write() as connection:
        connection.execute(update(tasks).where(tasks.c.state == "queued").values(not_before=now()))
    harness.work()


def test_the_first_prune_marks_and_deletes_nothing(harness):
    trained(harness, 3)
    prune(harness)
    assert (there(harness), marks(harness)) == ([1, 2, 3], [1, 2])
    told = harness.fact("model_version.marked_for_deletion")
    assert told.startswith("taxi versions 1, 2 may be deleted after 20")
    assert told.endswith(" UTC (44 bytes), by ci")


def test_within_the_time_of_grace_a_second_prune_does_nothing(harness):
    trained(harness, 3)
    prune(harness)
    facts, writes = harness.facts(), list(harness.registry.writes)
    prune(harness)
    assert (harness.facts(), harness.registry.writes) == (facts, writes)


def test_after_the_time_of_grace_they_are_deleted(harness):
    trained(harness, 3)
    prune(harness)
    harness.later(days=6)
    prune(harness)
    assert there(harness) == [1, 2, 3]
    harness.later(days=2)
    prune(harness)
    assert there(harness) == [3]
    assert harness.fact("model_version.pruned") == "taxi versions 1, 2 deleted by ci (44 bytes)"


def test_the_record_lets_go_of_what_was_deleted(harness):
    trained(harness, 3)
    harness.post("model_version.archive", model="taxi", version=1)
    assert harness.holding() == {"Archived": [1]}
    marked(harness, 1)
    prune(harness)
    assert harness.holding() == {}
    before = harness.facts()
    harness.post("registry.reconcile", model="taxi")
    assert harness.facts() == before


def never(harness, number: int, why: str) -> None:
    """However often and whatever its mark, the version stays, and people are told why."""
    marked(harness, number)
    prune(harness)
    prune(harness)
    assert number in there(harness)
    assert number not in marks(harness)
    assert harness.fact("model_version.spared") == f"taxi version {number} stays: {why}"


def test_never_the_newest(harness):
    trained(harness, 3)
    never(harness, 3, "it is one of the newest 1")


def test_never_a_younger_one(harness):
    trained(harness, 2, days=29)
    prune(harness)
    assert marks(harness) == []


def test_never_the_holder_of_an_alias_which_a_search_does_not_show(harness):
    trained(harness, 3)
    harness.registry.set_alias("taxi", "shadow", 1)
    assert [v.aliases for v in harness.registry.versions("taxi")] == [(), (), ()]
    never(harness, 1, "it holds @shadow")


@pytest.mark.parametrize("stage", ["Staging", "Production"])
def test_never_what_is_in_a_stage_even_where_no_target_governs_it(harness, stage):
    harness.policy(KEPT[: KEPT.index("    targets:")] + KEPT[KEPT.index("channels:") :])
    trained(harness, 3)
    harness.registry.set_stage("taxi", 1, stage)
    never(harness, 1, f"it is in {stage}")


def in_production(harness, *numbers: int) -> None:
    for number in numbers:
        harness.post("promotion.request", model="taxi", version=number, target="Staging")
        harness.post("promotion.approve", by=ADA, model="taxi", version=number)
    assert harness.holding()["Production"] == [numbers[-1]]


def test_never_the_rollback_target(harness):
    trained(harness, 5)
    in_production(harness, 1, 2, 3)
    marked(harness, 1, 2)
    prune(harness)
    assert there(harness) == [2, 3, 4, 5]
    assert harness.fact("model_version.spared") == (
        "taxi version 2 stays: a rollback of Production would go back to it"
    )
    harness.post("model.rollback", by=ADA, model="taxi", reason="wrong fares")
    assert harness.holding()["Production"] == [2]


def test_the_rollback_target_is_the_one_that_will_do(harness):
    """What is quarantined, or has no files, protects the one before it."""
    trained(harness, 5)
    in_production(harness, 1, 2, 3)
    harness.registry.files["models/taxi/2"] = {}
    never(harness, 1, "a rollback of Production would go back to it")


def test_never_what_the_record_has_in_production_though_somebody_moved_it(harness):
    trained(harness, 3)
    in_production(harness, 1)
    harness.registry.drop_alias("taxi", "champion")
    harness.registry.set_stage("taxi", 1, "Archived")
    never(harness, 1, "the record has it in Production")


@pytest.mark.parametrize("model", ["taxi", "taxi-eu"])
def test_never_what_another_version_was_copied_from(harness, model):
    trained(harness, 3)
    harness.registry.ensure_model(model)
    copy = harness.registry.create_version(model, ModelSource("models:/taxi/1"), run_id="r1", description="", tags={})
    harness.registry._change(model, copy.version, created_at=now() - timedelta(days=100))
    never(harness, 1, f"{copy} was copied from it")


def test_never_one_with_an_open_promotion(harness):
    trained(harness, 3)
    harness.policy(KEPT.replace("stage: Production, alias: champion", "stage: Production, from: [None]"))
    harness.post("promotion.request", model="taxi", version=1, target="Production")
    never(harness, 1, "its promotion to Production is awaiting approval")
    harness.post("promotion.reject", by=ADA, model="taxi", version=1)
    prune(harness)
    assert marks(harness) == [1, 2]


def test_never_one_whose_deployment_is_under_way(harness):
    """Somebody moved it away while it is being deployed."""
    harness.policy(
        KEPT.replace("alias: champion,", "alias: champion, deploy: {to: [log], confirm_within: 1h},").replace(
            "exclusive: true", ""
        )
    )
    trained(harness, 3)
    in_production(harness, 1)
    harness.registry.drop_alias("taxi", "champion")
    harness.registry.set_stage("taxi", 1, "None")
    harness.post("registry.reconcile", model="taxi")
    assert "Production" not in harness.holding()
    never(harness, 1, "its deployment to Production is under way")


def test_where_aliases_say_where_a_version_is_the_rollback_target_stays_too(harness):
    harness.policy(KEPT.replace("    targets:", "    mode: aliases\n    targets:"))
    trained(harness, 5)
    for number in (1, 2):
        harness.post("promotion.request", model="taxi", version=number, target="Staging")
        harness.post("promotion.approve", by=ADA, model="taxi", version=number)
    assert harness.holding() == {"@champion": [2]}
    never(harness, 1, "a rollback of Production would go back to it")


def test_a_quarantined_version_goes_like_any_other(harness):
    trained(harness, 3)
    harness.registry.set_tag("taxi", 1, "registrar.quarantined", "wrong fares")
    marked(harness, 1)
    prune(harness)
    assert 1 not in there(harness)


def test_what_was_promoted_between_mark_and_delete_stays(harness):
    trained(harness, 3)
    marked(harness, 1)
    in_production(harness, 1)
    never(harness, 1, "it holds @champion and it is in Production and the record has it in Production")


def test_without_retention_nothing_goes_and_marks_are_taken_away(harness):
    trained(harness, 3)
    harness.policy(POLICY)
    never(harness, 1, "registrar.yml has no retention for taxi")


@pytest.mark.parametrize("days", [-99, -1])
def test_a_tag_alone_is_no_mark_whoever_set_it(harness, days):
    """MLflow copies a version's tags, and people write some: one that was never warned of must not go at once."""
    trained(harness, 2)
    harness.registry.set_tag("taxi", 1, TAG, (now() + timedelta(days=days)).isoformat())
    prune(harness)
    assert (there(harness), marks(harness)) == ([1, 2], [1])
    assert harness.facts()[-1][0] == "model_version.marked_for_deletion"


def test_a_mark_of_a_model_that_was_made_anew_is_none(harness):
    trained(harness, 2)
    marked(harness, 1)
    harness.registry._change("taxi", 1, created_at=now() - timedelta(days=50))
    prune(harness)
    assert there(harness) == [1, 2]


@pytest.mark.parametrize("nonsense", ["", "soon", "2026-01-01T00:00:00"])
def test_a_mark_that_cannot_be_read_is_made_anew(harness, nonsense):
    trained(harness, 2)
    harness.registry.set_tag("taxi", 1, TAG, nonsense)
    prune(harness)
    assert there(harness) == [1, 2]
    assert harness.registry.version("taxi", 1).tags[TAG] > now().isoformat()


def test_cut_off_between_two_marks_both_are_told_with_one_time(harness):
    trained(harness, 4)
    harness.registry.fail["set_tag"] = RetryableError("the line is cut")
    prune(harness)
    assert marks(harness) == []
    again(harness)
    assert len({harness.registry.version("taxi", n).tags[TAG] for n in (1, 2, 3)}) == 1


class Killed(BaseException):
    """The worker is gone, at once."""


def test_killed_after_marking_the_second_attempt_tells_it(harness, monkeypatch):
    trained(harness, 3)
    event = harness.accept("model.prune", model="taxi")
    killed_after(harness, monkeypatch, "set_tag")
    assert (marks(harness), harness.facts()) == ([1], [])
    taken_up_again(harness)
    assert harness.fact("model_version.marked_for_deletion").startswith("taxi versions 1, 2 may be deleted")
    assert harness.tasks_of(event) == [("prune", "succeeded")]


def test_killed_after_deleting_the_second_attempt_tells_it(harness, monkeypatch):
    trained(harness, 3)
    marked(harness, 1, 2)
    harness.accept("model.prune", model="taxi")
    killed_after(harness, monkeypatch, "delete_version")
    assert (there(harness), harness.facts()) == ([2, 3], [])
    taken_up_again(harness)
    assert there(harness) == [3]
    assert harness.fact("model_version.pruned") == "taxi versions 1, 2 deleted by ci (44 bytes)"


def killed_after(harness, monkeypatch, call: str) -> None:
    real = getattr(type(harness.registry), call)

    def kill(self, *arguments):
        real(self, *arguments)
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(type(harness.registry), call, kill)
        with pytest.raises(Killed):
            harness.work()


def taken_up_again(harness) -> None:
    """The lease ran out, and the sweep gave the task to another worker."""
    with harness.ledger.write() as connection:
        running = tasks.c.state == "running"
        connection.execute(update(tasks).where(running).values(state="queued", lease=None, not_before=now()))
    harness.work()


def test_what_was_deleted_before_the_registry_went_away_is_told(harness, monkeypatch):
    trained(harness, 4)
    marked(harness, 1, 2, 3)
    real, calls = type(harness.registry).delete_version, []

    def twice(self, model, version):
        calls.append(version)
        if len(calls) == 2:
            raise RetryableError("the line is cut")
        real(self, model, version)

    monkeypatch.setattr(type(harness.registry), "delete_version", twice)
    event = prune(harness)
    assert there(harness) == [4]
    assert [text for kind, text in harness.facts() if kind == "model_version.pruned"] == [
        "taxi version 1 deleted by ci (22 bytes)",
        "taxi versions 2, 3 deleted by ci (44 bytes)",
    ]
    assert harness.tasks_of(event) == [("prune", "succeeded"), ("delete", "succeeded"), ("delete", "succeeded")]


def test_one_that_may_not_be_deleted_holds_up_no_other(harness, monkeypatch):
    trained(harness, 3)
    marked(harness, 1, 2)
    real = type(harness.registry).delete_version

    def forbidden(self, model, version):
        if version == 1:
            raise PermanentError("deleting taxi version 1: permission denied")
        real(self, model, version)

    monkeypatch.setattr(type(harness.registry), "delete_version", forbidden)
    event = prune(harness)
    assert there(harness) == [1, 3]
    assert harness.tasks_of(event) == [("prune", "succeeded"), ("delete", "succeeded"), ("delete", "failed")]
    assert "permission denied" in harness.fact("task.failed")


def test_what_somebody_deleted_by_hand_meanwhile_is_not_ours(harness, monkeypatch):
    trained(harness, 3)
    marked(harness, 1)
    harness.accept("model.prune", model="taxi")
    real = type(harness.registry).model
    seen = []

    def gone_at_the_second_look(self, name):
        seen.append(name)
        if len(seen) == 2:
            del self._models["taxi"][1]
        return real(self, name)

    monkeypatch.setattr(type(harness.registry), "model", gone_at_the_second_look)
    harness.work()
    assert "model_version.pruned" not in [kind for kind, _ in harness.facts()]


def test_an_alias_that_came_after_the_survey_is_seen(harness, monkeypatch):
    trained(harness, 3)
    marked(harness, 1)
    harness.accept("model.prune", model="taxi")
    real = type(harness.registry).version

    def just_now(self, model, version):
        if version == 1:
            self._aliases["taxi"]["champion"] = 1
        return real(self, model, version)

    monkeypatch.setattr(type(harness.registry), "version", just_now)
    harness.work()
    assert 1 in there(harness)
    assert harness.fact("model_version.spared") == "taxi version 1 stays: it holds @champion"


def test_many_are_done_a_few_at_a_time_and_each_once(harness):
    trained(harness, 61)
    event = prune(harness)
    assert marks(harness) == list(range(1, 61))
    assert harness.tasks_of(event) == [("prune", "succeeded")] * 3
    marked(harness, *range(1, 61))
    event = prune(harness)
    assert there(harness) == [61]
    assert [name for name, _ in harness.tasks_of(event)].count("delete") == 3


def test_files_that_another_version_still_uses_are_not_counted(harness):
    trained(harness, 4)
    for number in (2, 4):
        harness.registry._change("taxi", number, source="models:/m-shared")
    harness.registry._change("taxi", 3, source="models:/m-1")
    prune(harness)
    assert "(22 bytes)" in harness.fact("model_version.marked_for_deletion")


def test_what_cannot_be_counted_is_said_so(harness):
    trained(harness, 2)
    harness.registry.fail["size_of"] = PermanentError("the worker lacks the package 'boto3'")
    prune(harness)
    assert "(0 bytes, and 1 that can't be counted)" in harness.fact("model_version.marked_for_deletion")


def test_with_a_group_only_its_members_and_the_timer_may(harness):
    harness.policy(KEPT.replace("grace: 7d", "grace: 7d, group: leads"))
    trained(harness, 2)
    for who in (EVE, CI):
        prune(harness, by=who)
        assert "may not prune taxi; these may: leads: Ada, Bob" in harness.fact("task.refused")
    assert marks(harness) == []
    prune(harness, by=BOB)
    assert marks(harness) == [1]
    harness.registry.drop_tag("taxi", 1, TAG)
    prune(harness, by=Actor("source:registrar", "registrar"))
    assert marks(harness) == [1]


def test_by_its_schedule_it_is_pruned_without_being_asked(harness):
    harness.policy(KEPT.replace("grace: 7d", 'grace: 7d, schedule: "0 3 * * *"'))
    trained(harness, 3)
    harness.post("model_version.archive", model="taxi", version=1)
    harness.later(days=1)
    assert (there(harness), marks(harness)) == ([1, 2, 3], [1, 2])
    assert harness.fact("model_version.marked_for_deletion").endswith("by Registrar")
    for _ in range(8):
        harness.later(days=1)
    assert there(harness) == [3]
    assert [kind for kind, _ in harness.facts()].count("model_version.marked_for_deletion") == 1


def test_a_model_that_is_not_there_is_said(harness):
    event = prune(harness)
    assert harness.tasks_of(event) == [("prune", "refused")]
    assert "MLflow has no registered model 'taxi'" in harness.fact("task.refused")
