"""The rules that CI's news are read by: patterns that can't run away, searches that MLflow understands."""

import hashlib
import hmac
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from mlflow.utils.search_utils import SearchUtils
from pydantic import TypeAdapter, ValidationError
from werkzeug.test import TestResponse

from registrar.config.key_generation import new_webhook_secret
from registrar.config.settings import Settings
from registrar.events.types import TrainingRunFailed, TrainingRunFinished
from registrar.ledger import Ledger
from tests.webhooks.conftest import Receiver, environ
from webhooks.app import create_app
from webhooks.ci.pattern import MAX_TEXT, OneGroup
from webhooks.ci.training import Ended, Training, data
from webhooks.ingress.source_registry import SourceError

PATTERN = TypeAdapter(OneGroup)
SHA = "5275a45b7e99c7fd7265b790392c10a74101a67a"
TITLE = {"model": "a", "run": {"by": "title", "pattern": "train a ([0-9a-f]+)"}}


def ended(*, succeeded: bool = True, title: str = "") -> Ended:
    return Ended(succeeded, SHA, "workflow Train ended", None, {"title": title, "name": "", "branch": "main"})


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+b",
        "(a){2}",
        "(a|b)",
        "a|(b)",
        r"(a)\1",
        "(?=a)(b)",
        "(?i:a)(b)",
        "((a))",
        "(a)(b)",
        "abc",
        "a*a*a*a*(b)",
        "(a",
        "a)(",
        "[a",
        "(x)[[:a]",
        "(b)\\",
        r"(b)\b",
        "(b{9999})",
        "(" + "a" * 200 + ")",
    ],
)
def test_a_pattern_that_is_not_bounded_is_refused_at_start(pattern: str):
    with pytest.raises(ValidationError):
        PATTERN.validate_python(pattern)


@pytest.mark.parametrize(
    "pattern",
    ["^.*run ([0-9a-f]{32}).*$", "taxi-v([0-9]+)", r"(?P<run_id>\w+)", r"v(\d{1,9})", "([^)]*)", r"\[run ([^\]]+)\]"],
)
def test_a_bounded_pattern_is_taken(pattern: str):
    assert PATTERN.validate_python(pattern) == pattern


@given(st.text(alphabet="ab()[]{}*+?|^$.\\0123,-:=P<>", max_size=30))
def test_whatever_is_taken_ends_soon(pattern: str):
    try:
        rule = Training.model_validate({"model": "m", "run": {"by": "title", "pattern": pattern}})
    except ValidationError:
        return
    began = time.perf_counter()
    data([rule], ended(succeeded=False, title="a" * MAX_TEXT))
    assert time.perf_counter() - began < 1


def test_the_worst_pattern_on_the_longest_text_ends_soon():
    rule = Training.model_validate({"model": "m", "run": {"by": "title", "pattern": "[ab]*[ab]*[ab]*(!)"}})
    began = time.perf_counter()
    data([rule], ended(succeeded=False, title="a" * MAX_TEXT))
    assert time.perf_counter() - began < 1


@pytest.mark.parametrize("tag", ["git_commit", "mlflow.source.git.commit"])
def test_mlflow_understands_the_search_for_a_commit(tag: str):
    rule = Training.model_validate({"model": "m", "run": {"by": "commit", "experiment": "e", "tag": tag}})
    [found] = data([rule], ended())
    assert isinstance(found, TrainingRunFinished)
    assert found.search is not None
    assert SearchUtils.parse_search_filter(found.search.filter_string) == [
        {"type": "tag", "key": tag, "comparator": "=", "value": SHA},
        {"type": "attribute", "key": "status", "comparator": "=", "value": "FINISHED"},
    ]
    [order] = found.search.order_by
    assert SearchUtils.parse_order_by_for_search_runs(order) == ("attribute", "start_time", False)


def test_of_two_models_of_one_workflow_the_one_that_the_title_names_is_meant():
    rules = [
        Training.model_validate(TITLE),
        Training.model_validate({"model": "b", "run": {"by": "title", "pattern": "train b ([0-9a-f]+)"}}),
    ]
    assert [found.registered_model for found in data(rules, ended(title="train b c0ffee"))] == ["b"]
    assert [found.registered_model for found in data(rules, ended(title="train b c0ffee", succeeded=False))] == ["b"]
    both = data(rules, ended(succeeded=False))
    assert [(found.registered_model, isinstance(found, TrainingRunFailed)) for found in both] == [
        ("a", True),
        ("b", True),
    ]


