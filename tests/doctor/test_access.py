"""Whoever is let in without a login has a line, and so has a network that is trusted too much."""

import re
import socket
from typing import Any

import pytest

from registrar.events.event import Actor
from registrar.ledger import Ledger, tokens
from registrar.ledger.engine import now
from tests.doctor.conftest import NOWHERE, POLICY, Pages, SiteOf, looked, troubles

ELSEWHERE = "https://nowhere.invalid"
OIDC = "access: {oidc: {issuer: https://login.example.com, client_id: x, client_secret: env:X}}"
SHOWN = {"digest": "x", "document": {"sources": {"ci": {}}}, "model": None}
OTHERS = {"digest": "x", "document": {"sources": {"other": {}}}, "model": None}


def known(policy: str = OIDC) -> str:
    return f"{POLICY}\n{policy}\n"


def by_name(pages: Pages) -> str:
    """The server's address, by a name of this machine that its text does not give away."""
    return pages.root.replace("127.0.0.1", "127.1")


def test_at_this_machines_address_who_sits_there_is_let_in(site: SiteOf, pages: Pages):
    pages.say("/v1/policy", SHOWN)
    [found] = looked("access", site(REGISTRAR_PUBLIC_URL=pages.root, REGISTRAR_LOCAL_OPERATOR="ada"))
    assert (found.level, "acts as the local operator, ada" in found.seen) == ("ok", True)
    assert pages.heard == []


def test_where_no_public_address_is_set_a_proxy_would_let_everybody_in(site: SiteOf):
    [(level, seen, do)] = troubles("access", site(REGISTRAR_PUBLIC_URL=""))
    assert (level, "can read everything without a login" in seen, "proxy" in do) == ("warn", True, True)


@pytest.mark.parametrize("slash", ["", "/"])
def test_one_that_asks_who_is_there_has_no_trouble(site: SiteOf, pages: Pages, slash: str):
    pages.say("/v1/policy", {"code": "not_signed_in"}, status=401)
    at = site(known(), REGISTRAR_PUBLIC_URL=by_name(pages) + slash, REGISTRAR_LOCAL_URL=pages.root + slash)
    assert troubles("access", at) == []
    assert [("Authorization" in heard, "Cookie" in heard) for heard in pages.heard] == [(False, False)] * 2
    assert pages.heard[1]["Host"].startswith("127.0.0.1:")


@pytest.mark.parametrize(
    ("operator", "says"),
    [("ada", "acts as the local operator, ada"), ("", "anyone who reaches it can read everything")],
)
def test_one_that_lets_everybody_in_fails(site: SiteOf, pages: Pages, operator: str, says: str):
    pages.say("/v1/policy", SHOWN)
    at = site(
        known(), REGISTRAR_PUBLIC_URL=by_name(pages), REGISTRAR_LOCAL_OPERATOR=operator, REGISTRAR_LOCAL_URL=NOWHERE
    )
    [(level, seen, do)] = troubles("access", at)
    assert (level, says in seen) == ("FAIL", True)
    assert f"Restart the receiver with REGISTRAR_PUBLIC_URL={by_name(pages)}" in do


def test_a_long_policy_is_seen_too(site: SiteOf, pages: Pages):
    pages.say("/v1/policy", {**SHOWN, "more": "x" * 300_000})
    at = site(known(), REGISTRAR_PUBLIC_URL=by_name(pages), REGISTRAR_LOCAL_URL=NOWHERE)
    assert [level for level, *_ in troubles("access", at)] == ["FAIL"]


@pytest.mark.parametrize(
    ("status", "body", "headers"),
    [
        (200, "<h1>Sign in</h1>", {}),
        (302, "", {"Location": "/elsewhere"}),
        (403, "", {}),
        (404, "", {}),
        (502, "", {}),
    ],
)
def test_a_proxys_own_answer_lets_nobody_in_and_is_not_followed(
    site: SiteOf, pages: Pages, status: int, body: Any, headers: dict[str, str]
):
    pages.say("/v1/policy", body, status=status, **headers)
    pages.say("/elsewhere", SHOWN)
    at = site(known(), REGISTRAR_PUBLIC_URL=by_name(pages), REGISTRAR_LOCAL_URL=NOWHERE)
    assert troubles("access", at) == []
    assert len(pages.heard) == 1


def test_a_receiver_that_was_started_without_the_public_address_fails(site: SiteOf, pages: Pages):
    pages.say("/v1/policy", SHOWN)
    at = site(known(), REGISTRAR_PUBLIC_URL=ELSEWHERE, REGISTRAR_LOCAL_URL=pages.root)
    [(level, seen, _)] = troubles("access", at)
    assert (level, f"started without REGISTRAR_PUBLIC_URL={ELSEWHERE}" in seen) == ("FAIL", True)


@pytest.mark.parametrize("body", [OTHERS, [], {"digest": "x"}, "It works!"])
def test_what_else_listens_there_is_none_of_ours(site: SiteOf, pages: Pages, body: Any):
    pages.say("/v1/policy", body)
    assert troubles("access", site(known(), REGISTRAR_PUBLIC_URL=ELSEWHERE, REGISTRAR_LOCAL_URL=pages.root)) == []


