"""Old versions are marked, then deleted; what is in use never goes, whatever a search says."""

from datetime import timedelta

import pytest
from sqlalchemy import update

from registrar.events.event import Actor
from registrar.ledger.engine import now
from registrar.ledger.tables import tasks
from registrar.ledger.version_state import Key, StateSet
from tests.worker.harness import ADA, BOB, CI, EVE, POLICY
from worker.registry.protocol import ModelSource, PermanentError, RetryableError

pytestmark = pytest.mark.both_ledgers
TAG = "registrar.prune_after"
KEPT = POLICY.replace("  taxi:\n", "  taxi:\n    retention: {keep_last: 1, older_than: 30d, grace: 7d}\n")
FILES = {"MLmodel": b"flavors: {}\n", "data/weights": b"1234567890"}


@pytest.fixture
def office(office):
    office.policy(KEPT)
    return office


def trained(office, count: int, *, days: int = 100) -> None:
    """So many versions, registered so long ago, in no stage, with 22 bytes of files each."""
    office.registry.ensure_model("taxi")
    for _ in range(count):
        number = len(office.registry._models["taxi"]) + 1
        office.registry.trained(f"r{number}", rmse=5.0)
        office.registry.create_version(
            "taxi", ModelSource(f"models:/m-{number}"), run_id=f"r{number}", description="", tags={}
        )
        office.registry._change("taxi", number, created_at=now() - timedelta(days=days))
        office.registry.files[f"models/taxi/{number}"] = dict(FILES)


def marked(office, *numbers: int) -> None:
    """As if an earlier prune had done it, its time of grace over."""
    stamp = (now() - timedelta(minutes=1)).isoformat()
    for number in numbers:
        office.registry.set_tag("taxi", number, TAG, stamp)
    office.record(*(mark(office.registry.version("taxi", number), stamp) for number in numbers))


def mark(version, stamp: str) -> StateSet:
    return StateSet(version.model, version.version, version.created_at, Key.PRUNE_AFTER, stamp)


def prune(office, by=CI, **data) -> str:
    return office.post("model.prune", by=by, model="taxi", **data)


def there(office) -> list[int]:
    return sorted(v.version for v in office.registry.versions("taxi"))


def marks(office) -> list[int]:
    return sorted(v.version for v in office.registry.versions("taxi") if TAG in v.tags)


def again(office) -> None:
    """What waits for its next attempt has waited."""
    with office.ledger.write() as connection:
        connection.execute(update(tasks).where(tasks.c.state == "queued").values(not_before=now()))
    office.work()


def test_the_first_prune_marks_and_deletes_nothing(office):
    trained(office, 3)
    prune(office)
    assert (there(office), marks(office)) == ([1, 2, 3], [1, 2])
    told = office.fact("model_version.marked_for_deletion")
    assert told.startswith("taxi versions 1, 2 may be deleted after 20")
    assert told.endswith(" UTC (44 bytes), by ci")


def test_within_the_time_of_grace_a_second_prune_does_nothing(office):
    trained(office, 3)
    prune(office)
    facts, writes = office.facts(), list(office.registry.writes)
    prune(office)
    assert (office.facts(), office.registry.writes) == (facts, writes)


def test_after_the_time_of_grace_they_are_deleted(office):
    trained(office, 3)
    prune(office)
    office.later(days=6)
    prune(office)
    assert there(office) == [1, 2, 3]
    office.later(days=2)
    prune(office)
    assert there(office) == [3]
    assert office.fact("model_version.pruned") == "taxi versions 1, 2 deleted by ci (44 bytes)"


def test_the_record_lets_go_of_what_was_deleted(office):
    trained(office, 3)
    office.post("model_version.archive", model="taxi", version=1)
    assert office.holding() == {"Archived": [1]}
    marked(office, 1)
    prune(office)
    assert office.holding() == {}
    before = office.facts()
    office.post("registry.reconcile", model="taxi")
    assert office.facts() == before


def never(office, number: int, why: str) -> None:
    """However often and whatever its mark, the version stays, and people are told why."""
    marked(office, number)
    prune(office)
    prune(office)
    assert number in there(office)
    assert number not in marks(office)
    assert office.fact("model_version.spared") == f"taxi version {number} stays: {why}"


def test_never_the_newest(office):
    trained(office, 3)
    never(office, 3, "it is one of the newest 1")


