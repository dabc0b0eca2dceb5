"""`registrar token create | link | list | revoke`."""

import json
import os
import pwd
from datetime import timedelta

import pytest

from registrar.config.key_generation import LINK_CODE, TOKEN
from registrar.events.event import Actor
from registrar.ledger import Ledger, sign_in_links, tokens
from registrar.ledger.engine import now


def test_a_token_is_printed_alone_and_once(run, record: Ledger):
    made = run("token", "create", "dashboard", "--role", "viewer")
    assert made.exit_code == 0
    assert TOKEN.fullmatch(made.stdout.strip())
    assert "dashboard is viewer, as token:dashboard, until 20" in made.stderr
    with record.read() as connection:
        [kept] = tokens.all_tokens(connection)
        assert tokens.find(connection, tokens.digest(made.stdout.strip())) == kept
    assert (kept.name, kept.role, kept.person) == ("dashboard", "viewer", None)
    assert made.stdout.strip() not in run("token", "list").stdout + run("token", "list", "--json").stdout


def test_it_lasts_90_days_if_nothing_else_is_said(run, record: Ledger):
    run("token", "create", "a", "--role", "viewer")
    run("token", "create", "b", "--role", "viewer", "--expires", "2h")
    run("token", "create", "c", "--role", "viewer", "--expires", "never")
    with record.read() as connection:
        lasts = {
            each.name: each.expires_at and each.expires_at - each.created_at for each in tokens.all_tokens(connection)
        }
    assert lasts == {"a": timedelta(days=90), "b": timedelta(hours=2), "c": None}


def test_a_persons_acts_as_the_person(run, record: Ledger):
    made = run("token", "create", "laptop", "--role", "approver", "--person", "you", "--json")
    told = json.loads(made.stdout)
    assert (told["acts_as"], told["role"], told["state"]) == ("you", "approver", "live")
    assert TOKEN.fullmatch(told["token"])


def test_revoked_it_is_listed_as_that(run, record: Ledger):
    run("token", "create", "ci", "--role", "operator")
    assert run("token", "revoke", "ci").stdout.startswith("ci is revoked since ")
    [listed] = json.loads(run("token", "list", "--json").stdout)
    assert (listed["name"], listed["state"]) == ("ci", "revoked")
    assert "revoked" in run("token", "list").stdout


def test_the_audit_trail_says_who_made_and_who_revoked_it(run, record: Ledger):
    secret = run("token", "create", "ci", "--role", "operator").stdout.strip()
    run("token", "revoke", "ci")
    exported = run("audit", "export", "--format", "jsonl").stdout
    told = [json.loads(line) for line in exported.splitlines()]
    who = pwd.getpwuid(os.getuid()).pw_name
    assert [(each["kind"], each["actor"]) for each in told] == [
        ("token.created", f"local:{who}"),
        ("token.revoked", f"local:{who}"),
    ]
    assert secret not in exported
    assert run("audit", "verify").stdout.startswith("2 entries, intact")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["create", "a b", "--role", "viewer"], "'a b' is no name such as ci-dashboard"),
        (["create", "ä", "--role", "viewer"], "is no name"),
        (["create", "x" * 65, "--role", "viewer"], "is no name"),
        (["create", "ci"], "Missing option '--role'"),
        (["create", "ci", "--role", "admin"], "'admin' is not one of"),
        (["create", "ci", "--role", "viewer", "--expires", "soon"], "'soon' is no length of time such as 90d"),
        (["create", "ci", "--role", "viewer", "--person", "eve"], "eve is not in people of registrar.yml"),
        (["revoke", "ci"], "there is no token ci"),
    ],
)
def test_what_can_not_be_is_said_so(run, record: Ledger, arguments: list[str], said: str):
    result = run("token", *arguments)
    assert (result.exit_code, said in result.stderr) == (2, True), result.stderr
    with record.read() as connection:
        assert list(tokens.all_tokens(connection)) == []


def test_a_name_is_taken_for_good(run, record: Ledger):
    run("token", "create", "ci", "--role", "viewer")
    run("token", "revoke", "ci")
    again = run("token", "create", "ci", "--role", "viewer")
    assert (again.exit_code, again.stdout) == (2, "")
    assert "names are not used twice" in again.stderr


def test_a_person_who_may_nothing_gets_no_token(run, record: Ledger, data):
    config = data / "registrar.yml"
    config.write_text(config.read_text().replace("approvers: [you, ", "approvers: ["))
    result = run("token", "create", "laptop", "--role", "viewer", "--person", "you")
    assert "add them to `access` in registrar.yml first" in result.stderr


def test_none_are_listed_as_none(run, record: Ledger):
    result = run("token", "list")
    assert (result.stdout, "registrar token create makes one" in result.stderr) == ("", True)


