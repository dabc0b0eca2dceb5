"""Who may what, by registrar.yml."""

from datetime import UTC, datetime

import pytest

from registrar.events.event import Actor
from registrar.policy.access import ROLES, lesser
from registrar.policy.load import PolicyError, parse
from webhooks.auth import Principal
from webhooks.auth.identity import Identity, principal_of

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
LATER = datetime(2026, 12, 30, tzinfo=UTC)
POLICY = """
version: 1
people:
  ada: {name: Ada, delegate: {to: dan, until: 2026-12-24}}
  bob: {name: Bob}
  cyd: {name: Cyd}
  dan: {name: Dan}
  eve: {name: Eve}
groups:
  leads: [ada]
  risk: [bob]
  ops: [cyd]
  team: [ada, bob, cyd, eve]
models:
  taxi:
    targets:
      - {stage: Production, approval: {rules: [{group: leads}], break_glass: {group: risk}}}
"""


def roles(access: str, at: datetime = NOON) -> dict[str, str | None]:
    policy = parse(f"{POLICY}access: {access}\n")
    return {who: policy.role(who, at=at) for who in policy.people}


def test_by_default_nobody_but_who_approves_something():
    assert roles("{}") == {"ada": "approver", "bob": "approver", "cyd": None, "dan": "approver", "eve": None}


def test_a_delegates_time_ends():
    assert roles("{}", at=LATER)["dan"] is None


def test_people_and_groups_have_the_highest_role_that_names_them():
    found = roles("{viewers: [team], approvers: [eve], operators: [ops]}")
    assert found == {"ada": "approver", "bob": "approver", "cyd": "operator", "dan": "approver", "eve": "approver"}


def test_a_viewer_is_no_more():
    assert roles("{viewers: [team]}")["eve"] == "viewer"


def test_an_operators_name_in_a_lower_list_takes_nothing_away():
    assert roles("{viewers: [cyd], operators: [cyd]}")["cyd"] == "operator"


def test_everybody_may_look():
    assert roles('{viewers: ["*"]}', at=LATER)["dan"] == "viewer"


def test_who_is_nobodys_person_has_no_role():
    policy = parse(POLICY + 'access: {viewers: ["*"]}\n')
    assert policy.role("source:ci", at=NOON) is None
    assert policy.role("mallory", at=NOON) is None


@pytest.mark.parametrize(
    ("access", "said"),
    [
        ("{viewers: [mallory]}", "access.viewers.0: 'mallory' is neither in people nor in groups"),
        ("{operators: [ada, ops, opps]}", "access.operators.2: 'opps' is neither in people nor in groups"),
        ('{approvers: ["*"]}', "access.approvers.0: '*' is for viewers alone; name people or groups"),
        ('{operators: ["source:ci"]}', "access.operators.0: 'source:ci' is neither in people nor in groups"),
        ("{admins: [ada]}", "access.admins: unknown key"),
    ],
)
def test_names_that_are_not_there_are_complained_about(access: str, said: str):
    with pytest.raises(PolicyError) as error:
        parse(f"{POLICY}access: {access}\n")
    assert said in str(error.value)


@pytest.mark.parametrize(("has", "may"), [("viewer", 1), ("approver", 2), ("operator", 3)])
def test_each_role_includes_those_before_it(has: str, may: int):
    principal = Principal(Actor("ada", "Ada"), has, "session")
    assert [principal.may(role) for role in ROLES] == [True] * may + [False] * (3 - may)


def test_of_two_roles_the_lesser():
    assert lesser("operator", "viewer") == lesser("viewer", "approver") == "viewer"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (None, "eve@x.org"),
        ("", "eve@x.org"),
        (" \t ", "eve@x.org"),
        (" Eve ", "Eve"),
        ("Ev\u202ee\x00", "Ev?e?"),
        ("x" * 7000, "x" * 250),
        ("\ud83d", "?"),
    ],
)
def test_a_guest_is_called_what_can_be_read(name: str | None, shown: str):
    policy = parse(POLICY + 'access: {viewers: ["*"]}\n')
    identity = Identity("eve@x.org", frozenset({"web"}), name)
    assert principal_of(policy, identity, "proxy", at=NOON).actor == Actor("web:eve@x.org", shown)
