"""What is special about the generic kind: schemes and mappings that somebody else wrote."""

import contextlib
import hmac
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from standardwebhooks import Webhook

from registrar import plugins
from registrar.policy import Policy
from registrar.policy.installation_check import unsupported_kinds_and_options
from tests.docs.pages import HOW_TO
from tests.sources.captured import FIXTURES, FOLDERS, captures, read, sender
from webhooks.ingress.errors import BadSignature, InvalidEvent
from webhooks.ingress.source_types import Parsed, Request
from webhooks.sources.generic import Options, mapping

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
PRESETS = plugins.kinds("webhooks.sources.generic.presets")
VERIFY = {"how": "bearer"}
RULE = {"type": "training_run.finished", "data": {"model": "'m'", "run_id": "run"}}
COMMIT = "4c8ef2a1b5d04b7e8a1d2f3c4b5a69788796a5b4"


def of_preset(folder: str, payload: Any, **options: Any) -> Parsed:
    """What a preset's captured sender makes of a body, with other options."""
    who, now = sender(folder)
    made = Options.model_validate({**who.context.config.options, **options})
    who = replace(who, context=replace(who.context, options=made))
    return who.normalise(Request({}, json.dumps(payload).encode(), "application/json", now))


def why(parsed: Parsed) -> str:
    """The reason that a body is ignored for."""
    assert not parsed.events
    assert parsed.answer
    assert parsed.answer.status == 200
    return str(parsed.answer.body["ignored"])


def normalise(options: dict[str, Any], payload: Any) -> Parsed:
    who, _ = sender("generic")
    made = Options.model_validate({"verify": VERIFY, "rules": [RULE], **options})
    who = replace(who, context=replace(who.context, options=made))
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return who.normalise(Request({}, body, "application/json", NOW))


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_has_fixtures_and_is_told_of(preset: str):
    assert f"generic.{preset}" in FOLDERS
    told = (HOW_TO / "sources" / "generic.md").read_text(encoding="utf-8")
    assert f"| `{preset.replace('_', '-')}` |" in told


@pytest.mark.parametrize(
    ("folder", "secret", "body", "header", "value"),
    [
        # https://support.atlassian.com/bitbucket-cloud/docs/manage-webhooks/
        (
            "generic.bitbucket",
            "It's a Secret to Everybody",
            b"Hello World!",
            "x-hub-signature",
            "sha256=a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9",
        ),
        # https://circleci.com/docs/guides/integration/outbound-webhooks/#validate-webhooks
        (
            "generic.circleci",
            "secret",
            b"hello world",
            "circleci-signature",
            "v1=734cc62f32841568f45715aeb9f4d7891324e6d948e4c6c60c0621cdac48623a",
        ),
        (
            "generic.circleci",
            "another-secret",
            b"lalala",
            "circleci-signature",
            "v1=daa220016c8f29a8b214fbfc3671aeec2145cfb1e6790184ffb38b6d0425fa00",
        ),
        (
            "generic.circleci",
            "hunter123",
            b"an-important-request-payload",
            "circleci-signature",
            "v1=9be2242094a9a8c00c64306f382a7f9d691de910b4a266f67bd314ef18ac49fa",
        ),
        (
            "generic.circleci",
            "secret",
            b"foo",
            "circleci-signature",
            "v1=773ba44693c7553d6ee20f61ea5d2757a9a4f4a44d2841ae4e95b52e4cd62db4",
        ),
        # computed apart from this code
        (
            "generic.buildkite",
            "309c9c842g8565adecpd7469x6005989",
            b'{"event":"ping"}',
            "x-buildkite-signature",
            "timestamp=1619071700,signature=30c1932039beb7759481ca3804bd2cbe67509de0544765e30a1d99b8bf8bfdae",
        ),
    ],
)
def test_published_vectors_verify(folder: str, secret: str, body: bytes, header: str, value: str):
    who, _ = sender(folder)
    who = replace(who, context=replace(who.context, secrets=(secret,)))
    at = datetime.fromtimestamp(1619071700, UTC)
    who.verify(Request({header: value}, body, "application/json", at))
    with pytest.raises(BadSignature):
        who.verify(Request({header: value}, body + b" ", "application/json", at))