def test_a_title_longer_than_the_bound_names_no_run():
    rule = Training.model_validate({"model": "m", "run": {"by": "title", "pattern": "(a+)"}})
    [found] = data([rule], ended(succeeded=False, title="a" * (MAX_TEXT + 1)))
    assert isinstance(found, TrainingRunFailed)
    assert found.run_id is None


TOKEN = "a-plain-secret-token"
GITLAB = {
    "kind": "gitlab",
    "secrets": ["env:GITLAB"],
    "options": {
        "verify": "secret_token",
        "projects": ["acme/taxi"],
        "training": [{"model": "taxi", "refs": ["main"], "run": {"by": "commit", "experiment": "e"}}],
    },
    "may": [{"events": ["training_run.failed"], "models": ["taxi"]}],
}
PIPELINE = {
    "object_kind": "pipeline",
    "object_attributes": {"id": 1, "ref": "main", "tag": False, "sha": SHA, "status": "failed"},
    "project": {"id": 42, "path_with_namespace": "acme/taxi"},
}


@pytest.fixture
def settings_with(tmp_path: Path) -> Callable[..., Settings]:
    def made(source: dict[str, Any], secret: str = TOKEN) -> Settings:
        values = {**environ(tmp_path), "GITLAB": secret}
        (tmp_path / "registrar.yml").write_text(yaml.safe_dump({"version": 1, "sources": {"ci": source}}))
        return Settings.read(values)

    return made


@pytest.fixture
def gitlab(ledger: Ledger, settings_with: Callable[..., Settings]) -> Receiver:
    settings = settings_with(GITLAB)
    return Receiver(create_app(settings).test_client(), ledger, settings)


def send(receiver: Receiver, content: dict[str, Any], *, token: str = TOKEN) -> TestResponse:
    headers = {"Content-Type": "application/json", "X-Gitlab-Token": token}
    return receiver.post(json.dumps(content).encode(), headers)


def test_a_hook_of_gitlab_is_accepted_and_known_again_by_its_body(gitlab: Receiver):
    assert send(gitlab, PIPELINE).status_code == 202
    assert send(gitlab, PIPELINE).status_code == 200
    assert [event.type for event in gitlab.events()] == ["training_run.failed"]


def test_what_is_not_wanted_is_answered_with_a_200_so_that_gitlab_keeps_the_hook(gitlab: Receiver):
    running = {**PIPELINE, "object_attributes": {**PIPELINE["object_attributes"], "status": "running"}}
    answer = send(gitlab, running)
    assert (answer.status_code, answer.json) == (200, {"events": [], "ignored": "a pipeline that is running"})
    assert gitlab.rejections() == []


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        ({"status": "success"}, 422, "invalid_event"),
        ({**PIPELINE, "object_attributes": {"ref": "main", "tag": False, "status": "failed"}}, 422, "invalid_event"),
        (
            {**PIPELINE, "object_attributes": {**PIPELINE["object_attributes"], "status": "success"}},
            403,
            "not_permitted",
        ),
    ],
)
def test_what_could_not_be_taken_is_a_200_too_and_in_the_record(
    gitlab: Receiver, content: dict[str, Any], status: int, code: str
):
    answer = send(gitlab, content)
    assert answer.status_code == 200
    assert answer.json is not None
    assert answer.json["refused"]
    assert gitlab.rejections() == [("ci", status, code)]
    assert gitlab.events() == []


def test_a_wrong_token_is_a_401_all_the_same(gitlab: Receiver):
    assert send(gitlab, PIPELINE, token=TOKEN[::-1]).status_code == 401
    assert gitlab.rejections() == [("ci", 401, "bad_signature")]


def test_a_plain_token_for_a_signing_source_stops_the_start(settings_with: Callable[..., Settings], ledger: Ledger):
    source = {**GITLAB, "options": {**GITLAB["options"], "verify": "signing_token"}}
    with pytest.raises(SourceError, match=r"sources\.ci: .*options\.verify: secret_token") as caught:
        create_app(settings_with(source))
    assert TOKEN not in str(caught.value)


