"""Who has a link of `registrar token link` signs in once, as the person it is for, and as no more than they are."""

import logging
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import update
from werkzeug.test import TestResponse

from registrar.config.key_generation import new_key, new_link_code, new_token
from registrar.events.event import Actor
from registrar.ledger import Ledger, sign_in_links, tables
from registrar.ledger.engine import now
from registrar.ledger.sign_in_links import LinkState
from registrar.telemetry.redaction import Redactor
from tests.auth.conftest import ACCESS, POLICY, Make, Site
from tests.auth.provider import CLIENT_SECRET
from tests.auth.test_tokens import given
from webhooks import caches
from webhooks.auth import link_sign_in, sessions

OPS = Actor("local:ops", "ops on host")
OPERATORS = POLICY + "access: {operators: [ada], viewers: [bob]}\n"
AWAY = {"base_url": "https://registrar.example.com", "environ_overrides": {"REMOTE_ADDR": "203.0.113.9"}}
SESSION = "__Host-registrar-session"
PAGE = "/signin/link"


def made(ledger: Ledger, person: str = "ada", *, at: datetime | None = None) -> str:
    """The code of a new link."""
    code = new_link_code()
    link = sign_in_links.new_link(code, person, at=at or now(), lasts=timedelta(minutes=15))
    with ledger.write() as connection:
        sign_in_links.create(connection, link, OPS)
    return code


def state(ledger: Ledger) -> str:
    """Of the only link."""
    with ledger.read() as connection:
        [link] = sign_in_links.all_links(connection)
    return link.state(now())


@dataclass(frozen=True)
class Browser:
    """A person's, who is elsewhere."""

    client: FlaskClient

    def get(self, path: str, **more: Any) -> TestResponse:
        return self.client.get(path, **{**AWAY, **more})

    def form(self, **query: str) -> dict[str, str]:
        """The form of the page, as it was made for this browser."""
        return fields(self.get(PAGE, query_string=query))

    def send(self, form: dict[str, str], **more: Any) -> TestResponse:
        return self.client.post(PAGE, data=form, **{**AWAY, **more})

    def sign_in(self, code: str, **query: str) -> TestResponse:
        """By both forms: the first says whom the link is for."""
        asked = self.send({**self.form(**query), "code": code})
        return self.send(fields(asked)) if asked.status_code == 200 else asked

    def who(self) -> Any:
        return self.get("/try").json


def fields(page: TestResponse) -> dict[str, str]:
    found: list[tuple[str, str]] = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page.text)
    return dict(found)


def browser(site: Site) -> Browser:
    return Browser(site.client)


@pytest.fixture
def site(make: Make) -> Site:
    return make(policy=OPERATORS)


def test_it_signs_its_person_in(site: Site):
    person = browser(site)
    answer = person.sign_in(made(site.ledger))
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    assert (person.who()["who"], person.who()["by"]) == ("ada", "session")
    assert "signed in by a link" in person.get("/").text


def test_it_works_once(site: Site):
    code = made(site.ledger)
    assert browser(site).sign_in(code).status_code == 303
    second = browser(site)
    answer = second.sign_in(code)
    assert (answer.status_code, "the link was used already" in answer.text) == (401, True)
    assert second.get("/").status_code == 401


def test_of_two_at_once_at_two_receivers_one_wins(make: Make):
    first, second = make(policy=OPERATORS), make(policy=OPERATORS)
    code, people = made(first.ledger), [browser(first), browser(second)]
    ready = [(person, fields(person.send({**person.form(), "code": code}))) for person in people]
    with ThreadPoolExecutor(2) as both:
        answers = list(both.map(lambda each: each[0].send(each[1]).status_code, ready))
    assert sorted(answers) == [303, 401]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("headers", [{}, {"Sec-Purpose": "prefetch"}, {"User-Agent": "Slackbot-LinkExpanding 1.0"}])
def test_looking_at_it_uses_nothing_up(site: Site, method: str, headers: dict[str, str]):
    """Previews of chats, prefetches, virus scanners: the code is not even sent, and would count for nothing."""
    code = made(site.ledger)
    for path in (PAGE, f"{PAGE}?code={code}&confirmed=yes"):
        answer = site.client.open(path, method=method, headers=headers, **AWAY)
        assert (answer.status_code, SESSION in str(answer.headers.getlist("Set-Cookie"))) == (200, False)
        assert code not in answer.text
    assert state(site.ledger) == LinkState.LIVE


def test_whom_it_is_for_is_shown_before_it_is_used(site: Site):
    person = browser(site)
    asked = person.send({**person.form(), "code": made(site.ledger)})
    assert (asked.status_code, "Sign in as Ada" in asked.text) == (200, True)
    assert (state(site.ledger), person.get("/").status_code) == (LinkState.LIVE, 401)