def test_a_token_that_would_promise_more_than_its_person_may_is_refused(run, record: Ledger):
    result = run("token", "create", "laptop", "--role", "operator", "--person", "you")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        "registrar: you is approver by registrar.yml, and a person's token never may more than the person: give it "
        "--role approver, or add you to access.operators first\n"
    )
    assert "laptop" not in run("token", "list").stdout


def link_of(printed: str) -> str:
    """The code in a printed link."""
    url = printed.strip()
    assert url.startswith("http")
    address, _, code = url.partition("/signin/link#")
    assert address
    assert LINK_CODE.fullmatch(code)
    return code


def test_a_link_is_printed_alone_and_once(run, record: Ledger):
    made = run("token", "link", "--person", "you")
    assert made.exit_code == 0
    code = link_of(made.stdout)
    with record.read() as connection:
        [kept] = sign_in_links.all_links(connection)
        assert sign_in_links.find(connection, tokens.digest(code)) == kept
    assert (kept.person, kept.expires_at - kept.created_at) == ("you", timedelta(minutes=15))
    assert f"{kept.name} signs you in as approver, once, until 20" in made.stderr
    assert code not in run("token", "list").stdout + run("token", "list", "--json").stdout


def test_a_link_lasts_for_the_minutes_that_it_is_given(run, record: Ledger):
    told = json.loads(run("token", "link", "--person", "you", "--minutes", "60", "--json").stdout)
    assert (told["acts_as"], told["state"], told["role"]) == ("you", "live", None)
    link_of(told["link"])
    with record.read() as connection:
        [kept] = sign_in_links.all_links(connection)
    assert kept.expires_at - kept.created_at == timedelta(minutes=60)


def test_links_are_listed_and_revoked_beside_tokens(run, record: Ledger):
    run("token", "create", "ci", "--role", "viewer")
    run("token", "link", "--person", "you")
    link, token = json.loads(run("token", "list", "--json").stdout)
    assert (token["name"], link["state"], link["acts_as"]) == ("ci", "live", "you")
    assert run("token", "revoke", link["name"]).stdout.startswith(f"{link['name']} is revoked since ")
    [revoked, _] = json.loads(run("token", "list", "--json").stdout)
    assert (revoked["state"], bool(revoked["revoked_at"])) == ("revoked", True)


def test_a_session_of_a_link_is_listed_and_ended(run, record: Ledger):
    name = json.loads(run("token", "link", "--person", "you", "--json").stdout)["name"]
    with record.write() as connection:
        link = sign_in_links.get(connection, name)
        assert link
        assert sign_in_links.use(connection, link, Actor("you", "You"), at=now(), used_from="192.0.2.7")
    assert "signed in" in run("token", "list").stdout
    run("token", "revoke", name)
    assert "ended" in run("token", "list").stdout
    assert run("audit", "verify").stdout.startswith("3 entries, intact")


def test_the_audit_trail_says_who_made_a_link(run, record: Ledger):
    code = link_of(run("token", "link", "--person", "you").stdout)
    exported = run("audit", "export", "--format", "jsonl").stdout
    [told] = [json.loads(line) for line in exported.splitlines()]
    assert (told["kind"], told["actor"]) == ("link.created", f"local:{pwd.getpwuid(os.getuid()).pw_name}")
    assert code not in exported


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["link"], "Missing option '--person'"),
        (["link", "--person", "eve"], "eve is not in people of registrar.yml"),
        (["link", "--person", "you", "--minutes", "0"], "0 is not in the range 1<=x<=60"),
        (["link", "--person", "you", "--minutes", "61"], "61 is not in the range 1<=x<=60"),
        (["revoke", "link:0"], "there is no link link:0"),
    ],
)
def test_a_link_that_can_not_be_is_said_so(run, record: Ledger, arguments: list[str], said: str):
    result = run("token", *arguments)
    assert (result.exit_code, said in result.stderr) == (2, True), result.stderr
    with record.read() as connection:
        assert list(sign_in_links.all_links(connection)) == []


def test_a_person_who_may_nothing_gets_no_link(run, record: Ledger, data):
    config = data / "registrar.yml"
    config.write_text(config.read_text().replace("approvers: [you, ", "approvers: ["))
    result = run("token", "link", "--person", "you")
    assert "add them to `access` in registrar.yml first" in result.stderr


def test_where_browsers_keep_no_session_no_link_is_made(run, record: Ledger, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("REGISTRAR_PUBLIC_URL", "http://registrar.example.com")
    result = run("token", "link", "--person", "you")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "put a proxy with TLS before the receiver" in result.stderr
    monkeypatch.setenv("REGISTRAR_PUBLIC_URL", "https://registrar.example.com/")
    assert run("token", "link", "--person", "you").stdout.startswith("https://registrar.example.com/signin/link#rgl_")
