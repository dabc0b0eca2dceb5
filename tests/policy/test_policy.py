"""What a policy answers."""

from datetime import UTC, datetime

import pytest

from registrar.policy.base_model import matches, most_specific
from registrar.policy.load import parse
from tests.policy.test_load import WHOLE

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
POLICY = parse(
    WHOLE.replace(
        "models:\n", 'models:\n  "*": {artifact_path: any}\n  "taxi-*": {}\n  "taxi-nyc-?": {artifact_path: nyc}\n', 1
    )
)


@pytest.mark.parametrize(
    ("model", "artifact_path"), [("bus", "any"), ("taxi-paris", "model"), ("taxi-nyc-1", "nyc"), ("taxi", "model")]
)
def test_the_most_specific_entry_wins_whole(model, artifact_path):
    assert POLICY.model(model).artifact_path == artifact_path


def test_a_model_that_no_entry_matches_has_no_targets():
    assert parse(WHOLE).model("bus").targets == []


@pytest.mark.parametrize(
    ("event", "model", "granted"),
    [
        ("training_run.finished", "taxi-nyc", True),
        ("training_run.failed", "taxi-nyc", True),
        ("training_run.finished", "bus", False),
        ("training_run.finished", "TAXI-nyc", False),
        ("promotion.approve", "taxi-nyc", False),
        ("training_run.finished", None, False),
    ],
)
def test_a_source_may_send_what_is_granted_and_nothing_else(event, model, granted):
    assert POLICY.sources["ci"].grants(event, model) is granted


def test_events_about_no_model_need_a_grant_on_all():
    everywhere = parse(WHOLE.replace('["taxi-*"]', '["*"]').replace("training_run.*", "experiment.create"))
    assert everywhere.sources["ci"].grants("experiment.create", None)


def test_a_refusal_says_what_is_granted_and_how_to_grant_more():
    said = POLICY.sources["ci"].refusal("ci", "promotion.approve", "bus")
    assert "may not send promotion.approve about bus" in said
    assert "training_run.* on taxi-*" in said
    assert "sources.ci.may" in said


def test_an_account_is_a_person_and_an_unknown_one_is_in_no_group():
    assert POLICY.actor("slack", "T1/U1", "ignored").id == "ada"
    assert POLICY.may_vote("ada", ["leads"], at=NOON)
    stranger = POLICY.actor("slack", "T1/U9", "Ada")
    assert stranger.id == "slack:T1/U9"
    assert not POLICY.may_vote(stranger.id, POLICY.groups, at=NOON)


def test_the_digest_changes_with_what_an_approval_depends_on_and_nothing_else():
    digest = parse(WHOLE).digest("taxi")
    assert parse(WHOLE.replace("kind: log", "kind: slack")).digest("taxi") == digest
    assert parse(WHOLE.replace("alias: challenger", "alias: candidate")).digest("taxi") != digest
    more = WHOLE.replace("leads: [ada]", "leads: [ada, source:ci]")
    assert parse(more).digest("taxi") != digest


def test_each_route_tells_its_channels_once():
    doubled = parse(WHOLE + '  - {outcomes: ["model_version.*"], models: [taxi], to: [log]}\n')
    assert doubled.channels_for("model_version.registered", "taxi") == ["log"]


@pytest.mark.parametrize(
    ("patterns", "name", "expected"),
    [
        (["taxi*", "[a-z]*"], "taxi-9", "taxi*"),
        (["[abcdefghijkl]axi", "*axi"], "baxi", "[abcdefghijkl]axi"),
        (["t?xi", "t*xi"], "taxi", "t?xi"),
        (["*", "?*"], "t", "?*"),
        (["taxi[1]", "taxi*"], "taxi1", "taxi[1]"),
        (["taxi[1]", "taxi*"], "taxi[1]", "taxi[1]"),
        (["taxi[", "tax*"], "taxi[", "taxi["),
        (["bus*"], "taxi", None),
    ],
)
def test_the_entry_that_says_most_of_a_name_wins(patterns, name, expected):
    assert most_specific(patterns, name) == expected
    assert most_specific(patterns[::-1], name) == expected


def test_a_grant_for_a_name_with_brackets_is_for_that_name():
    assert matches(["taxi[1]"], "taxi[1]")
    assert matches(["taxi[12]"], "taxi2")
    assert not matches(["taxi[12]"], "taxi3")