def test_a_signing_token_as_the_secret_token_stops_the_start(settings_with: Callable[..., Settings], ledger: Ledger):
    """It would be sent with each request."""
    with pytest.raises(SourceError, match=r"sources\.ci: .*options\.verify: signing_token"):
        create_app(settings_with(GITLAB, new_webhook_secret()))


def test_an_unbounded_pattern_stops_the_start(settings_with: Callable[..., Settings], ledger: Ledger):
    rule = {"model": "taxi", "refs": ["main"], "run": {"by": "title", "pattern": "(a+)+"}}
    with pytest.raises(SourceError, match="the group must not be repeated"):
        create_app(settings_with({**GITLAB, "options": {"projects": [1], "training": [rule]}}))


FROM_GITHUB = {
    "kind": "github",
    "secrets": ["env:GITLAB"],
    "options": {"repositories": ["acme/taxi"]},
    "may": [{"events": ["training_run.failed"], "models": ["taxi"]}],
}
DISPATCH = {
    "action": "registrar",
    "client_payload": {"type": "training_run.failed", "data": {"model": "taxi"}},
    "repository": {"id": 616901961, "full_name": "acme/taxi"},
}


@pytest.fixture
def github(ledger: Ledger, settings_with: Callable[..., Settings]) -> Receiver:
    settings = settings_with(FROM_GITHUB)
    return Receiver(create_app(settings).test_client(), ledger, settings)


def dispatch(
    receiver: Receiver, *, event: str = "repository_dispatch", delivery: str = "1", **more: Any
) -> TestResponse:
    body = json.dumps({**DISPATCH, **more}).encode()
    mac = hmac.new(TOKEN.encode(), body, hashlib.sha256).hexdigest()
    headers = {"X-GitHub-Event": event, "X-GitHub-Delivery": delivery, "X-Hub-Signature-256": f"sha256={mac}"}
    return receiver.post(body, {"Content-Type": "application/json", **headers})


def test_a_github_delivery_caught_and_sent_again_under_another_id_is_the_first_one(github: Receiver):
    first, again = dispatch(github), dispatch(github, delivery="2")
    assert (first.status_code, again.status_code) == (202, 200)
    assert first.json == again.json
    assert len(github.events()) == 1


def test_a_github_body_sent_under_another_events_name_is_no_event(github: Receiver):
    assert dispatch(github, event="workflow_run").status_code == 200
    assert dispatch(github, event="push").status_code == 200
    assert github.events() == []


def test_a_report_of_githubs_that_can_not_be_used_is_a_200_too_and_in_the_record(
    ledger: Ledger, settings_with: Callable[..., Settings]
):
    run_id = {"by": "title", "pattern": "run (.+)"}
    rule = {"model": "taxi", "branches": ["main"], "workflows": ["t.yml"], "run": run_id}
    source = {**FROM_GITHUB, "options": {"repositories": ["acme/taxi"], "training": [rule]}}
    settings = settings_with(source)
    receiver = Receiver(create_app(settings).test_client(), ledger, settings)
    home = DISPATCH["repository"]
    run = {"path": "t.yml", "head_branch": "main", "head_sha": SHA, "conclusion": "success", "head_repository": home}
    answer = dispatch(receiver, event="workflow_run", action="completed", workflow={}, workflow_run=run)
    assert answer.status_code == 200
    assert answer.json
    assert "has no MLflow run where options.training looks for it" in answer.json["refused"]
    assert receiver.rejections() == [("ci", 422, "invalid_event")]


def test_words_of_ours_in_a_dispatch_that_are_wrong_are_a_422(github: Receiver):
    assert dispatch(github, client_payload={"type": "training_run.failed", "data": {}}).status_code == 422


def test_a_dispatch_beyond_the_grants_is_a_403(github: Receiver):
    beyond = {"type": "promotion.approve", "data": {"model": "taxi", "version": 3}}
    assert dispatch(github, client_payload=beyond).status_code == 403
    assert github.rejections() == [("ci", 403, "not_permitted")]