@given(body=st.binary(max_size=200), id=st.from_regex(r"[A-Za-z0-9_-]{1,40}", fullmatch=True))
def test_what_the_standards_library_signs_is_taken_under_svixs_names(body: bytes, id: str):
    who, now = sender("generic.svix")
    text = body.hex()
    signature = Webhook(who.context.secrets[0]).sign(id, now, text)
    headers = {"svix-id": id, "svix-timestamp": str(int(now.timestamp())), "svix-signature": signature}
    assert who.verify(Request(headers, text.encode(), "application/json", now)).delivery_id == id


def test_circleci_counts_its_v1_only():
    who, now = sender("generic.circleci")
    good = hmac.new(who.context.secrets[0].encode(), b"{}", "sha256").hexdigest()
    for header in (f"v2={good}", f"v0={good}", good, f"v1={good},v1={good}", f"v1={good},", f"v1={good}, v2={good}"):
        with pytest.raises(BadSignature):
            who.verify(Request({"circleci-signature": header}, b"{}", "application/json", now))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({}, "needs verify or a preset"),
        ({"verify": VERIFY}, "needs rules or a preset"),
        ({"preset": "travis"}, "there is no preset 'travis'; known: azure_devops, bitbucket"),
        ({"preset": "circleci", "verify": {"how": "none"}}, "'hmac', 'bearer', 'basic', 'token'"),
        ({"verify": VERIFY, "rules": [{**RULE, "when": "a =="}]}, "is not JMESPath"),
        ({"verify": VERIFY, "rules": [{**RULE, "when": ""}]}, "at least 1 character"),
        ({"verify": VERIFY, "rules": [{**RULE, "when": "(" * 400}]}, "rules.0.when"),
        ({"verify": VERIFY, "rules": [{**RULE, "type": "training.done"}]}, "is not an event type; the types are"),
        ({"verify": VERIFY, "rules": [{**RULE, "type": "registry.query"}]}, "is not an event type"),
        ({"verify": VERIFY, "rules": [{**RULE, "data": {"model": "[?"}}]}, "is not JMESPath"),
        ({"verify": VERIFY, "rules": [RULE], "data": {"model": "]"}}, "is not JMESPath"),
        ({"verify": VERIFY, "rules": [RULE], "modle": 1}, "Extra inputs"),
        (
            {"preset": "circleci"},
            "needs branches and workflows: the builds that train the model, such as branches: [main]",
        ),
        ({"preset": "circleci", "workflows": ["train"]}, "preset circleci needs branches: the builds"),
        (
            {"preset": "azure-devops", "branches": ["main"]},
            'workflows: [train], the name of the pipeline; ["*"] takes all',
        ),
        ({"preset": "gitea", "branches": [], "workflows": ["*"]}, "branches: List should have at least 1 item"),
        ({"preset": "gitea", "branches": "main", "workflows": ["*"]}, "branches: Input should be a valid list"),
        ({"preset": "svix", "branches": ["main"]}, "rules have their own `when`"),
        ({"preset": "circleci", "rules": [RULE], "branches": ["main"]}, "rules have their own `when`"),
        ({"preset": "circleci", "branches": ["*"], "workflows": ["*"], "when": "a =="}, "is not JMESPath"),
    ],
)
def test_options_that_can_not_be_meant_are_refused_at_start(options: dict[str, Any], says: str):
    with pytest.raises(ValidationError) as caught:
        Options.model_validate(options)
    shown = "; ".join(f"{'.'.join(map(str, error['loc']))}: {error['msg']}" for error in caught.value.errors())
    assert says in shown


@pytest.mark.parametrize("preset", [preset for preset in PRESETS if preset != "svix"])
def test_a_registrar_yml_of_before_is_refused_by_check_config_too_with_what_to_write(preset: str):
    options = {"preset": preset, "data": {"model": "'taxi'"}, "run": {"by": "commit", "experiment": "taxi"}}
    said = {"kind": "generic", "secrets": ["env:SECRET"], "options": options}
    [(place, sentence)] = unsupported_kinds_and_options(Policy.model_validate({"version": 1, "sources": {"ci": said}}))
    assert place == ("sources", "ci", "options")
    assert "branches: [main] and workflows: [train]" in sentence
    wanted = {**options, "branches": ["main"], "workflows": ["train"]}
    assert not unsupported_kinds_and_options(
        Policy.model_validate({"version": 1, "sources": {"ci": {**said, "options": wanted}}})
    )


