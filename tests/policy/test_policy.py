"""What a policy answers."""

import json
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from registrar.policy.access import same_account
from registrar.policy.base_model import SecretRef, matches, most_specific
from registrar.policy.document import NONE, policy_of
from registrar.policy.gates import Gate
from registrar.policy.lint.patterns import samples
from registrar.policy.load import parse
from registrar.policy.models import ModelPolicy
from registrar.policy.plugin_options import BadOptions
from registrar.policy.routes import Route
from registrar.policy.sources import Grant
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


def test_a_refusal_is_exact_about_no_model_and_about_several_grants():
    ci = POLICY.sources["ci"]
    grants = [Grant(events=["a.*", "b"], models=["*"]), Grant(events=["c"], models=["x", "y"])]
    assert ci.model_copy(update={"may": grants}).refusal("ci", "d", None) == (
        "source ci may not send d; registrar.yml grants it: a.*, b on *; c on x, y. "
        "To allow it, add an entry to sources.ci.may"
    )
    assert "registrar.yml grants it: nothing. To" in ci.model_copy(update={"may": []}).refusal("ci", "d", "m")


STEPS = ModelPolicy.model_validate(
    {
        "targets": [
            {"stage": "Staging", "approval": "automatic"},
            {"stage": "Production", "approval": "automatic"},
        ]
    }
)


def test_a_target_is_found_by_its_stage():
    assert [STEPS.target(stage) for stage in ("Production", "Staging", "Archived")] == [*reversed(STEPS.targets), None]


def test_the_next_targets_are_those_that_ask_by_themselves_and_take_what_is_there():
    staging, production = STEPS.targets
    assert [STEPS.next_targets(stage) for stage in ("None", "Staging", "Production")] == [[staging], [production], []]
    asked = STEPS.model_copy(update={"targets": [staging, production.model_copy(update={"request": "on_request"})]})
    assert asked.next_targets("Staging") == []


@pytest.mark.parametrize(
    ("outcome", "model", "wants"),
    [
        ("training_run.failed", "taxi", True),
        ("training_run.failed", None, True),
        ("training_run.failed", "bus", False),
        ("promotion.requested", "taxi", False),
        ("promotion.requested", None, False),
    ],
)
def test_a_route_wants_its_outcomes_about_its_models(outcome, model, wants):
    route = Route(outcomes=["training_run.*"], models=["taxi"], to=["log"])
    assert route.wants(outcome, model) is wants


def test_wrong_options_are_said_with_their_places():
    error = BadOptions([(("a", 0), "is wrong"), ((), "is empty"), (("a", 0), "is wrong")])
    assert str(error) == "a.0: is wrong; is empty"


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
    narrow = parse(WHOLE.replace('["*"], to', '["*"], models: [taxi], to'))
    assert narrow.channels_for("model_version.registered", "bus") == []


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


STAND_IN = parse(
    """version: 1
people:
  ada: {name: Ada Lovelace, accounts: {web: Ada@Example.com, slack: T1/U1}, delegate: {to: bob, until: 2026-11-22}}
  bob: {name: Bob}
groups: {leads: [ada, source:ci], oncall: [bob]}
sources:
  ci: {kind: standard, secrets: [env:CI]}
  chat: {kind: slack, secrets: [env:CHAT]}
  talk: {kind: slack, secrets: [env:TALK]}
  room: {kind: discord, secrets: [env:ROOM, file:old.key]}
channels:
  team: {kind: slack, url: env:TEAM}
  bots: {kind: slack, url: env:BOTS, buttons: talk}
  game: {kind: discord, url: env:GAME, secret: env:GAME_SECRET}
  book: {kind: log}
models:
  taxi:
    targets:
      - stage: Production
        approval: {rules: [{group: leads}], break_glass: {group: oncall}}
access: {oidc: {issuer: https://login.example.com, client_id: r, client_secret: env:OIDC}}
"""
)


BETTER = {"metric": "rmse", "baseline": "@champion", "greater_is_better": False}


@pytest.mark.parametrize(
    ("who", "at", "excluded", "may"),
    [
        ("ada", NOON, [], True),
        ("ada", NOON, ["ada"], False),
        ("bob", NOON, [], True),
        ("bob", NOON + timedelta(hours=11, minutes=59), [], True),
        ("bob", NOON + timedelta(hours=12), [], False),
        ("bob", NOON, ["ada"], False),
        ("bob", NOON, ["bob"], False),
        ("eve", NOON, [], False),
    ],
)
def test_a_delegate_votes_to_the_end_of_a_day_and_for_nobody_who_is_excluded(who, at, excluded, may):
    assert STAND_IN.may_vote(who, ["leads"], at=at, excluded=frozenset(excluded)) is may


def test_a_vote_may_take_the_seat_of_whoever_it_stands_in_for():
    assert STAND_IN.represented("bob", at=NOON) == {"ada", "bob"}
    assert STAND_IN.represented("ada", at=NOON) == {"ada"}


def test_a_channels_presses_come_by_the_source_that_it_names_or_the_only_one_of_its_kind():
    assert [STAND_IN.presses(channel) for channel in ("team", "bots", "game", "book")] == [None, "talk", "room", None]
    team = STAND_IN.channels["team"].model_copy(update={"buttons": "room"})
    assert STAND_IN.model_copy(update={"channels": {"team": team}}).presses("team") is None


