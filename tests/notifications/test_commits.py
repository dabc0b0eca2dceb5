"""github and gitlab: what is said at the commit that a version was trained from."""

import json
import time
from dataclasses import replace

import pytest
import requests

from registrar.events.outcome import Fact
from registrar.policy import plugin_options
from tests.notifications.samples import (
    ASKED,
    COMMIT,
    DESCRIBED,
    ENCRYPTOR,
    HELD,
    LIVE,
    MOVED,
    REQUESTED,
    expected,
    notice,
)
from worker.notifications.notifiers import NotApplicable, github, gitlab
from worker.registry.protocol import PermanentError, RetryableError

CASES = {"asked": ASKED, "moved": MOVED, "held_back": HELD, "live": LIVE}
AT_GITHUB = {"repository": "acme/taxi"}
AT_GITLAB = {"project": "acme/ml/taxi"}


@pytest.fixture
def session() -> requests.Session:
    return requests.Session()


def post_fact(kind, fact, listener, session, **given):
    """What goes out, and to which path."""
    where = AT_GITHUB if kind is github else AT_GITLAB
    kind.post(notice(fact, url=listener.root, **{**where, **given}), session, ENCRYPTOR)
    [(headers, body)] = listener.got
    return listener.paths[0], headers, json.loads(body)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("as_", ["status", "comment"])
def test_the_exact_body_for_github(case, as_, listener, session):
    path, headers, body = post_fact(github, CASES[case], listener, session, **{"as": as_})
    assert body == expected(f"github__{as_}_{case}")
    assert path == f"/repos/acme/taxi/{f'statuses/{COMMIT}' if as_ == 'status' else f'commits/{COMMIT}/comments'}"
    assert headers["Authorization"] == "Bearer s3cret-token"
    assert headers["Accept"] == "application/vnd.github+json"


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("as_", ["status", "comment"])
def test_the_exact_body_for_gitlab(case, as_, listener, session):
    path, headers, body = post_fact(gitlab, CASES[case], listener, session, **{"as": as_})
    assert body == expected(f"gitlab__{as_}_{case}")
    below = f"statuses/{COMMIT}" if as_ == "status" else f"repository/commits/{COMMIT}/comments"
    assert path == f"/projects/acme%2Fml%2Ftaxi/{below}"
    assert headers["PRIVATE-TOKEN"] == "s3cret-token"


@pytest.mark.parametrize("kind", [github, gitlab])
@pytest.mark.parametrize("commit", [None, "", "c0ffee", COMMIT + "0", f"{COMMIT[:-1]}g", "../../../../user", 7])
def test_a_fact_without_a_whole_commit_is_passed_over(kind, commit, listener, session):
    fact = replace(MOVED, details={**MOVED.details, "commit": commit})
    with pytest.raises(NotApplicable, match="commit"):
        post_fact(kind, fact, listener, session)
    assert listener.got == []


@pytest.mark.parametrize("kind", [github, gitlab])
@pytest.mark.parametrize("fact", [DESCRIBED, REQUESTED])
def test_a_fact_that_decides_nothing_is_no_status_but_may_be_a_comment(kind, fact, listener, session):
    with pytest.raises(NotApplicable, match="no difference"):
        post_fact(kind, fact, listener, session)
    assert listener.got == []
    post_fact(kind, fact, listener, session, **{"as": "comment"})


@pytest.mark.parametrize(("kind", "field"), [(github, "body"), (gitlab, "note")])
def test_a_comment_calls_nobody_refers_to_nothing_and_commands_nothing(kind, field, listener, session):
    text = 'x\n/close\n@everyone &commat;ada #1 !2 ~"bug" %3 $4 GH-5 <img src=x> [a](b) **b** `c`'
    _, _, body = post_fact(kind, Fact("x", text, "m", 1, MOVED.details), listener, session, **{"as": "comment"})
    said = body[field]
    assert "\n" not in said  # GitLab's commands begin a line
    for called in ("@everyone", "&commat;", "#1", "!2", '~"bug', "%3", "$4", "GH-5", "<img", "[a](", "**b", " `c"):
        assert called not in said
    assert "everyone" in said


@pytest.mark.parametrize("kind", [github, gitlab])
def test_long_texts_and_names_are_cut_to_what_is_taken(kind, listener, session):
    fact = replace(HELD, text="x" * 500, details={**HELD.details, "target": "t" * 500})
    _, _, body = post_fact(kind, fact, listener, session)
    assert len(body["description"]) == 140
    assert len(body.get("context") or body["name"]) <= 100


@pytest.mark.parametrize("url", ["javascript:alert(1)", "https://a b", "ftp://x", 5])
def test_what_is_no_web_address_is_not_linked(url, listener, session):
    fact = replace(LIVE, details={**LIVE.details, "url": url})
    assert "target_url" not in post_fact(github, fact, listener, session)[2]