@pytest.mark.parametrize(
    ("search", "says"),
    [
        ("{experiment: 'e', filter_string: 'metrics.rmse is small'}", "a comparison is like metrics.rmse < 7"),
        ("{experiment: name, filter_string: 'attributes.owner = x'}", "is not understood"),
        ("{experiment: 'e', order_by: ['datasets.name']}", "does not order by datasets"),
    ],
)
def test_a_search_that_mlflow_can_not_do_is_refused_at_start(search: str, says: str):
    rule = {"type": "training_run.finished", "data": {"model": "'m'", "search": search}}
    with pytest.raises(ValidationError, match=says):
        Options.model_validate({"verify": VERIFY, "rules": [rule]})


@pytest.mark.parametrize("search", ["search", "{experiment: name, filter_string: join('', ['metrics.', metric])}"])
def test_one_that_the_payload_says_is_judged_when_it_comes(search: str):
    rule = {"type": "training_run.finished", "data": {"model": "'m'", "search": search}}
    said = {"experiment": "e", "name": "e", "metric": "rmse is small", "filter_string": "metrics.rmse is small"}
    with pytest.raises(InvalidEvent, match="a comparison is like"):
        normalise({"rules": [rule]}, {**said, "search": {name: said[name] for name in ("experiment", "filter_string")}})


def test_the_users_data_goes_before_the_rules_and_only_where_an_event_has_the_field():
    data = {"model": "name", "run_id": "'r1'", "artifact_path": "'forest'"}
    failed = {"when": "!ok", "type": "training_run.failed", "data": {"reason": "why"}}
    options = {"rules": [failed, RULE], "data": data}
    [event] = normalise(options, {"name": "taxi", "ok": True}).events
    assert (event.data.model, event.data.run_id, event.data.artifact_path) == ("taxi", "r1", "forest")
    [event] = normalise(options, {"name": "taxi", "ok": False, "why": "no data"}).events
    assert (event.type, event.data.model, event.data.reason) == ("training_run.failed", "taxi", "no data")


def test_a_run_is_found_by_the_commit_and_by_nothing_that_only_looks_like_one():
    rule = {"type": "training_run.finished", "data": {"model": "'m'", "run_id": "run", "commit": "commit"}}
    options = {"rules": [rule], "run": {"by": "commit", "experiment": "exp"}}
    [event] = normalise(options, {"commit": COMMIT}).events
    assert event.data.search.filter_string == f"tags.git_commit = '{COMMIT}' AND attributes.status = 'FINISHED'"
    [event] = normalise(options, {"commit": COMMIT, "run": "r1"}).events
    assert (event.data.run_id, event.data.search) == ("r1", None)
    for nothing in ("", "  ", None):  # a variable of CI that is not set
        [event] = normalise(options, {"commit": COMMIT, "run": nothing}).events
        assert event.data.search is not None
    for commit in ("main", COMMIT[:7], COMMIT + "' OR '1'='1", None, 7, [COMMIT], COMMIT.upper()):
        with pytest.raises(InvalidEvent, match="not a commit's SHA"):
            normalise(options, {"commit": commit})


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"run": None},
        {"run": ["r"]},
        {"run": {"id": 1}},
        {"run": True},
        {"run": "../../x"},
        {"run": "a" * 10_000},
    ],
)
def test_a_payload_that_names_no_run_is_refused_with_the_field(payload: dict[str, Any]):
    with pytest.raises(InvalidEvent, match="run_id"):
        normalise({}, payload)


@pytest.mark.parametrize("id", [None, "", 7, "a b", "x" * 201, "\u00e9", ["x"]])
def test_a_delivery_id_that_is_none_is_refused(id: Any):
    with pytest.raises(InvalidEvent, match="must be the delivery's id"):
        normalise({"delivery_id": "id"}, {"run": "r1", "id": id})


