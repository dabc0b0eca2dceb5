"""What is special about GitHub: a signature over the body alone, unsigned headers, and who is behind a run."""

import hashlib
import hmac
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from registrar.config.encryption import REPLY
from registrar.policy.routes import Channel
from tests.sources.captured import FIXTURES, Capture, captures, read
from webhooks.ingress.errors import BadSignature, InvalidEvent, NotAForm, NotPermitted
from webhooks.ingress.source_types import Parsed, Request
from webhooks.signatures.verifier import WeakSecret
from webhooks.sources import github
from webhooks.sources.github.payloads import SHAPES

FORM = "application/x-www-form-urlencoded"
GITHUB = [path for path in captures() if path.parent.name == "github"]


def captured(name: str) -> Capture:
    return read(FIXTURES / "github" / f"{name}.http")


TRAINED = captured("workflow_run__completed_success")
KEY = TRAINED.sender.context.secrets[0].encode()


def signed(body: bytes, digest: str = "sha256") -> Request:
    mac = hmac.new(KEY, body, getattr(hashlib, digest)).hexdigest()
    return replace(TRAINED.request, body=body, headers={"x-hub-signature-256": f"{digest}={mac}"})


def changed(capture: Capture, change: Callable[[Any], object], **headers: str) -> Parsed:
    """What is made of a captured payload after `change` was at it."""
    payload = json.loads(capture.request.body)
    change(payload)
    request = replace(
        capture.request, body=json.dumps(payload).encode(), headers={**capture.request.headers, **headers}
    )
    return capture.sender.normalise(request)


def ignored(parsed: Parsed) -> str:
    assert parsed.events == ()
    assert parsed.answer is not None
    assert parsed.answer.status == 200
    return str(parsed.answer.body["ignored"])


@given(st.binary(max_size=3000))
def test_an_independent_signer_agrees_on_any_body(body: bytes):
    assert TRAINED.sender.verify(signed(body)).delivery_id is None


def test_the_published_vector_verifies():
    """https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries#testing-the-webhook-payload-validation"""
    mac = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    headers = {"x-hub-signature-256": f"sha256={mac}"}
    assert TRAINED.sender.verify(replace(TRAINED.request, body=b"Hello, World!", headers=headers)).delivery_id is None


SHA1 = "sha1=01dc10d0c83e72ed246219cdd91669667fe2ca59"  # of the vector's body, rightly made