def test_all_secrets_are_listed_once_each():
    assert list(STAND_IN.references()) == [
        *("env:CI", "env:CHAT", "env:TALK", "env:ROOM", "file:old.key"),
        *("env:TEAM", "env:BOTS", "env:GAME", "env:GAME_SECRET", "env:OIDC"),
    ]


def test_an_approval_is_bound_to_the_targets_the_groups_and_what_is_compared():
    content, groups = json.loads(STAND_IN.bound("taxi"))
    assert content.keys() == {"mode", "targets", "compare_content_mb"}
    assert groups == {"leads": ["ada", "source:ci"], "oncall": ["bob"]}
    assert STAND_IN.bound("taxi") == json.dumps([content, groups], sort_keys=True)
    assert len(STAND_IN.digest("taxi")) == 64


def test_an_account_that_people_sign_in_with_is_found_in_any_case_and_of_these_kinds_alone():
    assert STAND_IN.signed_in("ada@example.COM", kinds=["web"]) == "ada"
    assert STAND_IN.signed_in("ada@example.com", kinds=["email"]) is None
    assert STAND_IN.signed_in("T1/U1", kinds=["web", "slack"]) is None


@pytest.mark.parametrize(
    ("kind", "account", "same"),
    [
        ("email", "Ada@Example.com", ("web", "ada@example.com")),
        ("web", "\N{KELVIN SIGN}im", ("web", "\N{KELVIN SIGN}im")),
        ("slack", "T1/U1", ("slack", "T1/U1")),
    ],
)
def test_only_letters_of_ascii_are_the_same_in_any_case(kind: str, account: str, same: tuple[str, str]):
    assert same_account(kind, account) == same


@pytest.mark.parametrize(
    ("gate", "read"),
    [
        ({"metric": "rmse", "op": "<", "threshold": 7}, "rmse < 7"),
        ({"metric": "rmse", "of": "evaluation", "op": ">=", "threshold": 0.5}, "rmse (evaluation) >= 0.5"),
        (BETTER, "rmse better than @champion's"),
        ({**BETTER, "min_absolute_change": 0.5}, "rmse better than @champion's by 0.5"),
        ({**BETTER, "min_relative_change": 0.01}, "rmse better than @champion's by 1 %"),
        (
            {**BETTER, "min_absolute_change": 2, "min_relative_change": 0.1},
            "rmse better than @champion's by 2 and 10 %",
        ),
        ({"tags": ["a", "b"]}, "tagged a, b"),
        ({"tags": ["a"], "by": "ci"}, "tagged a by ci"),
        ({"tags": ["a"], "by": ["ci", "ops"]}, "tagged a by ci or ops"),
        ({"max_age": "7d"}, "trained within 7d"),
        ({"evaluated_within": "7d"}, "evaluated within 7d"),
        ({"signature": "required"}, "with a signature"),
    ],
)
def test_a_gate_is_read_as_what_it_asks_for(gate: dict[str, Any], read: str):
    assert str(TypeAdapter(Gate).validate_python(gate)) == read


@pytest.mark.parametrize("pattern", ["taxi", "t?*", "t[ab]i", "t[a]i", "[!a]axi", "*-[0-9]?", "[]x]*"])
def test_samples_of_a_glob_match_it_and_are_no_globs(pattern: str):
    found = samples(pattern)
    assert all(fnmatchcase(name, pattern) and not set("*?") & set(name) for name in found)
    assert len(found) == (3 if "*" in pattern else 1)
    assert samples("t*")[1] == "t"


def test_a_groups_members_are_read_by_their_names():
    assert STAND_IN.members("leads") == ["Ada Lovelace", "source:ci"]
    assert STAND_IN.members("nobody") == []


def test_the_entry_in_effect_is_named():
    assert [policy_of(POLICY, model) for model in ("taxi-nyc-1", "bus", None)] == ["taxi-nyc-?", "*", NONE]
    assert policy_of(STAND_IN, "bus") == NONE


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("${SLACK_URL}", "did you mean env:SLACK_URL?"),
        ("$SLACK_URL", "did you mean env:SLACK_URL?"),
        ("ENV:SLACK_URL", "did you mean env:SLACK_URL?"),
        ("env = SLACK_URL", "did you mean env:SLACK_URL?"),
        ("${{ secrets.SLACK_URL }}", "did you mean env:SLACK_URL?"),
        (" env: SLACK_URL ", "did you mean env:SLACK_URL?"),
        ("/run/secrets/slack", "did you mean file:/run/secrets/slack?"),
        ("FILE:/var/slack", "did you mean file:/var/slack?"),
        ("/home/ada/slack", "env:NAME or file:/PATH"),
        ("env:", "env:NAME or file:/PATH"),
        ("vault:slack", "env:NAME or file:/PATH"),
        ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "env:NAME or file:/PATH"),
    ],
)
def test_a_secret_that_is_no_reference_is_refused_and_never_shown(written: str, says: str):
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(SecretRef).validate_python(written)
    [error] = caught.value.errors()
    assert error["msg"] == f"Value error, a secret is named here, never written: {says}"


@pytest.mark.parametrize("reference", ["env:SLACK_URL", "file:old.key", "file:/run/secrets/slack"])
def test_a_reference_to_a_secret_is_taken_as_it_is(reference: str):
    assert TypeAdapter(SecretRef).validate_python(reference) == reference