EXPRESSIONS = [
    "join(', ', names)",
    "sort_by(names, &key)",
    "max_by(names, &key)",
    "sort(names)",
    "to_number(names)",
    "abs(names)",
    "sum(names)",
    "avg(names)",
    "keys(names)",
    "names[].a[].b[*].c | [0]",
    "names[?a > `1` && b < c]",
    "map(&a.b, names)",
    "merge(names, names)",
    "reverse(names)",
    "from_items(names)",
    "names[::-1]",
    "length(names)",
    "contains(names, 'a')",
    "not_null(names, a, b)",
    "to_string(names)",
]
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=12,
)


@given(names=values, expression=st.sampled_from(EXPRESSIONS))
def test_no_payload_gets_more_than_a_4xx_out_of_an_expression(names: Any, expression: str):
    with contextlib.suppress(InvalidEvent):
        mapping.value(expression, {"names": names})


@pytest.mark.parametrize("number", ["9" * 5000, "1" + "0" * 400])
def test_a_text_that_is_a_huge_number_is_refused_where_a_number_is_wanted(number: str):
    rule = {"when": "to_number(n) > `1`", **RULE}
    with contextlib.suppress(InvalidEvent):
        normalise({"rules": [rule]}, {"n": number, "run": "r1"})


CI = sorted(folder for folder in FOLDERS if folder.startswith("generic.") and folder != "generic.svix")
BODIES = {path: json.loads(read(path).request.body) for path in captures() if path.parent.name in CI}
TRAINED = [path for path in BODIES if json.loads(path.with_suffix(".json").read_text())["events"]]


def named(paths: list[Path]) -> list[Any]:
    return [pytest.param(path, id=f"{path.parent.name}/{path.stem}") for path in paths]


@pytest.mark.parametrize("path", named(TRAINED))
def test_a_build_of_another_branch_or_workflow_is_ignored_by_name(path: Path):
    folder, body = path.parent.name, BODIES[path]
    assert "none of options.branches" in why(of_preset(folder, body, branches=["other"])) or "any_branch" in folder
    assert "none of options.workflows" in why(of_preset(folder, body, workflows=["other"]))
    assert of_preset(folder, body, branches=["m*n", "*"], workflows=["*"]).events
    assert "of options.when" in why(of_preset(folder, body, when="nothing.of == 'this'"))
    assert "of options.when" in why(of_preset(folder, body, when="starts_with(nothing, 'of this')"))
    unreadable = {"model": "join('-', nothing)"}
    assert "of options.when" in why(of_preset(folder, body, when="nothing", data=unreadable))
    with pytest.raises(InvalidEvent, match="be applied to the payload"):
        of_preset(folder, body, data=unreadable)


@pytest.mark.parametrize("folder", CI)
def test_what_another_product_sends_is_ignored_by_name(folder: str):
    """So is every event of the product's own that has no name here yet."""
    own = folder.partition("_any")[0]
    for path, body in BODIES.items():
        if not path.parent.name.startswith(own):
            assert why(of_preset(folder, body, branches=["*"], workflows=["*"]))


def spoiled(body: Any, spoil: Callable[[Any], Any]) -> Any:
    if isinstance(body, dict):
        return {key: spoil(spoiled(value, spoil)) for key, value in body.items()}
    return [spoiled(item, spoil) for item in body] if isinstance(body, list) else body


@settings(max_examples=200)
@given(path=st.sampled_from(sorted(BODIES)), random=st.randoms(use_true_random=False))
def test_no_field_of_a_body_that_lacks_or_is_of_another_kind_is_held_against_it(path: Path, random: Random):
    """Only a build that trained, and names neither run nor commit, can't be used, which tells the operator."""
    strange = [None, "", "  ", 0, True, [], {}, ["x"], {"x": None}, "\u202e", "x" * 300, 10**18]
    body = spoiled(BODIES[path], lambda value: random.choice(strange) if random.random() < 0.07 else value)
    try:
        parsed = of_preset(path.parent.name, body)
    except InvalidEvent as error:
        assert "has no run" in error.detail or "run_id" in error.detail or "commit" in error.detail  # noqa: PT017
        return
    assert parsed.events or why(parsed)