@pytest.mark.parametrize(
    "headers",
    [
        {"x-hub-signature": SHA1},
        {"x-hub-signature-256": SHA1},
        {"x-hub-signature-256": SHA1.replace("sha1", "sha256")},
        {"x-hub-signature": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"},
    ],
)
def test_sha1_is_never_accepted(headers: dict[str, str]):
    with pytest.raises(BadSignature):
        TRAINED.sender.verify(replace(TRAINED.request, body=b"Hello, World!", headers=headers))


@pytest.mark.parametrize("digest", ["sha1", "sha512", "md5"])
def test_the_header_does_not_choose_the_digest(digest: str):
    with pytest.raises(BadSignature):
        TRAINED.sender.verify(signed(b"{}", digest))


def test_a_delivery_sent_again_under_another_id_has_the_same_identity():
    """X-GitHub-Delivery is not signed, so it is no identity; the body's digest is."""
    again = replace(TRAINED.request, headers={**TRAINED.request.headers, "x-github-delivery": "another"})
    for request in (TRAINED.request, again):
        assert TRAINED.sender.verify(request).delivery_id is None
        assert TRAINED.sender.normalise(request).delivery_id is None


@pytest.mark.parametrize("path", GITHUB, ids=lambda path: path.stem)
@pytest.mark.parametrize("name", [*SHAPES, "ping", "push", "nonsense"])
def test_no_body_becomes_an_event_under_another_events_name(path: Any, name: str):
    """X-GitHub-Event is not signed either."""
    capture = read(path)
    if capture.request.headers["x-github-event"] == name:
        return
    request = replace(capture.request, headers={**capture.request.headers, "x-github-event": name})
    with suppress(InvalidEvent):
        assert capture.sender.normalise(request).events == ()


@pytest.mark.parametrize("name", ["push", "marketplace_purchase", "user", "what GitHub will have next year"])
def test_what_is_not_heard_is_ignored_by_name(name: str):
    assert ignored(changed(TRAINED, dict.copy, **{"x-github-event": name})) == f"events of the kind {name}"


@pytest.mark.parametrize("name", ["", "x" * 9000, "a\u202eb\x1b[31m\u00ff"])
def test_an_events_name_is_shown_on_one_bounded_line(name: str):
    said = ignored(changed(TRAINED, dict.copy, **{"x-github-event": name}))
    assert said.isprintable()
    assert len(said) < 130


def test_a_report_that_can_not_be_used_is_answered_with_a_200_and_a_wrong_word_of_ours_is_not():
    """Nobody at GitHub can mend a branch that names no run; who composes a dispatch can."""
    wrong = InvalidEvent("it names no run")
    assert TRAINED.sender.refusal_body(TRAINED.request, wrong) == {"events": [], "refused": "it names no run"}
    assert TRAINED.sender.refusal_body(TRAINED.request, NotPermitted("no grant")) is None
    assert TRAINED.sender.refusal_body(captured("repository_dispatch__our_event").request, wrong) is None


@pytest.mark.parametrize("conclusion", ["neutral", "skipped", "stale", "action_required", "cancelled", None])
def test_a_run_that_neither_succeeded_nor_failed_is_ignored_by_name(conclusion: str | None):
    parsed = changed(TRAINED, lambda p: p["workflow_run"].update(conclusion=conclusion))
    assert ignored(parsed) == f"a workflow run that ended as {conclusion or 'nothing'}"


@pytest.mark.parametrize("head", [{"id": 7}, {"id": None}, {"full_name": "acme/taxi"}, None, "616901961"])
def test_a_run_that_is_not_surely_the_repositorys_own_is_ignored(head: object):
    assert "is of a fork" in ignored(changed(TRAINED, lambda p: p["workflow_run"].update(head_repository=head)))


def test_two_missing_ids_are_not_the_same_repository():
    def forget(payload: Any) -> None:
        del payload["repository"]["id"], payload["workflow_run"]["head_repository"]["id"]

    assert "is of a fork" in ignored(changed(TRAINED, forget))


def test_a_pull_request_target_run_goes_by_a_name_that_anybody_may_choose():
    assert "pull_request_target" in ignored(
        changed(TRAINED, lambda p: p["workflow_run"].update(event="pull_request_target"))
    )


@pytest.mark.parametrize(
    ("event", "branch", "counts"),
    [
        ("pull_request", "main", True),  # into a branch of releases
        ("pull_request", "try-lightgbm", False),  # into main: it goes by where it comes from
        ("merge_group", "gh-readonly-queue/main/pr-17-" + "5" * 40, False),
    ],
)
def test_a_pull_request_of_the_repository_itself_goes_by_the_branch_that_it_comes_from(event, branch, counts):
    """docs/how-to/ci/index.md, "Pull requests and forks"."""
    own = {"event": event, "head_branch": branch, "pull_requests": [{"number": 17, "base": {"ref": "main"}}]}
    parsed = changed(TRAINED, lambda p: p["workflow_run"].update(own))
    assert bool(parsed.events) is counts
    if not counts:
        assert "is none of options.training" in ignored(parsed)


def test_a_repository_is_known_in_any_case():
    assert changed(TRAINED, lambda p: p["repository"].update(full_name="ACME/Taxi")).events


@pytest.mark.parametrize("sha", ["main", "", None, "A" * 40, "5" * 39, "' OR tags.x = '1" + "5" * 24, "5" * 40 + "\n"])
def test_only_a_whole_sha_gets_into_a_search(sha: str | None):
    with pytest.raises(InvalidEvent, match="head_sha"):
        changed(TRAINED, lambda p: p["workflow_run"].update(head_sha=sha))


def test_a_success_that_names_no_run_is_refused():
    retrained = captured("workflow_run__run_id_in_the_title")
    with pytest.raises(InvalidEvent, match=r"has no MLflow run where options\.training looks"):
        changed(retrained, lambda p: p["workflow_run"].update(display_title="Retrain"))


def test_a_failure_needs_no_run():
    retrained = captured("workflow_run__run_id_in_the_title")
    parsed = changed(retrained, lambda p: p["workflow_run"].update(display_title="Retrain", conclusion="failure"))
    assert [(event.type, event.data.model_dump()["run_id"]) for event in parsed.events] == [
        ("training_run.failed", None)
    ]


@pytest.mark.parametrize("time", ["yesterday", None, 5, "0001-01-01T00:00:00+23:59", "2026-11-22T12:00:00"])
def test_a_time_that_can_not_be_read_is_the_arrivals(time: object):
    [event] = changed(TRAINED, lambda p: p["workflow_run"].update(updated_at=time)).events
    assert event.occurred_at == TRAINED.request.received_at


def test_the_time_is_github_own():
    [event] = changed(TRAINED, lambda p: p["workflow_run"].update(updated_at="2026-11-20T01:02:03Z")).events
    assert event.occurred_at == datetime(2026, 11, 20, 1, 2, 3, tzinfo=UTC)


@pytest.mark.parametrize("body", [{"body": "{}"}, {"payload": "{}", "secret": "x"}, {}])
def test_a_form_has_one_field_payload(body: dict[str, str]):
    request = Request({"x-github-event": "push"}, urlencode(body).encode(), FORM, TRAINED.request.received_at)
    with pytest.raises(NotAForm):
        TRAINED.sender.normalise(request)


@pytest.mark.parametrize(
    "said",
    [
        None,
        "x",
        {},
        {"type": "training_run.finished"},
        {"type": "training_run.finished", "data": []},
        {"type": "worker.register", "data": {}},
        {"type": 5, "data": {}},
        {"type": "training_run.finished", "data": {"model": "m", "run_id": "r"}, "actor": "ada"},
        {"type": "training_run.finished", "data": {"model": "../m", "run_id": "r"}},
    ],
)
def test_a_dispatch_says_only_what_the_vocabulary_has(said: object):
    with pytest.raises(InvalidEvent):
        changed(captured("repository_dispatch__our_event"), lambda p: p.update(client_payload=said))


def test_a_dispatch_is_the_sources_word_and_no_persons():
    def vote(payload: Any) -> None:
        payload["client_payload"] = {"type": "promotion.approve", "data": {"model": "m", "version": 3}}

    [event] = changed(captured("repository_dispatch__our_event"), vote).events
    assert event.actor.id == "source:github"


APPROVED = captured("deployment_review__approved")


def test_a_reviewer_is_the_accounts_number_and_not_its_login():
    [event] = changed(APPROVED, lambda p: p["approver"].update(id=99)).events
    assert (event.actor.id, event.actor.name) == ("github:99", "ada-l")


@pytest.mark.parametrize(
    ("comment", "kept"),
    [("looked\r\nfine", "looked\nfine"), ("x" * 2500, f"{'x' * 1993}… (cut)"), ("  ", None), ("\x1b[1m", "\ufffd[1m")],
)
def test_a_review_counts_whatever_its_comment(comment: str, kept: str | None):
    [event] = changed(APPROVED, lambda p: p.update(comment=comment)).events
    assert event.data.reason == kept


@pytest.mark.parametrize("id", ["583231", None, True])
def test_a_review_by_nobody_is_refused(id: object):
    with pytest.raises(InvalidEvent, match="who reviewed"):
        changed(APPROVED, lambda p: p["approver"].update(id=id))


def test_a_review_of_a_forks_run_is_ignored():
    assert "fork" in ignored(changed(APPROVED, lambda p: p["workflow_run"]["head_repository"].update(id=5)))


def test_a_review_of_several_environments_is_one_vote_for_each_stage():
    def more(payload: Any) -> None:
        job = payload["workflow_job_run"]
        names = ("production", "staging-eu", "staging-us", "github-pages")
        payload["workflow_job_runs"] = [{**job, "environment": name} for name in names] + [None, "x"]

    assert [event.data.model_dump()["target"] for event in changed(APPROVED, more).events] == ["Production", "Staging"]


REQUESTED = captured("deployment_protection_rule__requested")


@pytest.mark.parametrize("url", ["http://169.254.169.254/", "https://evil.example/x", "file:///etc/passwd"])
def test_the_callback_address_is_neither_kept_nor_called(url: str):
    [event] = changed(REQUESTED, lambda p: p.update(deployment_callback_url=url)).events
    assert event.reply_to is None
    assert url not in event.data.model_dump().values()


@pytest.mark.parametrize("trigger", ["pull_request", "pull_request_target"])
def test_a_pull_requests_deployment_asks_for_nothing(trigger: str):
    assert "pull request" in ignored(changed(REQUESTED, lambda p: p.update(event=trigger)))


@pytest.mark.parametrize(
    ("creator", "sender", "who"),
    [
        ({"type": "Bot", "id": 41898282}, {"type": "User", "id": 583231}, "ada"),
        ({"type": "User", "id": 7, "login": "zed"}, {"type": "User", "id": 583231}, "github:7"),
        ({"type": "Bot", "id": 41898282}, {"type": "Bot", "id": 41898282}, "source:github"),
        (None, None, "source:github"),
    ],
)
def test_who_has_it_deployed_is_who_asks(creator: object, sender: object, who: str):
    def change(payload: dict[str, Any]) -> None:
        payload["deployment"]["creator"] = creator
        payload["sender"] = sender

    [event] = changed(REQUESTED, change).events
    assert event.actor.id == who


DEPLOYED = captured("deployment_status__success")


@pytest.mark.parametrize(
    ("event", "head", "counts"),
    [("pull_request", 616901961, True), ("pull_request_target", 616901961, False), ("pull_request", 5, False)],
)
def test_a_deployment_of_a_pull_request_counts_where_it_is_the_repositorys_own(event, head, counts):
    """docs/how-to/ci/index.md, "Pull requests and forks"."""

    def by_run(payload: dict[str, Any]) -> None:
        run = {"id": 1, "event": event, "head_branch": "try", "head_repository": {"id": head}}
        payload.update(workflow_run=run, repository={**payload["repository"], "id": 616901961})

    assert bool(changed(DEPLOYED, by_run).events) is counts


@pytest.mark.parametrize(
    "payload", [{"model": "m", "version": "x"}, {"model": ["m"], "version": 3}, {"model": "a/b", "version": 3}]
)
def test_a_deployments_payload_is_judged_by_the_vocabulary(payload: object):
    with pytest.raises(InvalidEvent):
        changed(DEPLOYED, lambda p: p["deployment"].update(payload=payload))


@pytest.mark.parametrize("payload", ["deploy!", "", None, 5, [], '{"a":1,"a":2}'])
def test_a_deployment_of_something_else_is_ignored(payload: object):
    parsed = changed(DEPLOYED, lambda p: p["deployment"].update(payload=payload))
    assert "names no model and version" in ignored(parsed)


@pytest.mark.parametrize("version", ["1.2.3", "v7", "2026-11-22", "", None, {"major": 1}, True, 1.5])
def test_what_another_product_calls_its_version_is_not_the_models(version: object):
    """Only `model` beside it says that it is one's."""

    def said(payload: Any) -> None:
        payload["deployment"].update(description="Deploy taxi-v7", payload={"version": version})

    [event] = changed(DEPLOYED, said).events
    assert (event.data.model_dump()["model"], event.data.model_dump()["version"]) == ("nyc-taxi-regressor", 7)
    parsed = changed(DEPLOYED, lambda p: p["deployment"].update(description="Deploy", payload={"version": version}))
    assert "names no model and version" in ignored(parsed)


@pytest.mark.parametrize("url", ["javascript:alert(1)", "https://github.com@evil.example/", "https://x/<!channel>", ""])
def test_an_address_that_is_not_fit_to_be_shown_gives_way_to_the_log(url: str):
    [event] = changed(DEPLOYED, lambda p: p["deployment_status"].update(environment_url=url)).events
    assert event.data.model_dump()["url"] == "https://github.com/acme/taxi/actions/runs/5453085689/job/9921448362"


@pytest.mark.parametrize("title", ["Deploy taxi-v7\r\n", " Deploy taxi-v7 ", "Deploy taxi-v7\r\nsince v6 is slow"])
def test_a_version_stands_in_the_first_line_of_a_description(title: str):
    def said(payload: Any) -> None:
        payload["deployment"].update(description=title, payload={})
        payload["deployment_status"]["environment_url"] = " https://taxi.example.com/v7\r\n"

    [event] = changed(DEPLOYED, said).events
    data = event.data.model_dump()
    assert (data["version"], data["url"]) == (7, "https://taxi.example.com/v7")


RULE = {"model": "m", "branches": ["main"], "workflows": ["w.yml"], "run": {"by": "commit", "experiment": "e"}}


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"repositories": []},
        {"repositories": ["a/b"], "surprise": 1},
        {"repositories": ["a/b"], "training": [{**RULE, "branches": []}]},
        {"repositories": ["a/b"], "training": [{**RULE, "run": {"by": "magic"}}]},
        {"repositories": ["a/b"], "training": [{**RULE, "run": {"by": "commit"}}]},
        {"repositories": ["a/b"], "training": [{**RULE, "run": {"by": "title", "pattern": "(a+)+"}}]},
        {"repositories": ["a/b"], "training": [{**RULE, "run": {"by": "environment", "pattern": "(a+)"}}]},
        {"repositories": ["a/b"], "deployments": [{"environments": {}}]},
        {"repositories": ["a/b"], "deployments": [{"environments": {"production": "Live"}}]},
    ],
)
def test_options_that_mean_nothing_are_refused_at_start(options: dict[str, object]):
    with pytest.raises(ValidationError):
        github.Options.model_validate(options)


