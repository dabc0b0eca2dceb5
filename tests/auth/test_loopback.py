"""Whoever sits at the machine is its operator, and no web page that their browser shows is."""

from typing import Any

import pytest

from registrar.config.key_generation import new_token
from registrar.events.event import Actor
from registrar.ledger import tokens
from registrar.ledger.engine import now
from tests.auth.conftest import LOCAL, Make
from webhooks.auth import Principal
from webhooks.ingress.errors import CrossSite


def test_without_a_local_operator_this_machine_may_look(make: Make):
    site = make()
    who = site.access.principal(site.asked())
    assert (who.actor.id, who.role, who.by) == ("local", "viewer", "loopback")
    assert site.client.get("/try", base_url=LOCAL).status_code == 403


@pytest.mark.parametrize(
    ("operator", "actor"), [("ada", Actor("ada", "Ada")), ("source:operator", Actor("source:operator", "operator"))]
)
def test_the_local_operator_is_somebody_of_registrar_yml(make: Make, operator: str, actor: Actor):
    site = make(operator=operator)
    who = site.access.principal(site.asked())
    assert (who.actor, who.role, who.by) == (actor, "operator", "loopback")


@pytest.mark.parametrize("operator", ["eve", "source:eve", "source:", "group:leads", "operator"])
def test_a_local_operator_that_nobody_knows_does_not_start(make: Make, operator: str):
    with pytest.raises(ValueError, match=r"REGISTRAR_LOCAL_OPERATOR=.* is neither in people nor a source:NAME"):
        make(operator=operator)


@pytest.mark.parametrize(
    "asked",
    [
        {"environ_base": {"REMOTE_ADDR": "203.0.113.9"}},
        {"environ_base": {"REMOTE_ADDR": ""}},
        {"headers": {"X-Forwarded-For": "127.0.0.1"}},
        {"headers": {"Via": "1.1 proxy"}},
        {"headers": {"X-Forwarded-Proto": "https"}},
        {"base_url": "http://rebound.example:8080"},
        {"base_url": "http://127.0.0.1.evil.example"},
    ],
)
def test_who_only_looks_local_is_nobody(make: Make, asked: dict[str, Any]):
    answer = make(operator="ada").client.get("/try", **{"base_url": LOCAL, **asked})
    assert (answer.status_code, answer.json["code"]) == (401, "not_signed_in")


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8080", "http://localhost:8080/", "https://127.8.9.1", "http://[::1]:8080", "", None]
)
def test_where_the_public_address_is_this_machines_it_still_is(make: Make, url: str | None):
    assert make(operator="ada", public_url=url).client.get("/try", base_url=LOCAL).json["by"] == "loopback"


@pytest.mark.parametrize(
    "url",
    [
        "https://registrar.example.com",
        "http://10.0.0.5:8080",
        "https://127.0.0.1.example.com",
        "https://localhost@example.com",
        "http://0.0.0.0:8080",
        "registrar.example.com",
        "localhost:8080",
    ],
)
def test_where_it_is_another_hosts_nobody_is_the_operator_for_being_here(make: Make, url: str):
    """The request is the one that nginx sends upstream for anybody, unless told otherwise."""
    answer = make(operator="ada", public_url=url).client.get("/try", base_url=LOCAL)
    assert (answer.status_code, answer.json["code"]) == (401, "not_signed_in")
    assert "`registrar token create`" in answer.json["detail"]
    assert "while REGISTRAR_PUBLIC_URL is another host's name" in answer.json["detail"]


def test_only_who_may_sit_here_is_told_so(make: Make):
    site = make(public_url="https://registrar.example.com")
    answer = site.client.get("/try", base_url="https://registrar.example.com")
    assert (answer.status_code, "REGISTRAR_PUBLIC_URL" in answer.json["detail"]) == (401, False)


def test_a_token_is_taken_here_as_everywhere(make: Make):
    site = make(operator="ada", public_url="https://registrar.example.com")
    secret = new_token()
    with site.ledger.write() as connection:
        made = tokens.Token("deploy", tokens.digest(secret), "operator", None, now())
        tokens.create(connection, made, Actor("test", "test"))
    answer = site.client.get("/try", base_url=LOCAL, headers={"Authorization": f"Bearer {secret}"})
    assert answer.json["who"] == "token:deploy"


def test_a_form_of_our_own_page_is_taken(make: Make):
    client = make(operator="ada").client
    csrf = client.get("/try", base_url=LOCAL).json["csrf"]
    honest = {"Origin": LOCAL, "Sec-Fetch-Site": "same-origin"}
    assert client.post("/try", base_url=LOCAL, data={"csrf": csrf}, headers=honest).status_code == 200
    assert client.post("/try", base_url=LOCAL, headers={"X-CSRF-Token": csrf}).status_code == 200


