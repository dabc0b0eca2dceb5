"""Whoever bears a token is who it says, as long as it is live; and who bears a wrong one is nobody."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, text

from registrar.config.key_generation import new_token
from registrar.events.event import Actor
from registrar.ledger import tokens
from registrar.ledger.engine import now
from registrar.ledger.tables import events
from registrar.ledger.tokens import Token
from registrar.policy.access import Role
from tests.auth.conftest import LOCAL, POLICY, Make, Site
from webhooks import caches
from webhooks.api import journal_export
from webhooks.auth import bearer_tokens

ADA = Actor("local:ada", "ada on host")
PUBLIC = "http://registrar.example.com"
AWAY = {"base_url": PUBLIC, "environ_base": {"REMOTE_ADDR": "203.0.113.9"}}


def given(site: Site, name: str = "ci", role: Role = "operator", **more: Any) -> dict[str, str]:
    """The header of a new token."""
    secret = new_token()
    with site.ledger.write() as connection:
        kept = {"person": None, "created_at": now(), **more}
        tokens.create(connection, Token(name, tokens.digest(secret), role, **kept), ADA)
    return {"Authorization": f"Bearer {secret}"}


def test_its_bearer_is_a_machine_of_its_name_from_anywhere(make: Make):
    site = make()
    answer = site.client.get("/try", headers=given(site), **AWAY)
    assert (answer.status_code, answer.json["who"], answer.json["by"]) == (200, "token:ci", "token")


def test_nothing_is_asked_of_it_that_a_form_is(make: Make):
    site = make()
    headers = {**given(site), "Origin": "https://elsewhere.example"}
    assert site.client.post("/try", headers=headers, **AWAY).status_code == 200


@pytest.mark.parametrize(("role", "status"), [("viewer", 403), ("approver", 403), ("operator", 200)])
def test_it_may_what_its_role_may(make: Make, role: Role, status: int):
    site = make()
    assert site.client.get("/try", headers=given(site, role=role), **AWAY).status_code == status
    assert site.client.get("/v1/events", headers=given(site, "other", role), **AWAY).status_code == 200


def test_a_persons_token_acts_as_the_person(make: Make):
    site = make(policy=f"{POLICY}access: {{operators: [bob]}}\n")
    answer = site.client.get("/try", headers=given(site, person="bob"), **AWAY)
    assert (answer.json["who"], answer.json["by"]) == ("bob", "token")


@pytest.mark.parametrize(
    ("access", "person", "status"),
    [
        ("{viewers: [bob]}", "bob", 403),
        ("{}", "ada", 403),
        ("{}", "bob", 401),
        ("{operators: [bob]}", "gone", 401),
    ],
)
def test_a_persons_token_never_may_more_than_the_person(make: Make, access: str, person: str, status: int):
    site = make(policy=f"{POLICY}access: {access}\n")
    assert site.client.get("/try", headers=given(site, role="operator", person=person), **AWAY).status_code == status


@pytest.mark.parametrize(
    "authorization",
    [
        "Bearer",
        "Bearer ",
        "Bearer rgt_short",
        f"Bearer {new_token()}",
        f"Bearer {new_token()}x",
        f"Bearer {new_token()} {new_token()}",
        f"Token {new_token()}",
        "Basic YWRhOnNlY3JldA==",
        "Bearer \xff\xfe",
        "Bearer ' OR 1=1 --",
    ],
    ids=["none", "empty", "short", "unknown", "long", "two", "another scheme", "basic", "no text", "sql"],
)
def test_a_wrong_one_is_401_even_here(make: Make, authorization: str):
    """Who shows a token is its bearer or nobody, though they sit at this machine."""
    answer = make(operator="ada").client.get("/try", base_url=LOCAL, headers={"Authorization": authorization})
    assert (answer.status_code, answer.json["code"]) == (401, "not_signed_in")
    assert answer.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'


def test_a_token_in_the_address_is_nobodys(make: Make):
    site = make()
    secret = given(site)["Authorization"].removeprefix("Bearer ")
    for name in ("token", "access_token", "authorization"):
        assert site.client.get(f"/try?{name}={secret}", **AWAY).status_code == 401


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Called with a timedelta: from then on it is that much later, by both clocks."""
    monotonic, wall = caches.time.monotonic, now

    def shift(by: timedelta) -> None:
        monkeypatch.setattr(caches.time, "monotonic", lambda: monotonic() + by.total_seconds())
        monkeypatch.setattr(bearer_tokens, "now", lambda: wall() + by)

    return shift