def test_the_whole_link_may_be_pasted(site: Site):
    person = browser(site)
    asked = person.send({**person.form(), "code": f" https://registrar.example.com{PAGE}#{made(site.ledger)} "})
    assert "Sign in as Ada" in asked.text


@pytest.mark.parametrize(
    "code",
    ["", "x", "rgl_", new_link_code(), new_token(), "' OR 1=1 --", "\x00", "rgl_" + "é" * 43],
    ids=["empty", "short", "bare", "another", "a token", "SQL", "NUL", "letters"],
)
def test_a_code_that_is_none_signs_nobody_in(site: Site, code: str):
    made(site.ledger)
    answer = browser(site).sign_in(code)
    assert (answer.status_code, "there is no link with this code" in answer.text) == (401, True)
    assert "WWW-Authenticate" not in answer.headers


def test_a_code_is_no_token_and_a_token_no_code(site: Site):
    code = made(site.ledger)
    assert site.client.get("/try", headers={"Authorization": f"Bearer {code}"}, **AWAY).status_code == 401
    token = given(site)["Authorization"].removeprefix("Bearer ")
    assert browser(site).sign_in(token).status_code == 401


def test_a_session_that_the_browser_brought_along_is_not_taken_over(site: Site):
    """Fixation: whoever put it there would be signed in, too."""
    attacker, victim = browser(site), browser(site)
    attacker.sign_in(made(site.ledger, "bob"))
    planted = attacker.client.get_cookie(SESSION, domain="registrar.example.com")
    assert planted
    victim.client.set_cookie(SESSION, planted.value, domain="registrar.example.com", secure=True)
    victim.sign_in(made(site.ledger))
    own = victim.client.get_cookie(SESSION, domain="registrar.example.com")
    assert own
    assert own.value != planted.value
    assert (victim.who()["who"], attacker.get("/").status_code) == ("ada", 401)


def test_a_form_without_our_token_is_refused(site: Site):
    code = made(site.ledger)
    person = browser(site)
    form = person.form()
    for changed in ({"csrf": ""}, {"csrf": "x"}, {"csrf": browser(site).form()["csrf"]}):
        answer = person.send({**form, **changed, "code": code, "confirmed": "yes"})
        assert (answer.status_code, state(site.ledger)) == (403, LinkState.LIVE), changed


def test_a_form_without_the_cookie_of_its_page_is_refused(site: Site):
    """Another site can't have it sent: the cookie is SameSite, and another browser's token is of no use."""
    code, form = made(site.ledger), browser(site).form()
    stranger = browser(site)
    assert stranger.send({**form, "code": code, "confirmed": "yes"}).status_code == 403
    cookie = next(each for each in site.client.get(PAGE, **AWAY).headers.getlist("Set-Cookie"))
    assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
    assert state(site.ledger) == LinkState.LIVE


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "https://elsewhere.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}],
    ids=["origin", "null", "fetch site"],
)
def test_another_sites_form_signs_nobody_in(site: Site, headers: dict[str, str]):
    """Else it could sign somebody in as the attacker, and watch what they do."""
    person, code = browser(site), made(site.ledger, "bob")
    form = fields(person.send({**person.form(), "code": code}))
    assert person.send(form, headers=headers).status_code == 403
    assert state(site.ledger) == LinkState.LIVE


@pytest.mark.parametrize(
    "target",
    ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/ /evil", "", "/x\r\nY: z"],
)
def test_it_leads_to_no_other_site(site: Site, target: str):
    assert browser(site).sign_in(made(site.ledger), next=target).headers["Location"] == "/"


def test_it_leads_to_the_page_that_was_asked_for(site: Site):
    answer = browser(site).get("/promotions?state=open")
    link = re.search(rf'href="({PAGE}\?next=[^"]*)"', answer.text)
    assert link
    person = browser(site)
    form = fields(person.get(link[1]))
    asked = person.send({**form, "code": made(site.ledger)})
    assert person.send(fields(asked)).headers["Location"] == "/promotions?state=open"


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        (POLICY.replace("  ada: {name: Ada}\n", "").replace("[ada, ", "["), "is not in people of registrar.yml"),
        (POLICY.replace("[ada, ", "["), "has no role"),
    ],
    ids=["gone", "without a role"],
)
def test_a_person_who_was_taken_out_after_it_was_made_is_not_signed_in(site: Site, make: Make, policy: str, said: str):
    code, later = made(site.ledger), make(policy=policy)
    answer = browser(later).sign_in(code)
    assert (answer.status_code, said in answer.text, state(site.ledger)) == (403, True, LinkState.LIVE)