def test_a_local_address_on_another_machine_is_not_asked(site: SiteOf, pages: Pages):
    at = site(known(), REGISTRAR_PUBLIC_URL=ELSEWHERE, REGISTRAR_LOCAL_URL=by_name(pages))
    assert (troubles("access", at), pages.heard) == ([], [])


def test_this_machine_is_not_asked_through_a_proxy(site: SiteOf, pages: Pages, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("http_proxy", NOWHERE)
    pages.say("/v1/policy", "", status=401)
    found = looked("access", site(known(), REGISTRAR_PUBLIC_URL=ELSEWHERE, REGISTRAR_LOCAL_URL=pages.root))
    assert [one.seen for one in found] == [f"{pages.root} requires a login, also on its own machine"]


def test_one_that_is_silent_is_another_checks_to_say(site: SiteOf):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.1:{silent.getsockname()[1]}"
        assert looked("access", site(known(), REGISTRAR_PUBLIC_URL=url, REGISTRAR_LOCAL_URL=NOWHERE)) == []


def test_where_nobody_can_sign_in_it_says_how_they_could(site: SiteOf, ledger: Ledger):
    at = site(REGISTRAR_PUBLIC_URL=ELSEWHERE, REGISTRAR_LOCAL_URL=NOWHERE)
    [(level, seen, do)] = troubles("access", at)
    assert (level, "nobody can sign in to the pages or the API" in seen) == ("warn", True)
    assert "registrar token create NAME --role operator --person ID" in do
    assert "access.oidc" in do
    with ledger.write() as connection:
        made = tokens.Token("deploy", "x", "operator", None, now())
        tokens.create(connection, made, Actor("test", "test"))
    assert troubles("access", at) == []
    with ledger.write() as connection:
        tokens.revoke(connection, "deploy", Actor("test", "test"), at=now())
    assert len(troubles("access", at)) == 1


@pytest.mark.parametrize(
    ("access", "ways"),
    [
        (OIDC, 0),
        ("access: {trusted_proxy: {networks: [10.0.0.5/32], header: Remote-Email}}", 0),
        ("access: {trusted_proxy: {networks: [10.0.0.5/32]}}", 1),
    ],
)
def test_a_proxy_that_names_nobody_is_no_way_to_sign_in(site: SiteOf, access: str, ways: int):
    assert len(troubles("access", site(known(access), REGISTRAR_PUBLIC_URL=ELSEWHERE))) == ways


def test_a_ledger_that_can_not_be_opened_is_another_checks_to_say(site: SiteOf):
    nowhere = "postgresql+psycopg://u@127.0.0.1:1/x"
    assert looked("access", site(REGISTRAR_PUBLIC_URL=ELSEWHERE, REGISTRAR_LEDGER_URL=nowhere)) == []


@pytest.mark.parametrize(
    ("network", "header", "says"),
    [
        ("10.0.0.0/8", True, None),
        ("203.0.113.9/32", True, None),
        ("2001:db8::/32", True, None),
        ("0.0.0.0/1", True, "a large part of the Internet: every client there can claim any identity in Remote-Email"),
        ("2000::/3", False, "a large part of the Internet: every client there can claim any address"),
        ("127.0.0.0/8", True, "every program on the receiver's machine can claim any identity in Remote-Email"),
        ("127.0.0.1/32", True, "every program on the receiver's machine"),
        ("::1/128", True, "every program on the receiver's machine"),
        ("127.0.0.1/32", False, None),
    ],
)
def test_a_network_that_is_trusted_too_much(site: SiteOf, network: str, header: bool, says: str | None):
    named = ", header: Remote-Email" if header else ""
    found = troubles("access", site(known(f'access: {{trusted_proxy: {{networks: ["{network}"]{named}}}}}')))
    assert [level for level, *_ in found] == (["warn"] if says else [])
    assert all(says in seen for _, seen, _ in found if says)


@pytest.mark.parametrize(
    ("access", "reached"),
    [
        (OIDC, True),
        (OIDC.replace("env:X", "env:X, claim: upn"), False),
        ("access: {trusted_proxy: {networks: [10.0.0.5/32], header: X-Forwarded-Email}}", True),
        ("access: {trusted_proxy: {networks: [10.0.0.5/32], header: Remote-User}}", False),
    ],
)
@pytest.mark.parametrize(("accounts", "listed"), [("email: e@x.org", False), ("email: e@x.org, web: e", True)])
def test_whoever_is_listed_by_an_email_that_nothing_looks_for_has_a_line(
    site: SiteOf, access: str, reached: bool, accounts: str, listed: bool
):
    people = f"people: {{eve: {{name: Eve, accounts: {{{accounts}}}}}}}"
    policy = re.sub(r"(?m)^people:\n(  .*\n)*", "", POLICY)
    found = [seen for _, seen, _ in troubles("access", site(f"{policy}\n{people}\n{access}\n")) if "sign in by" in seen]
    assert bool(found) is not (reached or listed)
    assert all(seen.startswith("eve can't sign in by access.") for seen in found)