def test_revoked_it_is_worth_nothing_as_soon_as_what_is_remembered_is_old(make: Make, later: Any):
    site = make()
    headers = given(site)
    assert site.client.get("/try", headers=headers, **AWAY).status_code == 200
    with site.ledger.write() as connection:
        tokens.revoke(connection, "ci", ADA, at=now())
    later(timedelta(seconds=caches.TTL + 0.001))
    answer = site.client.get("/try", headers=headers, **AWAY)
    assert (answer.status_code, answer.json["detail"]) == (
        401,
        "the token ci is revoked; `registrar token create` makes another",
    )


def test_what_is_remembered_is_not_believed_for_longer_by_being_used(make: Make, monkeypatch: pytest.MonkeyPatch):
    site = make()
    headers = given(site)
    clock = [1000.0]
    monkeypatch.setattr(caches.time, "monotonic", lambda: clock[0])
    assert site.client.get("/try", headers=headers, **AWAY).status_code == 200
    with site.ledger.write() as connection:
        tokens.revoke(connection, "ci", ADA, at=now())
        connection.execute(text("UPDATE tokens SET used_at = NULL"))
    for _ in range(4):
        clock[0] += caches.TTL / 4 + 0.001
        last = site.client.get("/try", headers=headers, **AWAY).status_code
    assert last == 401


def test_expired_it_is_worth_nothing(make: Make, later: Any):
    site = make()
    headers = given(site, expires_at=now() + timedelta(days=1))
    assert site.client.get("/try", headers=headers, **AWAY).status_code == 200
    later(timedelta(days=1))
    assert "is expired" in site.client.get("/try", headers=headers, **AWAY).json["detail"]


def used_at(site: Site) -> datetime | None:
    with site.ledger.read() as connection:
        [token] = tokens.all_tokens(connection)
    return token.used_at


def test_when_it_was_used_is_noted(make: Make):
    site = make()
    headers = given(site)
    assert used_at(site) is None
    site.client.get("/try", headers=headers, **AWAY)
    first = used_at(site)
    assert first is not None
    site.client.get("/try", headers=headers, **AWAY)
    assert used_at(site) == first


def test_a_ledger_that_can_not_be_written_refuses_nobody_who_only_asks(make: Make):
    site = make()
    headers = given(site)
    with site.ledger.write():  # kept for longer than a writer waits
        assert site.client.get("/try", headers=headers, **AWAY).status_code == 200


@pytest.mark.usefixtures("within_one_minute")
def test_guessing_is_bounded_and_locks_nobody_out(make: Make, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bearer_tokens, "WRONG", "3/minute")
    site = make()
    good = given(site)
    guesses = [site.client.get("/try", headers={"Authorization": f"Bearer {new_token()}"}, **AWAY) for _ in range(5)]
    assert [guess.status_code for guess in guesses] == [401, 401, 401, 429, 429]
    assert site.client.get("/try", headers=good, **AWAY).status_code == 200


@pytest.mark.usefixtures("within_one_minute")
def test_beyond_the_limit_guesses_cost_no_look_at_the_ledger(make: Make, monkeypatch: pytest.MonkeyPatch):
    site = make()
    looks: list[str] = []
    read = type(site.ledger).read
    monkeypatch.setattr(type(site.ledger), "read", lambda self: looks.append("") or read(self))
    good = given(site)
    guesses = [
        site.client.get("/try", headers={"Authorization": f"Bearer {new_token()}"}, **AWAY).status_code
        for _ in range(200)
    ]
    assert (guesses.count(401), guesses.count(429)) == (30, 170)
    assert len(looks) <= 30 + 5  # and one in two seconds
    assert site.client.get("/try", headers=good, **AWAY).status_code == 200
    elsewhere = {**AWAY, "environ_base": {"REMOTE_ADDR": "203.0.113.10"}}
    assert site.client.get("/try", headers=given(site, "new"), **elsewhere).status_code == 200


@pytest.mark.usefixtures("within_one_minute")
def test_beyond_the_limit_a_new_token_gets_through_in_two_seconds(
    make: Make, monkeypatch: pytest.MonkeyPatch, later: Any
):
    monkeypatch.setattr(bearer_tokens, "WRONG", "1/minute")
    site = make()
    for _ in range(3):
        site.client.get("/try", headers={"Authorization": f"Bearer {new_token()}"}, **AWAY)
    good = given(site)
    later(timedelta(seconds=caches.TTL + 0.001))
    assert site.client.get("/try", headers=good, **AWAY).status_code == 200