def test_a_monorepos_models_have_statuses_of_their_own(listener, session):
    assert post_fact(github, MOVED, listener, session, context="taxi")[2]["context"] == "taxi/Production"


@pytest.mark.parametrize(
    ("kind", "status", "sentence"),
    [
        (github, 401, "the token in the channel's secret"),
        (github, 403, "Commit statuses"),
        (github, 404, "options.repository"),
        (github, 422, "the commit is none of options.repository"),
        (gitlab, 401, "the token in the channel's secret"),
        (gitlab, 403, "the scope api"),
        (gitlab, 404, "options.project"),
    ],
)
def test_a_refusal_is_final_and_says_where_to_look(kind, status, sentence, listener, session):
    listener.answer = (status, {"Location": "http://127.0.0.1:9/"})
    with pytest.raises(PermanentError, match=f"refused the message with {status}: .*{sentence}") as error:
        post_fact(kind, MOVED, listener, session)
    assert "s3cret" not in str(error.value)


@pytest.mark.parametrize("kind", [github, gitlab])
@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_what_may_work_later_is_retryable_after_the_time_asked(kind, status, listener, session):
    listener.answer = (status, {"Retry-After": "17"})
    with pytest.raises(RetryableError) as error:
        post_fact(kind, MOVED, listener, session)
    assert error.value.after == 17


@pytest.mark.parametrize(
    ("status", "headers", "body", "seconds"),
    [
        (403, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "{}"}, b"", 30),
        (429, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "{}"}, b"", 30),
        (403, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "soon"}, b"", 60),
        (403, {"X-RateLimit-Remaining": "4999", "Retry-After": "33"}, b"", 33),
        (403, {}, b'{"message": "You have exceeded a secondary rate limit."}', 60),
        (429, {}, b"", 60),
    ],
)
def test_githubs_limits_are_waited_for(status, headers, body, seconds, listener):
    listener.answer = (status, {name: value.format(int(time.time()) + 30) for name, value in headers.items()})
    listener.body = body
    with pytest.raises(RetryableError, match="had enough requests") as error:
        post_fact(github, MOVED, listener, requests.Session())
    assert seconds - 5 <= error.value.after <= seconds + 1


def test_a_lack_of_permission_is_no_limit(listener, session):
    listener.answer, listener.body = (403, {"X-RateLimit-Remaining": "4999"}), b'{"message": "Resource not accessible"}'
    with pytest.raises(PermanentError, match="Commit statuses"):
        post_fact(github, MOVED, listener, session)


def test_a_state_that_an_older_gitlab_has_already_is_no_failure(listener, session):
    listener.answer, listener.body = (400, {}), b'{"message": "Cannot transition status via :enqueue from :pending"}'
    with pytest.raises(NotApplicable, match="has this status"):
        post_fact(gitlab, ASKED, listener, session)
    listener.body = b'{"error": "state is missing"}'
    listener.got.clear()
    with pytest.raises(PermanentError, match="refused the message with 400"):
        post_fact(gitlab, ASKED, listener, session)


@pytest.mark.parametrize("kind", [github, gitlab])
def test_without_a_token_nothing_is_sent(kind, listener, session):
    where = AT_GITHUB if kind is github else AT_GITLAB
    with pytest.raises(PermanentError, match="add secret: env:NAME"):
        kind.post(notice(MOVED, url=listener.root, secret=None, **where), session, ENCRYPTOR)
    assert listener.got == []


def test_a_token_with_a_line_break_inside_is_final_and_not_told(listener, session):
    with pytest.raises(PermanentError, match="no header may hold") as error:
        github.post(notice(MOVED, url=listener.root, secret="s3cret\r\nX-Evil: 1", **AT_GITHUB), session, ENCRYPTOR)
    assert "s3cret" not in str(error.value)
    assert listener.got == []


def test_an_answer_without_an_end_is_not_read_to_its_end(listener, session):
    listener.body = b"x" * 5_000_000
    listener.answer = (404, {})
    with pytest.raises(PermanentError, match="404"):
        post_fact(github, MOVED, listener, session)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"repository": "taxi"},
        {"repository": "acme/.."},
        {"repository": "acme/taxi/../../user"},
        {"repository": "acme/taxi\n"},
        {"repository": "acme/taxi", "as": "issue"},
        {"repository": "acme/taxi", "app_id": 1},
        {"repository": "acme/taxi", "installation_id": 1},
    ],
)
def test_options_of_github_that_cannot_work_are_refused(given):
    with pytest.raises(plugin_options.BadOptions):
        plugin_options.read(github, given)