def same_key(site: Site, make: Make, policy: str) -> Site:
    return make(policy=policy, secret_key=site.settings.secret_key)


def reloaded(person: Browser, site: Site) -> Browser:
    """The browser, at a receiver that has read registrar.yml again."""
    cookie = person.client.get_cookie(SESSION, domain="registrar.example.com")
    assert cookie
    there = browser(site)
    there.client.set_cookie(SESSION, cookie.value, domain="registrar.example.com", secure=True)
    return there


def test_a_person_who_is_taken_out_is_out_and_their_role_is_todays(site: Site, make: Make):
    person = browser(site)
    person.sign_in(made(site.ledger))
    viewer = POLICY.replace("[ada, ", "[") + "access: {viewers: [ada]}\n"
    assert reloaded(person, same_key(site, make, viewer)).get("/try").status_code == 403
    assert reloaded(person, same_key(site, make, viewer)).get("/").status_code == 200
    roleless = reloaded(person, same_key(site, make, POLICY.replace("[ada, ", "["))).get("/")
    assert (roleless.status_code, "has no role" in roleless.text, "Sign out" in roleless.text) == (403, True, True)
    gone = POLICY.replace("  ada: {name: Ada}\n", "").replace("[ada, ", "[")
    assert reloaded(person, same_key(site, make, gone)).get("/").status_code == 401


def test_it_makes_nobody_more_than_they_are(site: Site):
    person = browser(site)
    person.sign_in(made(site.ledger, "bob"))
    assert (person.get("/").status_code, person.get("/try").status_code) == (200, 403)


@pytest.mark.parametrize(
    ("age", "said"),
    [(timedelta(minutes=15, seconds=1), "has expired"), (timedelta(minutes=-2), "was made in the future")],
    ids=["expired", "by a clock that is ahead"],
)
def test_out_of_its_time_it_signs_nobody_in(site: Site, age: timedelta, said: str):
    answer = browser(site).sign_in(made(site.ledger, at=now() - age))
    assert (answer.status_code, said in answer.text) == (401, True)


def test_it_expires_while_the_page_is_open(site: Site, monkeypatch: pytest.MonkeyPatch):
    person, code = browser(site), made(site.ledger)
    form = fields(person.send({**person.form(), "code": code}))
    wall = now
    monkeypatch.setattr(link_sign_in, "now", lambda: wall() + timedelta(minutes=16))
    assert person.send(form).status_code == 401
    monkeypatch.setattr(link_sign_in, "now", wall)  # and where one clock said so, and the other's did not
    monkeypatch.setattr(sessions, "now", lambda: wall() + timedelta(minutes=16))
    assert person.send(form).status_code == 401


def end(ledger: Ledger) -> None:
    with ledger.write() as connection:
        [link] = sign_in_links.all_links(connection)
        sign_in_links.end(connection, link.name, OPS, at=now())


def test_revoked_it_signs_nobody_in(site: Site):
    code = made(site.ledger)
    end(site.ledger)
    assert "the link was revoked" in browser(site).sign_in(code).text


def test_revoked_its_session_is_over_as_soon_as_what_is_remembered_is_old(site: Site, monkeypatch: pytest.MonkeyPatch):
    person = browser(site)
    person.sign_in(made(site.ledger))
    assert person.get("/").status_code == 200
    end(site.ledger)
    monotonic = caches.time.monotonic
    monkeypatch.setattr(caches.time, "monotonic", lambda: monotonic() + caches.TTL + 0.001)
    assert person.get("/").status_code == 401


def test_signed_out_of_it_is_over_for_whoever_has_a_copy_of_the_cookie(site: Site, make: Make):
    person = browser(site)
    person.sign_in(made(site.ledger))
    copy = reloaded(person, same_key(site, make, OPERATORS))
    csrf = re.search(r'action="/signout"><input type="hidden" name="csrf" value="([^"]*)"', person.get("/").text)
    assert csrf
    assert person.client.post("/signout", data={"csrf": csrf[1]}, **AWAY).status_code == 303
    assert (copy.get("/").status_code, state(site.ledger)) == (401, LinkState.ENDED)


def test_another_key_ends_its_session_and_leaves_the_unused_link(site: Site, make: Make):
    person = browser(site)
    person.sign_in(made(site.ledger))
    changed = make(policy=OPERATORS, secret_key=new_key())
    assert reloaded(person, changed).get("/").status_code == 401
    assert browser(changed).sign_in(made(site.ledger)).status_code == 303


