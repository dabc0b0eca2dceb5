"""A deployment that waits at GitHub's protection rule is let go when its promotion ends well."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import update

from registrar.config.encryption import REPLY
from registrar.ledger.queries import event_status
from registrar.ledger.tables import tasks
from tests.notifications.conftest import listener  # noqa: F401 (a fixture)
from tests.worker.harness import ADA, EVE, POLICY, WorkerHarness
from worker.registry.protocol import RetryableError

pytestmark = pytest.mark.both_ledgers

RUN = "/repos/acme/taxi/actions/runs/5453085689/deployment_protection_rule"
WANTED = {"model": "taxi", "version": 1, "target": "Production"}


class Github:
    """A worker that a deployment waits for, and what GitHub hears of it."""

    def __init__(self, ledger, folder, listener):  # noqa: F811
        self.listener = listener
        listener.answer = (204, {})
        self.harness = WorkerHarness(ledger, folder, policy=self.policy(POLICY))
        environ = {"API": listener.root, "TOKEN": "s3cret-token"}
        settings = replace(self.harness.context.settings, environ=environ)
        self.harness.context = replace(self.harness.context, settings=settings)

    def policy(self, text):
        host = self.listener.root.removeprefix("http://")
        return text.replace(
            'kind: standard, secrets: [env:CI], reply_to: ["127.0.0.1:9"]',
            f'kind: github, secrets: [env:CI], reply_to: ["{host}"], options: {{answer_by: app}}',
        ).replace(
            "  log: {kind: log}",
            "  log: {kind: log}\n"
            "  app: {kind: github, url: env:API, secret: env:TOKEN, options: {repository: acme/taxi}}",
        )

    def address(self, run=RUN, root=None):
        sealed = {"kind": "github", "url": f"{root or self.listener.root}{run}", "environment": "production"}
        return self.harness.context.encryptor.encrypt(sealed, audience=REPLY)

    def trained(self, run="r1", **metrics):
        self.harness.registry.trained(run, **{"rmse": 5.0, **metrics})
        return self.harness.post("training_run.finished", model="taxi", run_id=run)

    def waits(self, run=RUN, **data):
        return self.harness.post("promotion.request", reply_to=self.address(run), **{**WANTED, **data})

    @property
    def heard(self):
        return [json.loads(body)["state"] for _, body in self.listener.got]


@pytest.fixture
def github(ledger, tmp_path, listener):  # noqa: F811
    return Github(ledger, tmp_path, listener)


def test_it_is_let_go_when_the_version_is_there_and_not_before(github):
    github.trained()
    github.waits()
    assert github.heard == []
    github.harness.post("promotion.approve", by=ADA, **WANTED)
    [(headers, body)] = github.listener.got
    assert github.listener.paths == [RUN]
    assert headers["Authorization"] == "Bearer s3cret-token"
    assert json.loads(body) == {
        "environment_name": "production",
        "state": "approved",
        "comment": "Registrar: taxi version 1 is in Production (@\u200bchampion), by Ada",
    }


@pytest.mark.parametrize("event", ["promotion.reject", "promotion.cancel"])
def test_it_is_refused_when_somebody_says_no(event, github):
    github.trained()
    github.waits()
    github.harness.post(event, by=ADA, reason="not @everyone on Friday", **WANTED)
    assert github.heard == ["rejected"]
    said = json.loads(github.listener.got[0][1])["comment"]
    assert "on Friday" in said
    assert "@everyone" not in said


def test_a_vote_that_does_not_count_lets_nothing_go(github):
    github.trained()
    github.waits()
    github.harness.post("promotion.approve", by=EVE, **WANTED)
    assert github.heard == []


def test_it_is_refused_when_a_newer_version_takes_its_place(github):
    github.trained()
    github.waits()
    github.trained("r2")
    assert github.heard == ["rejected"]


def test_it_is_refused_at_once_where_a_gate_holds_it_back(github):
    github.harness.registry.trained("r1", rmse=9.0)
    github.harness.post("training_run.finished", model="taxi", run_id="r1")
    github.waits(target="Staging")
    assert github.heard == ["rejected"]


def test_it_is_let_go_at_once_where_gates_alone_decide(github):
    gates = POLICY.replace("approval: {rules: [{group: leads}]}", "approval: automatic, request: on_request")
    github.harness.policy(github.policy(gates))
    github.trained()
    github.waits(target="Production")
    assert github.heard == ["approved"]


def test_it_is_let_go_at_once_where_the_version_is_there_already(github):
    github.trained()
    github.harness.post("promotion.approve", by=ADA, **WANTED)
    github.waits()
    assert github.heard == ["approved"]


def test_it_is_refused_where_there_is_no_such_version(github):
    github.trained()
    github.waits(version=9)
    assert github.heard == ["rejected"]


def test_every_deployment_that_waits_is_answered_and_each_once(github):
    github.trained()
    other = RUN.replace("5453085689", "7")
    github.waits()
    github.waits(other)
    github.harness.post("promotion.approve", by=ADA, **WANTED)
    github.harness.post("promotion.approve", by=ADA, **WANTED)
    assert sorted(github.listener.paths) == sorted([RUN, other])
    assert github.heard == ["approved", "approved"]


def test_what_is_decided_before_its_request_was_looked_at_is_not_its_answer(github):
    github.trained()
    harness = github.harness
    harness.accept("promotion.reject", by=ADA, **WANTED)
    harness.accept("promotion.request", reply_to=github.address(), **WANTED)
    harness.work()
    assert github.heard == []
    harness.post("promotion.approve", by=ADA, **WANTED)
    assert github.heard == ["approved"]


def test_another_version_and_another_target_are_no_answer(github):
    github.trained()
    github.waits()
    github.harness.registry.trained("r2", rmse=9.0)
    github.harness.post("training_run.finished", model="taxi", run_id="r2")
    assert github.heard == []


def test_who_asked_by_chat_is_still_answered_at_once_and_nobody_waits(github):
    address = github.harness.context.encryptor.encrypt(
        {"kind": "slack", "url": f"{github.listener.root}/hook"}, audience=REPLY
    )
    github.trained()
    event = github.harness.post("promotion.request", reply_to=address, **WANTED)
    assert github.listener.paths == ["/hook"]
    assert ("reply", "succeeded") in github.harness.tasks_of(event)


def test_a_github_that_is_down_is_tried_again(github):
    github.trained()
    github.waits()
    github.listener.answer = (503, {})
    github.harness.post("promotion.approve", by=ADA, **WANTED)
    github.listener.answer = (204, {})
    github.harness.later(minutes=2)
    assert github.heard == ["approved", "approved"]


@pytest.mark.parametrize(
    ("status", "sentence"),
    [(403, "Deployments, read and write"), (404, "protection rule"), (422, "no longer waits there")],
)
def test_a_refusal_is_told_and_says_where_to_look(status, sentence, github):
    github.trained()
    github.waits()
    github.listener.answer = (status, {})
    github.harness.post("promotion.approve", by=ADA, **WANTED)
    said = github.harness.fact("task.failed")
    assert said.startswith("the answer to a deployment that waits for the end of promotion.approve by Ada could not")
    assert sentence in said
    assert len(github.heard) == 1


@pytest.mark.parametrize(
    "run", ["/repos/acme/taxi/actions/runs/1/approve", "/user", f"{RUN}/../../../../../user", f"{RUN}?x=1"]
)
def test_the_token_goes_to_no_other_path(run, github):
    github.trained()
    github.waits(run)
    github.harness.post("promotion.approve", by=ADA, **WANTED)
    assert github.listener.got == []
    assert "the address for the answer" in github.harness.fact("task.failed")


def test_the_token_goes_to_no_other_host(github):
    github.trained()
    github.harness.post("promotion.request", reply_to=github.address(root="http://127.0.0.1:9"), **WANTED)
    github.harness.post("promotion.approve", by=ADA, **WANTED)
    assert github.listener.got == []
    assert "the address for the answer" in github.harness.fact("task.failed")


def test_it_is_refused_when_the_request_is_dropped_before_its_turn(github):
    github.trained()
    harness = github.harness
    harness.registry.fail["run"] = RetryableError("reading run r9: the registry does not answer (ConnectionError)")
    harness.post("training_run.finished", model="taxi", run_id="r9")
    with harness.ledger.write() as connection:  # not due while the test looks
        later = harness.now() + timedelta(seconds=100)
        connection.execute(update(tasks).where(tasks.c.state == "queued").values(not_before=later))
    waits = harness.post("promotion.request", reply_to=github.address(), **WANTED)
    with harness.ledger.read() as connection:
        [task] = (event_status.event(connection, waits) or {})["tasks"]
    assert (task["state"], github.heard) == ("queued", [])
    harness.post("task.drop", by=ADA, task_id=task["id"], model="taxi", reason="not today")
    assert github.heard == ["rejected"]
    assert "not today" in json.loads(github.listener.got[0][1])["comment"]
