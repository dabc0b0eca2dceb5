"""What is special about GitLab: two ways to verify with no bridge between them, and a 200 for what is not wanted."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from registrar.policy import Policy
from tests.sources.captured import FIXTURES, Capture, read
from tests.sources.test_github import ignored
from webhooks.ci.payload import moment
from webhooks.ingress.errors import BadSignature, InvalidEvent
from webhooks.ingress.source_registry import OpenSource
from webhooks.ingress.source_types import Parsed
from webhooks.signatures.verifier import WeakSecret
from webhooks.sources import gitlab

TOKEN = "an old secret token".replace(" ", "-")


def captured(name: str) -> Capture:
    return read(FIXTURES / "gitlab" / f"{name}.http")


TRAINED = captured("pipeline__success")
JOB = captured("build__success")
DEPLOYED = captured("deployment__success")
SIGNING = TRAINED.sender.context.secrets[0]


def changed(capture: Capture, change: Callable[[Any], object]) -> Parsed:
    payload = json.loads(capture.request.body)
    change(payload)
    return capture.sender.normalise(replace(capture.request, body=json.dumps(payload).encode()))


def by_token(*secrets: str) -> OpenSource:
    """The same sender, with a hook of the older kind."""
    context = TRAINED.sender.context
    options = context.options.model_copy(update={"verify": "secret_token"})
    return replace(TRAINED.sender, context=replace(context, secrets=secrets, options=options))


def with_token(**headers: str) -> Any:
    kept = {name: value for name, value in TRAINED.request.headers.items() if not name.startswith("webhook-")}
    return replace(TRAINED.request, headers={**kept, **headers})


@given(st.text(max_size=2000))
def test_an_independent_signer_agrees_on_any_body(body: str):
    """standardwebhooks signs text; GitLab signs JSON, which is text."""
    at = TRAINED.request.received_at
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(SIGNING).sign("msg_p5jXN8AQM9LWM0D4loKWxJek", at, body),
    }
    request = replace(TRAINED.request, body=body.encode(), headers=headers)
    assert TRAINED.sender.verify(request).delivery_id == "msg_p5jXN8AQM9LWM0D4loKWxJek"


def test_the_published_vector_verifies():
    """https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md"""
    context = replace(TRAINED.sender.context, secrets=("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",))
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    request = replace(
        TRAINED.request,
        body=b'{"test": 2432232314}',
        headers=headers,
        received_at=datetime.fromtimestamp(1614265330, UTC),
    )
    assert replace(TRAINED.sender, context=context).verify(request).delivery_id == "msg_p5jXN8AQM9LWM0D4loKWxJek"


@pytest.mark.parametrize("token", [SIGNING, TOKEN, ""])
def test_a_signing_source_takes_no_token_in_place_of_a_signature(token: str):
    with pytest.raises(BadSignature):
        TRAINED.sender.verify(with_token(**{"x-gitlab-token": token}))


def test_a_token_does_not_mend_a_wrong_signature():
    headers = {**TRAINED.request.headers, "webhook-signature": "v1,AAAA", "x-gitlab-token": SIGNING}
    with pytest.raises(BadSignature):
        TRAINED.sender.verify(replace(TRAINED.request, headers=headers))


def test_a_token_source_takes_either_of_its_two_tokens_and_knows_no_signed_id():
    for token in (TOKEN, TOKEN[::-1]):
        assert by_token(TOKEN, TOKEN[::-1]).verify(with_token(**{"x-gitlab-token": token})).delivery_id is None


@pytest.mark.parametrize(
    "header",
    ["", "x", TOKEN + " ", TOKEN.upper(), f"{TOKEN},{TOKEN}", f"{TOKEN}, {TOKEN}", "\u00e9", "\ud800"],
)
def test_any_other_token_is_a_bad_signature(header: str):
    with pytest.raises(BadSignature):
        by_token(TOKEN).verify(with_token(**{"x-gitlab-token": header}))


def test_a_missing_token_is_a_bad_signature():
    with pytest.raises(BadSignature):
        by_token(TOKEN).verify(with_token())


def test_a_token_source_takes_no_signature_in_place_of_the_token():
    with pytest.raises(BadSignature):
        by_token(TOKEN).verify(TRAINED.request)


@pytest.mark.parametrize("secret", ["a" * 15, "a secret with spaces", "commas,are,joined,headers", "é" * 20, "\n" * 20])
def test_a_weak_token_is_refused_at_start(secret: str):
    with pytest.raises(WeakSecret):
        gitlab.check_secret(secret)


def test_a_signing_token_is_never_expected_in_the_open_nor_a_plain_one_to_sign():
    with pytest.raises(WeakSecret, match=r"options\.verify"):
        gitlab.check(by_token(SIGNING).context)
    with pytest.raises(WeakSecret, match=r"options\.verify"):
        gitlab.check(replace(TRAINED.sender.context, secrets=(SIGNING, TOKEN)))
    gitlab.check(by_token(TOKEN).context)
    gitlab.check(TRAINED.sender.context)


def test_a_public_key_is_no_signing_token():
    with pytest.raises(WeakSecret):
        gitlab.check(replace(TRAINED.sender.context, secrets=("whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=",)))


def test_pipeline_variables_are_nowhere_in_what_is_kept():
    parsed = TRAINED.sender.normalise(TRAINED.request)
    assert b"do-not-store" in TRAINED.request.body
    assert "do-not-store" not in repr(parsed)
    assert "do-not-store" not in str([event.data.model_dump() for event in parsed.events])


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2016-08-12 15:23:28 UTC", datetime(2016, 8, 12, 15, 23, 28, tzinfo=UTC)),
        ("2021-04-28 21:50:00 +0200", datetime(2021, 4, 28, 19, 50, tzinfo=UTC)),
        ("2021-04-28 21:50:00 -0930", datetime(2021, 4, 29, 7, 20, tzinfo=UTC)),
        ("2026-11-22T12:00:00Z", datetime(2026, 11, 22, 12, tzinfo=UTC)),
        ("2026-11-22T12:00:00.123+01:00", datetime(2026, 11, 22, 11, 0, 0, 123000, tzinfo=UTC)),
    ],
)
def test_times_are_read_as_gitlab_writes_them(written: str, meant: datetime):
    assert moment(written, otherwise=datetime.now(UTC)) == meant


@given(st.text(max_size=40))
def test_no_text_breaks_the_reading_of_a_time(written: str):
    otherwise = datetime(2026, 11, 22, tzinfo=UTC)
    assert moment(written, otherwise=otherwise).utcoffset() == timedelta(0)


@pytest.mark.parametrize("kind", ["push", "vulnerability", "what GitLab will have next year"])
def test_what_is_not_heard_is_ignored_by_name(kind: str):
    assert ignored(changed(TRAINED, lambda p: p.update(object_kind=kind))) == f"events of the kind {kind}"


@pytest.mark.parametrize("name", ["project_create", "user_add_to_group", "repository_update"])
def test_hooks_of_groups_and_of_the_whole_gitlab_have_a_name_in_place_of_a_kind(name: str):
    def system(payload: Any) -> None:
        payload.clear()
        payload.update(event_name=name, project_id=42)

    assert ignored(changed(TRAINED, system)) == f"events of the kind {name}"


def test_a_body_that_says_not_what_it_is_is_refused_and_told_with_a_200():
    with pytest.raises(InvalidEvent, match="no object_kind") as caught:
        changed(TRAINED, lambda p: p.pop("object_kind"))
    said = TRAINED.sender.refusal_body(TRAINED.request, caught.value)
    assert said == {"events": [], "refused": caught.value.detail}


@pytest.mark.parametrize("source", [99, None, "42"])
def test_a_merge_request_that_is_not_surely_the_projects_own_is_ignored(source: object):
    request = {"iid": 1, "source_project_id": source, "source_branch": "main"}
    assert "fork" in ignored(changed(TRAINED, lambda p: p.update(merge_request=request)))


def test_two_missing_projects_are_not_the_same():
    def forget(payload: Any) -> None:
        payload["merge_request"] = {"iid": 1}
        del payload["project"]["id"]

    assert "fork" in ignored(changed(TRAINED, forget))


@pytest.mark.parametrize(("ref", "counts"), [("main", True), ("try-lightgbm", False)])
def test_the_projects_own_merge_request_goes_by_the_branch_that_it_comes_from(ref: str, counts: bool):
    """docs/how-to/ci/index.md, "Pull requests and forks"."""

    def own(payload: Any) -> None:
        payload["merge_request"] = {"iid": 1, "source_project_id": 42, "source_branch": ref, "target_branch": "main"}
        payload["object_attributes"]["ref"] = ref

    assert bool(changed(TRAINED, own).events) is counts


@pytest.mark.parametrize("kind", ["head", "merge", "train"])
def test_a_merge_requests_job_may_be_a_forks_whatever_refs_are_taken(kind: str):
    options = JOB.sender.context.options
    of_any_ref = [rule.model_copy(update={"refs": ["*"]}) for rule in options.training]
    context = replace(JOB.sender.context, options=options.model_copy(update={"training": of_any_ref}))
    capture = replace(JOB, sender=replace(JOB.sender, context=context))
    assert "pull request 5" in ignored(changed(capture, lambda p: p.update(ref=f"refs/merge-requests/5/{kind}")))


def test_what_does_not_say_that_it_is_no_tag_is_taken_for_one():
    assert "refs/tags/main" in ignored(changed(JOB, lambda p: p.pop("tag")))


@pytest.mark.parametrize("sha", ["main", None, "5275a45b", "' or 1=1 --"])
def test_only_a_whole_sha_gets_into_a_search(sha: str | None):
    with pytest.raises(InvalidEvent, match="sha"):
        changed(TRAINED, lambda p: p["object_attributes"].update(sha=sha))


@pytest.mark.parametrize("status", ["created", "pending", "running", "canceled", "skipped", "manual", None, 5])
def test_what_has_not_ended_is_ignored_by_name(status: object):
    assert ignored(changed(TRAINED, lambda p: p["object_attributes"].update(status=status)))
    assert ignored(changed(JOB, lambda p: p.update(build_status=status)))
    assert ignored(changed(DEPLOYED, lambda p: p.update(status=status)))


@pytest.mark.parametrize("end", ["\r\n\r\nWith last week's trips.\r\n", "\r", "  \n", "\u2028more"])
def test_a_commits_first_line_ends_where_anybody_ends_one(end: str):
    run_id = "4c8ef2a1b5d94c6f8a7e6d5c4b3a2f10"
    [event] = changed(JOB, lambda p: p["commit"].update(message=f"retrain as {run_id}{end}")).events
    assert event.data.model_dump()["run_id"] == run_id


def test_a_success_without_a_run_is_refused():
    with pytest.raises(InvalidEvent, match="has no MLflow run"):
        changed(JOB, lambda p: p["commit"].update(message="retrain"))


def test_a_pipeline_does_not_end_what_is_a_jobs_to_end():
    context = TRAINED.sender.context
    [_, of_jobs] = context.policy.sources["gitlab"].options["training"]
    only_jobs = gitlab.Options.model_validate({"projects": [42], "training": [of_jobs]})
    parsed = gitlab.normalise(TRAINED.request, replace(context, options=only_jobs))
    assert "are for jobs" in ignored(parsed)


def test_a_project_is_known_by_its_number_alone():
    """A job's hook of older GitLab has no path."""
    assert changed(JOB, lambda p: p.pop("project")).events
    assert ignored(changed(JOB, lambda p: (p.pop("project"), p.update(project_id=41)))) == (
        "project 41 is none of options.projects"
    )


def test_its_options_are_part_of_a_valid_policy():
    assert Policy.model_validate(json.loads((FIXTURES / "gitlab" / "_sender.json").read_text())["policy"])