@pytest.mark.parametrize(("hours", "status"), [(11.9, 200), (12, 401)])
@pytest.mark.edits_the_record
def test_a_session_lasts_twelve_hours_by_the_ledger_too(site: Site, hours: float, status: int):
    """Whatever the cookie says, which who knows a former key could have made."""
    person = browser(site)
    person.sign_in(made(site.ledger))
    with site.ledger.write() as connection:
        connection.execute(update(tables.sign_in_links).values(used_at=now() - timedelta(hours=hours)))
    assert person.get("/").status_code == status


def test_a_session_that_nobody_uses_is_over_in_an_hour(site: Site, monkeypatch: pytest.MonkeyPatch):
    person, wall = browser(site), now
    person.sign_in(made(site.ledger))
    monkeypatch.setattr(sessions, "now", lambda: wall() + timedelta(hours=1, seconds=2))
    assert person.get("/").status_code == 401


@pytest.mark.usefixtures("within_one_minute")
def test_guessing_is_bounded(site: Site, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(link_sign_in, "PACE", "3/minute")
    guesser = browser(site)
    form = guesser.form()
    statuses = [guesser.send({**form, "code": new_link_code()}).status_code for _ in range(5)]
    assert statuses == [401, 401, 401, 429, 429]
    elsewhere = {**AWAY, "environ_overrides": {"REMOTE_ADDR": "203.0.113.77"}}
    person = browser(site)
    assert person.send({**person.form(), "code": made(site.ledger)}, **elsewhere).status_code == 200


def test_a_link_is_not_used_where_a_proxy_says_who_somebody_is(make: Make):
    """The proxy's word counts, so that the session would be of no use."""
    proxied = make(
        policy=POLICY + "access: {operators: [ada], trusted_proxy: {header: Remote-User, networks: [203.0.113.9/32]}}\n"
    )
    person, code = browser(proxied), made(proxied.ledger)
    form = person.form()
    answer = person.send({**form, "code": code, "confirmed": "yes"}, headers={"Remote-User": "eve"})
    assert (answer.status_code, state(proxied.ledger)) == (403, LinkState.LIVE)
    assert person.get(PAGE, headers={"Remote-User": "eve"}).status_code == 403


def test_the_record_says_who_used_it_and_from_where(site: Site):
    person = browser(site)
    person.sign_in(made(site.ledger))
    with site.ledger.read() as connection:
        [link] = sign_in_links.all_links(connection)
    assert (link.person, link.used_from) == ("ada", "203.0.113.9")
    audit = person.get("/audit").text
    assert f"{link.name} was used to sign in, from 203.0.113.9" in audit
    assert f"{link.name} was made: it signs ada in, once, until 20" in audit


def test_no_log_and_no_answer_has_the_code(site: Site, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    code, person = made(site.ledger), browser(site)
    answers = [person.get(PAGE), person.sign_in(code), person.sign_in(code), person.sign_in(new_link_code())]
    said = [str(answer.headers) for answer in answers] + [answer.text for answer in answers] + [caplog.text]
    assert "signed in ada by link:" in caplog.text
    assert not [text for text in said if code in text]
    assert Redactor([])(f"GET /signin/link?code={code} 200") == "GET /signin/link?code=*** 200"
    assert (answers[0].headers["Referrer-Policy"], answers[0].headers["Cache-Control"]) == ("same-origin", "no-store")


def test_with_a_provider_both_ways_are_open(make: Make):
    access = ACCESS.replace("ISSUER", "https://login.example.com")
    site = make(policy=POLICY + access, secrets={"OIDC_SECRET": CLIENT_SECRET})
    refused = browser(site).get("/promotions").text
    assert 'href="/signin?next=%2Fpromotions">Sign in</a>' in refused
    assert "registrar token link --person ID" in refused
    assert browser(site).sign_in(made(site.ledger)).status_code == 303


@pytest.mark.parametrize(
    ("access", "public", "said", "unsaid"),
    [
        ("", None, ["registrar token link --person ID", "http://127.0.0.1:PORT", "access.oidc"], ["by the proxy"]),
        (
            "",
            "https://registrar.example.com",
            ["registrar token create NAME --role viewer"],
            ["127.0.0.1", "by the proxy"],
        ),
        (
            "access: {trusted_proxy: {header: Remote-User, networks: [10.0.0.5/32]}}\n",
            "https://registrar.example.com",
            ["by the proxy", "registrar token link --person ID"],
            ["access.oidc", "127.0.0.1"],
        ),
    ],
    ids=["by default", "behind a name", "behind a proxy"],
)
def test_who_is_not_signed_in_is_told_each_way_there_is(
    make: Make, access: str, public: str | None, said: list[str], unsaid: list[str]
):
    answer = browser(make(policy=POLICY + access, public_url=public)).get("/")
    assert answer.status_code == 401
    assert [words for words in said if words not in answer.text] == []
    assert [words for words in unsaid if words in answer.text] == []