def test_a_program_of_this_machine_needs_no_form(make: Make):
    client = make(operator="ada").client
    assert client.post("/try", base_url=LOCAL, headers={"X-Requested-By": "registrar"}).json["who"] == "ada"
    assert client.post("/try", base_url=LOCAL, headers={"X-Requested-By": ""}).status_code == 403


@pytest.mark.parametrize(
    "browser",
    [
        {"Origin": LOCAL},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Origin": ""},
    ],
)
def test_what_a_browser_sends_is_no_programs_whatever_it_says(make: Make, browser: dict[str, str]):
    client = make(operator="ada").client
    answer = client.post("/try", base_url=LOCAL, headers={"X-Requested-By": "registrar", **browser})
    assert (answer.status_code, answer.json["code"]) == (403, "cross_site")


@pytest.mark.parametrize("path", ["/v1/commands", "/v1/models/taxi/prune", "/dead/tsk_0/retry", "/try"])
def test_no_browser_is_let_send_the_programs_header_from_another_sites_page(make: Make, path: str):
    """It asks first (https://fetch.spec.whatwg.org/#cors-preflight-fetch), and is not told that it may."""
    asks = {
        "Origin": "https://evil.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type,x-requested-by",
    }
    answer = make(operator="ada").client.options(path, base_url=LOCAL, headers=asks)
    assert [name for name, _ in answer.headers if name.lower().startswith("access-control-")] == []


def test_a_program_elsewhere_is_nobody_by_its_header(make: Make):
    headers = {"X-Requested-By": "registrar"}
    for asked in (
        {"base_url": "http://rebound.example:8080"},
        {"base_url": LOCAL, "environ_base": {"REMOTE_ADDR": "203.0.113.9"}},
    ):
        assert make(operator="ada").client.post("/try", headers=headers, **asked).status_code == 401


@pytest.mark.parametrize("csrf", ["", "x", "WyJsb29wYmFjayIsImFkYSIsIiJd.aSjXUg.forged"])
def test_a_form_of_nobodys_page_is_not(make: Make, csrf: str):
    answer = make(operator="ada").client.post("/try", base_url=LOCAL, data={"csrf": csrf})
    assert (answer.status_code, answer.json["code"]) == (403, "cross_site")


def test_a_form_made_for_somebody_else_is_not(make: Make):
    theirs = make(operator="ada").client.get("/try", base_url=LOCAL).json["csrf"]
    answer = make(operator="source:operator").client.post("/try", base_url=LOCAL, data={"csrf": theirs})
    assert answer.json["code"] == "cross_site"


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9999"},
        {"Origin": "https://127.0.0.1:8080"},
    ],
)
def test_what_another_sites_page_sends_is_refused_even_with_our_token(make: Make, headers: dict[str, str]):
    client = make(operator="ada").client
    csrf = client.get("/try", base_url=LOCAL).json["csrf"]
    answer = client.post("/try", base_url=LOCAL, data={"csrf": csrf}, headers=headers)
    assert (answer.status_code, answer.json["code"]) == (403, "cross_site")


def test_behind_a_proxy_that_changes_the_host_the_public_address_is_ours(make: Make):
    site = make(public_url="https://registrar.example.com")
    who = Principal(Actor("ada", "Ada"), "operator", "session", session="s")
    headers = {"X-CSRF-Token": site.access.csrf_token(who), "Origin": "https://registrar.example.com"}
    site.access.check_csrf(site.asked(method="POST", headers=headers), who)


@pytest.mark.parametrize(
    ("public", "origin"),
    [
        ("https://registrar.example.com:443", "https://registrar.example.com"),
        ("https://Registrar.example.com/", "https://registrar.example.com"),
        ("http://registrar.example.com:80", "http://registrar.example.com"),
        ("https://[2001:db8::443]:443", "https://[2001:db8::443]"),
        ("https://registrar.example.com:8443", "https://registrar.example.com:8443"),
    ],
)
def test_our_own_pages_are_known_however_the_public_address_is_written(make: Make, public: str, origin: str):
    """Browsers leave the scheme's own port away. https://html.spec.whatwg.org/#ascii-serialisation-of-an-origin"""
    site = make(public_url=public)
    who = Principal(Actor("ada", "Ada"), "operator", "session", session="s")
    csrf = {"X-CSRF-Token": site.access.csrf_token(who)}
    site.access.check_csrf(site.asked(method="POST", headers={**csrf, "Origin": origin}), who)
    for other in ("https://registrar.example.com:4430", "https://registrar.example.co", "http://[2001:db8::443]"):
        with pytest.raises(CrossSite):
            site.access.check_csrf(site.asked(method="POST", headers={**csrf, "Origin": other}), who)