def test_never_a_younger_one(office):
    trained(office, 2, days=29)
    prune(office)
    assert marks(office) == []


def test_never_the_holder_of_an_alias_which_a_search_does_not_show(office):
    trained(office, 3)
    office.registry.set_alias("taxi", "shadow", 1)
    assert [v.aliases for v in office.registry.versions("taxi")] == [(), (), ()]
    never(office, 1, "it holds @shadow")


@pytest.mark.parametrize("stage", ["Staging", "Production"])
def test_never_what_is_in_a_stage_even_where_no_target_governs_it(office, stage):
    office.policy(KEPT[: KEPT.index("    targets:")] + KEPT[KEPT.index("channels:") :])
    trained(office, 3)
    office.registry.set_stage("taxi", 1, stage)
    never(office, 1, f"it is in {stage}")


def in_production(office, *numbers: int) -> None:
    for number in numbers:
        office.post("promotion.request", model="taxi", version=number, target="Staging")
        office.post("promotion.approve", by=ADA, model="taxi", version=number)
    assert office.holding()["Production"] == [numbers[-1]]


def test_never_the_rollback_target(office):
    trained(office, 5)
    in_production(office, 1, 2, 3)
    marked(office, 1, 2)
    prune(office)
    assert there(office) == [2, 3, 4, 5]
    assert office.fact("model_version.spared") == ("taxi version 2 stays: a rollback of Production would go back to it")
    office.post("model.rollback", by=ADA, model="taxi", reason="wrong fares")
    assert office.holding()["Production"] == [2]


def test_the_rollback_target_is_the_one_that_will_do(office):
    """What is quarantined, or has no files, protects the one before it."""
    trained(office, 5)
    in_production(office, 1, 2, 3)
    office.registry.files["models/taxi/2"] = {}
    never(office, 1, "a rollback of Production would go back to it")


def test_never_what_the_record_has_in_production_though_somebody_moved_it(office):
    trained(office, 3)
    in_production(office, 1)
    office.registry.drop_alias("taxi", "champion")
    office.registry.set_stage("taxi", 1, "Archived")
    never(office, 1, "the record has it in Production")


@pytest.mark.parametrize("model", ["taxi", "taxi-eu"])
def test_never_what_another_version_was_copied_from(office, model):
    trained(office, 3)
    office.registry.ensure_model(model)
    copy = office.registry.create_version(model, ModelSource("models:/taxi/1"), run_id="r1", description="", tags={})
    office.registry._change(model, copy.version, created_at=now() - timedelta(days=100))
    never(office, 1, f"{copy} was copied from it")


def test_never_one_with_an_open_promotion(office):
    trained(office, 3)
    office.policy(KEPT.replace("stage: Production, alias: champion", "stage: Production, from: [None]"))
    office.post("promotion.request", model="taxi", version=1, target="Production")
    never(office, 1, "its promotion to Production is awaiting approval")
    office.post("promotion.reject", by=ADA, model="taxi", version=1)
    prune(office)
    assert marks(office) == [1, 2]


def test_never_one_whose_deployment_is_under_way(office):
    """Somebody moved it away while it is being deployed."""
    office.policy(
        KEPT.replace("alias: champion,", "alias: champion, deploy: {to: [log], confirm_within: 1h},").replace(
            "exclusive: true", ""
        )
    )
    trained(office, 3)
    in_production(office, 1)
    office.registry.drop_alias("taxi", "champion")
    office.registry.set_stage("taxi", 1, "None")
    office.post("registry.reconcile", model="taxi")
    assert "Production" not in office.holding()
    never(office, 1, "its deployment to Production is under way")


def test_where_aliases_say_where_a_version_is_the_rollback_target_stays_too(office):
    office.policy(KEPT.replace("    targets:", "    mode: aliases\n    targets:"))
    trained(office, 5)
    for number in (1, 2):
        office.post("promotion.request", model="taxi", version=number, target="Staging")
        office.post("promotion.approve", by=ADA, model="taxi", version=number)
    assert office.holding() == {"@champion": [2]}
    never(office, 1, "a rollback of Production would go back to it")


def test_a_quarantined_version_goes_like_any_other(office):
    trained(office, 3)
    office.registry.set_tag("taxi", 1, "registrar.quarantined", "wrong fares")
    marked(office, 1)
    prune(office)
    assert 1 not in there(office)