@pytest.mark.parametrize(
    "shown",
    [
        "Bearer  {}",
        "Bearer\t{}",
        "bearer   {}",
        " Bearer {}",
        "Bearer {} ",
        "BEARER {}",
        "Bearer: {}",
        "Bearer={}",
        "Bearer,{}",
        'Bearer "{}"',
        "Token {}",
        "{}",
        "Basic x, Bearer {}",
        "Bearer x, Bearer {}",
        "Bearer {},",
        "Bearer\xa0{}",
        "Bearer",
        "Bearer ",
        "Bearer  ",
        "Bearer x",
        "Bearer  x",
        "bearer\tx",
    ],
)
@pytest.mark.parametrize("known", [True, False])
def test_who_shows_a_token_is_its_bearer_or_nobody_and_never_the_cookies_person(
    make: Make, shown: str, known: bool, monkeypatch: pytest.MonkeyPatch
):
    site = make(operator="ada")
    secret = given(site, role="viewer")["Authorization"].removeprefix("Bearer ") if known else new_token()
    asked = site.asked(headers={"Authorization": shown.format(secret)})
    monkeypatch.setattr(site.access.sessions, "find", lambda _: pytest.fail("the cookie was asked"))
    with site.app.app_context():
        who = site.access.principal(asked)
    assert who is None or (known, who.by, who.role) == (True, "token", "viewer")
    if shown.startswith("Bearer  "):
        assert who is None


@pytest.mark.parametrize("shown", ["Basic YWRhOnNlY3JldA==", "Negotiate YII", "Digest x", ""])
def test_another_scheme_is_left_to_the_proxy_that_asked_for_it(make: Make, shown: str):
    """One in front may ask for a password by itself, and pass on what it was told."""
    site = make(operator="ada")
    found: list[str] = []
    site.access.sessions.find = lambda _: found.append("") and None  # type: ignore[method-assign]
    with site.app.app_context():
        site.access.principal(site.asked(headers={"Authorization": shown}))
    assert found == [""]


def test_nobody_takes_all_places_of_those_who_export(make: Make):
    site = make()
    reading = [site.client.get("/v1/audit", headers=given(site, name), buffered=False, **AWAY) for name in ("a", "b")]
    greedy = given(site, "greedy", role="viewer")
    statuses = []
    for _ in range(2 * journal_export.AT_ONCE):
        reading.append(site.client.get("/v1/audit", headers=greedy, buffered=False, **AWAY))
        statuses.append(reading[-1].status_code)
    assert (statuses.count(200), statuses[-1]) == (journal_export.MOST_PER_PERSON, 429)
    assert "2 exports of yours" in reading[-1].json["detail"]
    assert site.client.get("/v1/audit", headers=given(site, "other"), **AWAY).status_code == 200
    for answer in reading:
        answer.close()
    assert site.client.get("/v1/audit", headers=greedy, **AWAY).status_code == 200


def test_places_to_export_are_bounded_and_come_free(make: Make):
    site = make()
    reading = [
        site.client.get("/v1/audit", headers=given(site, f"reader-{nth}"), buffered=False, **AWAY)
        for nth in range(journal_export.AT_ONCE)
    ]
    more = given(site, "more")
    assert site.client.get("/v1/audit", headers=more, **AWAY).status_code == 429
    reading[0].close()
    reading[0].close()
    again = [site.client.get("/v1/audit", headers=more, buffered=True, **AWAY).status_code for _ in range(3)]
    assert again == [200] * 3


def test_the_record_says_which_token_it_was(make: Make):
    site = make(policy=f"{POLICY}access: {{operators: [bob]}}\n")
    who = site.access.principal(site.asked(headers=given(site, "laptop", person="bob")))
    assert who is not None
    site.commands.submit(who, "experiment.create", {"name": "e"}, key="k")
    with site.ledger.read() as connection:
        [event] = connection.execute(select(events)).all()
    assert (event.actor, event.delivery_id) == ("bob", "token:laptop/bob/k")


def test_a_token_is_shown_by_nothing_that_holds_it(make: Make):
    site = make()
    headers = given(site)
    secret = headers["Authorization"].removeprefix("Bearer ")
    who = site.access.principal(site.asked(headers=headers))
    with site.ledger.read() as connection:
        [kept] = tokens.all_tokens(connection)
    assert secret not in repr([who, kept, replace(kept, role="viewer")])