def test_a_build_that_can_not_be_used_is_told_with_a_200_and_what_rules_read_with_a_422():
    """As of GitHub: whoever posted it composed nothing, and Azure DevOps switches off a hook that is refused."""
    body = {"event": "build.finished", "pipeline": {"slug": "taxi-train"}}
    body["build"] = {"state": "passed", "commit": "HEAD", "branch": "main"}  # type: ignore[assignment]
    who, _ = sender("generic.buildkite")
    request = Request({}, b"{}", "application/json", NOW)
    with pytest.raises(InvalidEvent, match="has no run") as caught:
        of_preset("generic.buildkite", body)
    assert who.refusal_body(request, caught.value) == {"events": [], "refused": caught.value.detail}
    with pytest.raises(InvalidEvent, match="run_id") as caught:
        normalise({}, {"run": 7})
    assert who.refusal_body(request, caught.value) is None


ANY = {"branches": ["*"], "workflows": ["*"]}


@pytest.mark.parametrize(
    ("folder", "change"),
    [
        ("azure_devops", lambda p: p["resource"].update(reason="validateShelveset")),
        ("azure_devops", lambda p: p["resource"].update(reason="checkInShelveset")),
        ("azure_devops", lambda p: p["resource"].update(triggerInfo={"pr.isFork": "True"})),
        ("buildkite", lambda p: p["build"].update(branch="octocat:main")),
        ("circleci", lambda p: p["pipeline"].update(vcs={"revision": COMMIT, "branch": "pull/17/head"})),
        (
            "circleci",
            lambda p: p.update(
                pipeline={
                    "trigger_parameters": {
                        "git": {"ref": "refs/heads/main", "branch": "main", "checkout_sha": COMMIT},
                        "github_app": {"ref": "refs/pull/5/merge"},
                    }
                }
            ),
        ),
        ("jenkins", lambda p: p["build"]["parameters"].update(pullRequestId="7")),
        ("jenkins", lambda p: p["build"]["parameters"].update(GERRIT_EVENT_TYPE="patchset-created")),
    ],
)
def test_what_is_proposed_trains_nothing_whatever_branches_are_taken(folder: str, change: Any):
    trained = a_training(folder)
    change(trained)
    assert "which is not" in (said := why(of_preset(f"generic.{folder}", trained, **ANY))) or "fork" in said


def test_what_gerrit_has_merged_is_a_training():
    body = a_training("jenkins")
    body["build"]["parameters"]["GERRIT_EVENT_TYPE"] = "change-merged"
    assert of_preset("generic.jenkins", body, **ANY).events


def a_training(folder: str) -> Any:
    """The first captured body that is one."""
    captured = (json.loads(read(path).request.body) for path in sorted((FIXTURES / f"generic.{folder}").glob("*.http")))
    found = next(body for body in captured if of_preset(f"generic.{folder}", body, **ANY).events)
    if folder == "jenkins":
        found["build"].setdefault("parameters", {})
    return found


@pytest.mark.parametrize("id", [None, "", 7, "a b", ["x"]])
def test_a_presets_delivery_id_may_lack(id: Any):
    path = FIXTURES / "generic.circleci" / "workflow_completed__success.http"
    assert of_preset("generic.circleci", {**BODIES[path], "id": id}).delivery_id is None


def test_a_when_that_is_only_truthy_is_not_met():
    """JMESPath calls any text true; a rule asks for a comparison."""
    assert normalise({"rules": [{**RULE, "when": "run"}]}, {"run": "r1"}).events == ()


def test_a_when_that_can_not_be_asked_of_a_body_is_not_met():
    """An event of another shape is ignored; it is no mistake of its sender's."""
    rule = {**RULE, "when": "starts_with(event, 'trained')"}
    assert "no rule" in why(normalise({"rules": [rule]}, {"run": "r1"}))
    assert normalise({"rules": [rule]}, {"run": "r1", "event": "trained well"}).events
