"""github_dispatch, gitlab_pipeline and pagerduty: facts that start deployments, and those that are only noted."""

import json
from dataclasses import replace
from urllib.parse import parse_qsl

import pytest
import requests

from registrar.events.outcome import Fact
from registrar.policy import plugin_options
from tests.notifications.samples import DESCRIBED, ENCRYPTOR, HELD, LIVE, MOVED, REQUESTED, expected, notice
from worker.notifications.notifiers import github_dispatch, gitlab_pipeline, pagerduty
from worker.registry.protocol import PermanentError, RetryableError

GIVEN = {
    github_dispatch: {"repository": "acme/deploy", "event_type": "deploy"},
    gitlab_pipeline: {"project": 42, "ref": "main"},
    pagerduty: {},
}
KINDS = list(GIVEN)


@pytest.fixture
def session() -> requests.Session:
    return requests.Session()


def post_fact(kind, fact, listener, session, **given):
    kind.post(notice(fact, url=listener.root, **{**GIVEN[kind], **given}), session, ENCRYPTOR)
    return listener.paths[-1], *listener.got[-1]


@pytest.mark.parametrize(("case", "fact"), [("requested", REQUESTED), ("moved", MOVED)])
def test_the_exact_dispatch(case, fact, listener, session):
    listener.answer = (204, {})
    path, headers, body = post_fact(github_dispatch, fact, listener, session)
    assert json.loads(body) == expected(f"github_dispatch__{case}")
    assert (path, headers["Authorization"]) == ("/repos/acme/deploy/dispatches", "Bearer s3cret-token")


@pytest.mark.parametrize("fact", [REQUESTED, MOVED, HELD, LIVE, DESCRIBED, Fact("x", "x")])
def test_a_dispatch_never_has_more_than_the_ten_keys_github_takes(fact):
    given = github_dispatch.Options(**GIVEN[github_dispatch])
    assert len(github_dispatch.body(notice(fact), given)["client_payload"]) == 10


@pytest.mark.parametrize(("case", "fact"), [("requested", REQUESTED), ("moved", MOVED)])
def test_the_exact_pipeline(case, fact, listener, session):
    listener.answer = (201, {})
    path, headers, body = post_fact(gitlab_pipeline, fact, listener, session)
    assert dict(parse_qsl(body.decode(), keep_blank_values=True)) == expected(f"gitlab_pipeline__{case}")
    assert path == "/projects/42/trigger/pipeline"
    assert headers["Content-Type"] == "application/x-www-form-urlencoded"


def test_a_project_by_its_path_is_one_part_of_the_address(listener, session):
    assert post_fact(gitlab_pipeline, MOVED, listener, session, project="acme/ml")[0].startswith("/projects/acme%2Fml/")


def test_no_name_becomes_a_variable_of_the_pipeline(listener, session):
    with pytest.raises(PermanentError, match=r"the model has a \$ in it"):
        post_fact(gitlab_pipeline, replace(MOVED, model="$CI_JOB_TOKEN"), listener, session)
    assert listener.got == []


def test_a_name_stays_inside_its_field(listener, session):
    _, _, body = post_fact(gitlab_pipeline, replace(MOVED, model="x&variables[EVIL]=1&ref=other"), listener, session)
    said = dict(parse_qsl(body.decode()))
    assert (said["ref"], said["variables[REGISTRAR_MODEL]"]) == ("main", "x&variables[EVIL]=1&ref=other")


@pytest.mark.parametrize(("case", "fact"), [("moved", MOVED), ("live", LIVE)])
def test_the_exact_change_event(case, fact, listener, session):
    listener.answer = (202, {})
    _, headers, body = post_fact(pagerduty, fact, listener, session)
    assert json.loads(body) == expected(f"pagerduty__{case}")
    assert headers["Content-Type"] == "application/json"


def test_a_summary_ends_where_pagerduty_ends_it(listener, session):
    _, _, body = post_fact(pagerduty, replace(MOVED, text="x " * 2000), listener, session)
    assert len(json.loads(body)["payload"]["summary"]) == 1024


def test_change_events_go_to_pagerduty_where_no_address_is_given(session, monkeypatch):
    asked = []
    monkeypatch.setattr(pagerduty, "send", lambda http, url, *_, **__: asked.append(url))
    pagerduty.post(notice(MOVED), session, ENCRYPTOR)
    assert asked == ["https://events.pagerduty.com/v2/change/enqueue"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("status", [429, 500, 503])
def test_what_may_work_later_is_retryable_after_the_time_asked(kind, status, listener, session):
    listener.answer = (status, {"Retry-After": "17"})
    with pytest.raises(RetryableError) as error:
        post_fact(kind, MOVED, listener, session)
    assert error.value.after == 17


@pytest.mark.parametrize(
    ("kind", "status", "sentence"),
    [
        (github_dispatch, 401, "token in the channel's secret"),
        (github_dispatch, 404, "options.repository"),
        (gitlab_pipeline, 400, "options.ref"),
        (gitlab_pipeline, 401, "trigger token in the channel's secret"),
        (gitlab_pipeline, 404, "options.project"),
        (pagerduty, 400, "integration key"),
    ],
)
def test_a_refusal_is_final_and_says_where_to_look(kind, status, sentence, listener, session):
    listener.answer = (status, {})
    with pytest.raises(PermanentError, match=sentence) as error:
        post_fact(kind, MOVED, listener, session)
    assert "s3cret" not in str(error.value)


@pytest.mark.parametrize("kind", KINDS)
def test_without_a_secret_nothing_is_sent(kind, listener, session):
    with pytest.raises(PermanentError, match="add secret: env:NAME"):
        kind.post(notice(MOVED, url=listener.root, secret=None, **GIVEN[kind]), session, ENCRYPTOR)
    assert listener.got == []


@pytest.mark.parametrize("kind", KINDS)
def test_redirects_are_not_followed(kind, listener, session):
    listener.answer = (307, {"Location": f"{listener.root}/elsewhere"})
    with pytest.raises(PermanentError, match="307"):
        post_fact(kind, MOVED, listener, session)
    assert len(listener.got) == 1


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        (github_dispatch, {"repository": "acme/deploy", "event_type": "x" * 101}),
        (gitlab_pipeline, {"project": 42}),
        (gitlab_pipeline, {"project": 42, "ref": ""}),
        (pagerduty, {"severity": "info"}),
    ],
)
def test_options_that_cannot_work_are_refused(kind, given):
    with pytest.raises(plugin_options.BadOptions):
        plugin_options.read(kind, given)
