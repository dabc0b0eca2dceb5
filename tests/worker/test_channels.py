"""What keeps the worker from starting, and what its channels are given."""

import pytest

from registrar.policy.load import parse
from tests.worker.harness import ADA, POLICY, WorkerHarness
from worker.notifications import channels, commit_status
from worker.notifications.notifiers import NotApplicable, log
from worker.notifications.notifiers import github as notifier


def policy(channel: str):
    return parse(POLICY.replace("log: {kind: log}", f"log: {channel}"))


def test_channels_that_can_be_used_are_fine():
    channels.check(parse(POLICY))


@pytest.mark.parametrize(
    ("channel", "message"),
    [
        ("{kind: lgo}", "channels.log.kind: unknown kind 'lgo'; known are "),
        ("{kind: log, options: {colour: s3cret}}", "channels.log.options: colour: unknown key$"),
    ],
)
def test_the_worker_does_not_start_with_a_channel_that_cannot_work(channel, message):
    with pytest.raises(channels.ChannelError, match=message) as error:
        channels.check(policy(channel))
    assert "s3cret" not in str(error.value)


def test_what_a_channel_has_no_way_to_say_is_passed_over_and_the_record_says_why(ledger, tmp_path, monkeypatch):
    def post(notice, http, encryptor):
        raise NotApplicable("it is too quiet here")

    monkeypatch.setattr(log, "post", post)
    harness = WorkerHarness(ledger, tmp_path)
    harness.post("experiment.create", name="new")
    [(state, outcome)] = harness.notices()
    assert state == "succeeded"
    assert outcome["summary"] == "log was not told of experiment.created: it is too quiet here"


@pytest.mark.parametrize("reference", ["env:NOWHERE", "file:nowhere"])
def test_an_address_that_is_not_there_is_said_at_once_and_not_tried_again(ledger, tmp_path, reference):
    text = POLICY.replace("log: {kind: log}", f'log: {{kind: slack, url: "{reference}"}}')
    harness = WorkerHarness(ledger, tmp_path, None, text)
    harness.post("experiment.create", name="new")
    [(state, outcome)] = harness.notices()
    assert state == "failed"
    assert outcome["summary"].startswith(reference)
    assert outcome["summary"].endswith("set it for the worker, and restart it")


def github(ledger, folder, monkeypatch, *, registry=None):
    """A worker whose one channel is GitHub, which is not called: what it would be told is kept."""
    harness = WorkerHarness(
        ledger, folder, registry, POLICY.replace("{kind: log}", "{kind: github, options: {repository: a/b}}")
    )
    told = []
    monkeypatch.setattr(notifier, "post", lambda notice, http, encryptor: told.append(notice))
    return harness, told


def test_what_is_said_at_a_commit_knows_the_commit_of_the_version(ledger, tmp_path, monkeypatch):
    harness, told = github(ledger, tmp_path, monkeypatch)
    harness.registry.trained("r1", rmse=5.0)
    harness.post("training_run.finished", model="taxi", run_id="r1", commit="c" * 40)
    harness.post("promotion.approve", by=ADA, model="taxi", version=1)
    facts = {notice.fact.type: notice.fact.details for notice in told}
    assert {"model_version.registered", "promotion.awaiting_approval", "model_version.transitioned"} < set(facts)
    assert {(details["commit"], details["run_id"]) for details in facts.values()} == {("c" * 40, "r1")}


def test_a_facts_own_commit_goes_before_the_versions(ledger, tmp_path, monkeypatch):
    harness, told = github(ledger, tmp_path, monkeypatch)
    harness.registry.trained("r1", rmse=5.0)
    harness.post("training_run.finished", model="taxi", run_id="r1", commit="c" * 40)
    harness.post("deployment.succeeded", model="taxi", version=1, environment="eu", commit="d" * 40)
    assert (told[-1].fact.details["commit"], told[-1].fact.details["run_id"]) == ("d" * 40, "r1")


def test_a_version_that_is_gone_is_told_all_the_same(ledger, tmp_path, monkeypatch):
    harness, told = github(ledger, tmp_path, monkeypatch)
    harness.post("deployment.succeeded", model="taxi", version=9, environment="eu")
    assert told[-1].fact.details["commit"] is None


def test_a_notice_says_who_and_where_it_comes_from(ledger, tmp_path, monkeypatch):
    harness, told = github(ledger, tmp_path, monkeypatch)
    harness.post("experiment.create", by=ADA, name="new")
    assert (told[-1].actor, told[-1].source, told[-1].options) == ("ada", "urn:registrar:local", {"repository": "a/b"})


@pytest.mark.parametrize(
    ("event", "state"),
    [("promotion.approve", "success"), ("promotion.reject", "failure"), ("promotion.cancel", "error")],
)
def test_what_ends_a_request_ends_its_status_too(event, state, ledger, tmp_path, monkeypatch):
    harness, told = github(ledger, tmp_path, monkeypatch)
    harness.registry.trained("r1", rmse=5.0)
    harness.post("training_run.finished", model="taxi", run_id="r1", commit="c" * 40)
    harness.post(event, by=ADA, model="taxi", version=1)
    said = [
        commit_status.state(notice.fact) for notice in told if commit_status.context(notice.fact, "r") == "r/Production"
    ]
    assert (said[0], said[-1]) == ("pending", state)


def test_options_are_the_kinds_own_and_change_what_it_says(ledger, tmp_path, monkeypatch):
    harness, told = github(ledger, tmp_path, monkeypatch)
    harness.registry.trained("r1", rmse=9.0)
    harness.post("training_run.finished", model="taxi", run_id="r1", commit="c" * 40)
    kind = notifier.Options
    status, comment = (
        notifier.path_and_body(told[0], kind.model_validate({**told[0].options, "as": as_}))
        for as_ in ("status", "comment")
    )
    assert status[0] == f"/repos/a/b/statuses/{'c' * 40}"
    assert comment[0] == f"/repos/a/b/commits/{'c' * 40}/comments"