def test_what_was_promoted_between_mark_and_delete_stays(office):
    trained(office, 3)
    marked(office, 1)
    in_production(office, 1)
    never(office, 1, "it holds @champion and it is in Production and the record has it in Production")


def test_without_retention_nothing_goes_and_marks_are_taken_away(office):
    trained(office, 3)
    office.policy(POLICY)
    never(office, 1, "registrar.yml has no retention for taxi")


@pytest.mark.parametrize("days", [-99, -1])
def test_a_tag_alone_is_no_mark_whoever_set_it(office, days):
    """MLflow copies a version's tags, and people write some: one that was never warned of must not go at once."""
    trained(office, 2)
    office.registry.set_tag("taxi", 1, TAG, (now() + timedelta(days=days)).isoformat())
    prune(office)
    assert (there(office), marks(office)) == ([1, 2], [1])
    assert office.facts()[-1][0] == "model_version.marked_for_deletion"


def test_a_mark_of_a_model_that_was_made_anew_is_none(office):
    trained(office, 2)
    marked(office, 1)
    office.registry._change("taxi", 1, created_at=now() - timedelta(days=50))
    prune(office)
    assert there(office) == [1, 2]


@pytest.mark.parametrize("nonsense", ["", "soon", "2026-01-01T00:00:00"])
def test_a_mark_that_cannot_be_read_is_made_anew(office, nonsense):
    trained(office, 2)
    office.registry.set_tag("taxi", 1, TAG, nonsense)
    prune(office)
    assert there(office) == [1, 2]
    assert office.registry.version("taxi", 1).tags[TAG] > now().isoformat()


def test_cut_off_between_two_marks_both_are_told_with_one_time(office):
    trained(office, 4)
    office.registry.fail["set_tag"] = RetryableError("the line is cut")
    prune(office)
    assert marks(office) == []
    again(office)
    assert len({office.registry.version("taxi", n).tags[TAG] for n in (1, 2, 3)}) == 1


class Killed(BaseException):
    """The worker is gone, at once."""


def test_killed_after_marking_the_second_attempt_tells_it(office, monkeypatch):
    trained(office, 3)
    event = office.accept("model.prune", model="taxi")
    killed_after(office, monkeypatch, "set_tag")
    assert (marks(office), office.facts()) == ([1], [])
    taken_up_again(office)
    assert office.fact("model_version.marked_for_deletion").startswith("taxi versions 1, 2 may be deleted")
    assert office.tasks_of(event) == [("prune", "succeeded")]


def test_killed_after_deleting_the_second_attempt_tells_it(office, monkeypatch):
    trained(office, 3)
    marked(office, 1, 2)
    office.accept("model.prune", model="taxi")
    killed_after(office, monkeypatch, "delete_version")
    assert (there(office), office.facts()) == ([2, 3], [])
    taken_up_again(office)
    assert there(office) == [3]
    assert office.fact("model_version.pruned") == "taxi versions 1, 2 deleted by ci (44 bytes)"


def killed_after(office, monkeypatch, call: str) -> None:
    real = getattr(type(office.registry), call)

    def kill(self, *arguments):
        real(self, *arguments)
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(type(office.registry), call, kill)
        with pytest.raises(Killed):
            office.work()


def taken_up_again(office) -> None:
    """The lease ran out, and the sweep gave the task to another worker."""
    with office.ledger.write() as connection:
        running = tasks.c.state == "running"
        connection.execute(update(tasks).where(running).values(state="queued", lease=None, not_before=now()))
    office.work()


def test_what_was_deleted_before_the_registry_went_away_is_told(office, monkeypatch):
    trained(office, 4)
    marked(office, 1, 2, 3)
    real, calls = type(office.registry).delete_version, []

    def twice(self, model, version):
        calls.append(version)
        if len(calls) == 2:
            raise RetryableError("the line is cut")
        real(self, model, version)

    monkeypatch.setattr(type(office.registry), "delete_version", twice)
    event = prune(office)
    assert there(office) == [4]
    assert [text for kind, text in office.facts() if kind == "model_version.pruned"] == [
        "taxi version 1 deleted by ci (22 bytes)",
        "taxi versions 2, 3 deleted by ci (44 bytes)",
    ]
    assert office.tasks_of(event) == [("prune", "succeeded"), ("delete", "succeeded"), ("delete", "succeeded")]