def test_a_repository_may_be_given_by_its_number():
    options = github.Options.model_validate({"repositories": [616901961], "training": [RULE]})
    assert options.repositories == [616901961]


WAITS = captured("deployment_protection_rule__requested")
RUN = "https://api.github.com/repos/acme/taxi/actions/runs/5453085689/deployment_protection_rule"


def answering(capture: Capture, **source: Any) -> Capture:
    """The same sender, with a channel that may answer."""
    context = capture.sender.context
    policy = context.policy.model_copy(update={"channels": {"app": Channel(kind="github")}})
    options = context.options.model_copy(update={"answer_by": "app"})
    config = context.config.model_copy(update=source)
    return replace(
        capture, sender=replace(capture.sender, context=replace(context, policy=policy, options=options, config=config))
    )


def test_who_waits_at_a_protection_rule_can_be_answered_and_nobody_reads_where():
    capture = answering(WAITS)
    [event] = capture.sender.normalise(capture.request).events
    assert event.reply_to is not None
    assert "api.github.com" not in event.reply_to
    assert capture.sender.context.encryptor.decrypt(event.reply_to, audience=REPLY) == {
        "kind": "github",
        "url": RUN,
        "environment": "production",
    }


@pytest.mark.parametrize(
    "url",
    [
        "",
        RUN.replace("api.github.com", "api.github.com.example.com"),
        RUN.replace("https://", "https://evil@"),
        RUN.replace("https", "http"),
        RUN.replace("acme/taxi", "acme/other"),
        RUN.replace("5453085689", "1/../2"),
        f"{RUN}?x=1",
        f"{RUN}/",
        f"{RUN}\n",
        "https://api.github.com/user",
    ],
)
def test_an_address_that_is_not_the_runs_is_refused(url: str):
    with pytest.raises(InvalidEvent):
        changed(answering(WAITS), lambda payload: payload.update(deployment_callback_url=url))


def test_a_github_of_ones_own_is_answered_where_reply_to_lists_it():
    url = RUN.replace("api.github.com", "github.example.com/api/v3")
    capture = answering(WAITS, reply_to=["github.example.com"])
    [event] = changed(capture, lambda payload: payload.update(deployment_callback_url=url)).events
    assert capture.sender.context.encryptor.decrypt(event.reply_to or "", audience=REPLY)["url"] == url


@pytest.mark.parametrize("name", ["nobody", "log"])
def test_a_channel_that_cannot_answer_keeps_the_receiver_from_starting(name: str):
    context = answering(WAITS).sender.context
    policy = context.policy.model_copy(update={"channels": {"log": Channel(kind="log")}})
    wrong = replace(context, policy=policy, options=context.options.model_copy(update={"answer_by": name}))
    with pytest.raises(WeakSecret, match=r"options\.answer_by"):
        github.check(wrong)