def test_one_that_may_not_be_deleted_holds_up_no_other(office, monkeypatch):
    trained(office, 3)
    marked(office, 1, 2)
    real = type(office.registry).delete_version

    def forbidden(self, model, version):
        if version == 1:
            raise PermanentError("deleting taxi version 1: permission denied")
        real(self, model, version)

    monkeypatch.setattr(type(office.registry), "delete_version", forbidden)
    event = prune(office)
    assert there(office) == [1, 3]
    assert office.tasks_of(event) == [("prune", "succeeded"), ("delete", "succeeded"), ("delete", "failed")]
    assert "permission denied" in office.fact("task.failed")


def test_what_somebody_deleted_by_hand_meanwhile_is_not_ours(office, monkeypatch):
    trained(office, 3)
    marked(office, 1)
    office.accept("model.prune", model="taxi")
    real = type(office.registry).model
    seen = []

    def gone_at_the_second_look(self, name):
        seen.append(name)
        if len(seen) == 2:
            del self._models["taxi"][1]
        return real(self, name)

    monkeypatch.setattr(type(office.registry), "model", gone_at_the_second_look)
    office.work()
    assert "model_version.pruned" not in [kind for kind, _ in office.facts()]


def test_an_alias_that_came_after_the_survey_is_seen(office, monkeypatch):
    trained(office, 3)
    marked(office, 1)
    office.accept("model.prune", model="taxi")
    real = type(office.registry).version

    def just_now(self, model, version):
        if version == 1:
            self._aliases["taxi"]["champion"] = 1
        return real(self, model, version)

    monkeypatch.setattr(type(office.registry), "version", just_now)
    office.work()
    assert 1 in there(office)
    assert office.fact("model_version.spared") == "taxi version 1 stays: it holds @champion"


def test_many_are_done_a_few_at_a_time_and_each_once(office):
    trained(office, 61)
    event = prune(office)
    assert marks(office) == list(range(1, 61))
    assert office.tasks_of(event) == [("prune", "succeeded")] * 3
    marked(office, *range(1, 61))
    event = prune(office)
    assert there(office) == [61]
    assert [name for name, _ in office.tasks_of(event)].count("delete") == 3


def test_files_that_another_version_still_uses_are_not_counted(office):
    trained(office, 4)
    for number in (2, 4):
        office.registry._change("taxi", number, source="models:/m-shared")
    office.registry._change("taxi", 3, source="models:/m-1")
    prune(office)
    assert "(22 bytes)" in office.fact("model_version.marked_for_deletion")


def test_what_cannot_be_counted_is_said_so(office):
    trained(office, 2)
    office.registry.fail["size_of"] = PermanentError("the worker lacks the package 'boto3'")
    prune(office)
    assert "(0 bytes, and 1 that can't be counted)" in office.fact("model_version.marked_for_deletion")


def test_with_a_group_only_its_members_and_the_timer_may(office):
    office.policy(KEPT.replace("grace: 7d", "grace: 7d, group: leads"))
    trained(office, 2)
    for who in (EVE, CI):
        prune(office, by=who)
        assert "may not prune taxi; these may: leads: Ada, Bob" in office.fact("task.refused")
    assert marks(office) == []
    prune(office, by=BOB)
    assert marks(office) == [1]
    office.registry.drop_tag("taxi", 1, TAG)
    prune(office, by=Actor("source:registrar", "registrar"))
    assert marks(office) == [1]


def test_by_its_schedule_it_is_pruned_without_being_asked(office):
    office.policy(KEPT.replace("grace: 7d", 'grace: 7d, schedule: "0 3 * * *"'))
    trained(office, 3)
    office.post("model_version.archive", model="taxi", version=1)
    office.later(days=1)
    assert (there(office), marks(office)) == ([1, 2, 3], [1, 2])
    assert office.fact("model_version.marked_for_deletion").endswith("by Registrar")
    for _ in range(8):
        office.later(days=1)
    assert there(office) == [3]
    assert [kind for kind, _ in office.facts()].count("model_version.marked_for_deletion") == 1


def test_a_model_that_is_not_there_is_said(office):
    event = prune(office)
    assert office.tasks_of(event) == [("prune", "refused")]
    assert "no such model" in office.fact("task.refused")
