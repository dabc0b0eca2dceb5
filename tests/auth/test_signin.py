"""People sign in at an OpenID Connect provider, in a browser, over real HTTP."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from itsdangerous import TimestampSigner

from registrar.ledger import LedgerUnavailable
from registrar.ledger.engine import now
from tests.auth.conftest import ACCESS, SIGNED_IN, Make, Start, Web
from webhooks.app import create_app
from webhooks.auth import POLL_HEADER, oidc_state, sessions, signin
from webhooks.auth.signing_keys import signer
from webhooks.ingress.errors import TooMany


def failed(answer: requests.Response) -> bool:
    return (answer.status_code, answer.json()["code"]) == (401, "sign_in_failed")


def test_who_signed_in_is_a_person_of_registrar_yml(web: Web):
    browser, _ = web.signed_in(next="/healthz")
    assert (web.who(browser)["who"], web.who(browser)["by"]) == ("ada", "session")


def test_they_come_back_to_where_they_wanted_to_be(web: Web):
    _, end = web.signed_in(next="/healthz?x=1")
    assert end.url == f"{web.url}/healthz?x=1"


@pytest.mark.parametrize(
    "target",
    [
        "//evil.example",
        "/\\evil.example",
        "https://evil.example",
        "evil",
        "/\t/evil.example",
        "/%0d/..//x\n",
        "///x",
        "",
    ],
)
def test_they_come_back_to_nobody_else(target: str):
    assert signin.local(target) == "/"


def test_the_cookie_is_kept_from_scripts_other_sites_and_the_disk(web: Web):
    browser = web.browser()
    end = browser.get(web.sent_back(browser), allow_redirects=False, timeout=30)
    mine, beginning = end.raw.headers.getlist("Set-Cookie")
    assert mine.startswith("registrar-session=")
    assert ("HttpOnly" in mine, "SameSite=Lax" in mine, "Path=/" in mine, "Domain" in mine) == (True, True, True, False)
    assert "Secure" not in mine  # this is http on loopback
    assert ("registrar-signin-" in beginning, "Max-Age=0" in beginning) == (True, True)
    assert end.headers["Cache-Control"] == "no-store"


def test_elsewhere_the_cookie_goes_by_tls_alone(start: Start):
    web = start(public_url="https://registrar.example.com")
    asked = web.site.client.get("/signin", base_url="https://registrar.example.com")
    [cookie] = asked.headers.getlist("Set-Cookie")
    assert cookie.startswith("__Host-registrar-signin-")
    assert "Secure" in cookie
    query = parse_qs(urlsplit(asked.headers["Location"]).query)
    assert query["redirect_uri"] == ["https://registrar.example.com/signin/callback"]


def test_who_comes_by_another_name_begins_where_the_provider_will_send_them(start: Start):
    web = start(public_url="https://registrar.example.com")
    asked = web.site.client.get("/signin?next=/policy", base_url="http://localhost:8080")
    assert "Set-Cookie" not in asked.headers
    there = asked.headers["Location"]
    assert there == "https://registrar.example.com/signin?next=%2Fpolicy&public=yes"
    # A proxy that changes the Host passes it on like this: it is not sent round and round.
    again = web.site.client.get("/signin?next=/policy&public=yes", base_url="http://receiver:8080")
    assert again.headers["Location"].startswith(web.provider.issuer)


BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}  # as Firefox sends it


def test_what_fails_is_a_page_for_people_with_a_way_to_begin_again(web: Web):
    answer = web.browser().get(f"{web.url}/signin/callback?state=x&code=y", headers=BROWSER, timeout=30)
    assert (answer.status_code, answer.headers["Content-Type"]) == (401, "text/html; charset=utf-8")
    assert "this browser did not begin the sign-in" in answer.text
    assert '<a class="button main" href="/signin?next=%2F">Sign in again</a>' in answer.text
    assert "script-src 'self'" in answer.headers["Content-Security-Policy"]


def test_who_is_nobody_of_registrar_yml_may_sign_in_as_somebody_else(web: Web):
    web.provider.claims["email"] = "<b>eve@example.com"
    answer = web.browser().get(f"{web.url}/signin", headers=BROWSER, timeout=30)
    assert (answer.status_code, "<b>eve" in answer.text) == (403, False)
    assert "account in registrar.yml: add" in answer.text
    assert "Sign in as somebody else</a>" in answer.text


def test_a_page_that_nobody_may_see_leads_to_the_sign_in_and_back(web: Web):
    answer = web.site.client.get("/events?model=a%26b", base_url="https://registrar.example.com")
    assert (answer.status_code, answer.mimetype) == (401, "text/html")
    assert 'href="/signin?next=%2Fevents%3Fmodel%3Da%2526b"' in answer.text
    assert signin.local("/events?model=a%26b") == "/events?model=a%26b"


@pytest.mark.parametrize(
    "page",
    ["/events?model=a*b'(c)!$", "/events?model=a/b?c;d:e@f,g", "/models/m%C3%BCller%20%28a%29", "/events?model=%22%5C"],
)
def test_every_page_can_be_come_back_to(start: Start, page: str):
    """Browsers send such characters as they were typed."""
    web = start(public_url="https://registrar.example.com")
    asked = web.site.client.get(page, base_url="https://registrar.example.com")
    [there] = set(re.findall(r'href="(/signin\?[^"]*)"', asked.text))
    assert signin.local(parse_qs(urlsplit(there).query)["next"][0]) == page


@pytest.mark.parametrize(
    ("form", "page"),
    [
        ("/promotions/prm_1/approve", "/promotions/prm_1"),
        ("/models/m%C3%BCller%20%28a%29%25/rollback", "/models/m%C3%BCller%20%28a%29%25"),
        ("/dead/tsk_1/retry", "/dead/tsk_1"),
    ],
)
def test_who_sends_a_form_after_the_session_has_ended_is_told_that_nothing_was_done(start: Start, form: str, page: str):
    """Else somebody would think that they have voted."""
    web = start(public_url="https://registrar.example.com")
    sent = web.site.client.post(form, base_url="https://registrar.example.com", data={"csrf": "x", "reason": "fine"})
    assert (sent.status_code, "Nothing was done" in sent.text) == (401, True)
    [there] = set(re.findall(r'href="(/signin\?[^"]*)"', sent.text))
    assert signin.local(parse_qs(urlsplit(there).query)["next"][0]) == page


def test_who_sends_a_form_of_a_session_before_this_one_is_told_that_nothing_was_done(web: Web):
    browser, _ = web.signed_in()
    csrf = web.who(browser)["csrf"]
    browser.get(f"{web.url}/signin", timeout=30)
    sent = browser.post(f"{web.url}/promotions/prm_1/approve", data={"csrf": csrf}, timeout=30)
    assert (sent.status_code, "Nothing was done" in sent.text) == (403, True)


def test_without_a_provider_the_page_says_who_could_sign_people_in(make: Make):
    answer = make().client.get("/events", base_url="https://registrar.example.com")
    assert (answer.status_code, 'href="/signin?' in answer.text) == (401, False)
    assert "access.oidc" in answer.text


def test_who_is_signed_in_and_how_to_end_it_is_on_every_page_even_of_errors(web: Web):
    browser, _ = web.signed_in()
    for path in ("/", "/events/evt_0", "/events?before=x"):
        page = browser.get(f"{web.url}{path}", headers=BROWSER, timeout=30).text
        assert "<strong>Ada</strong> · operator" in page
        [csrf] = re.findall(r'action="/signout"><input type="hidden" name="csrf" value="([^"]+)">', page)
    assert browser.post(f"{web.url}/signout", data={"csrf": csrf}, allow_redirects=False, timeout=30).status_code == 303


def test_each_page_says_to_its_script_whose_it_is(start: Start):
    """An open page does not take another person's forms into it (tests/slow/browser/test_signed_in.py)."""
    web = start(access=ACCESS.replace("operators: [ada]", "operators: [ada, bob]"))
    browser, _ = web.signed_in()
    here = [each.get(f"{web.url}/policy", headers=BROWSER, timeout=30).text for each in (browser, web.browser())]
    named = [re.findall(r'<body[^>]* data-principal="([^"]*)"', page) for page in here]
    assert named == [["session ada"], ["loopback local"]]


def test_a_page_is_refused_in_a_sentence_while_the_ledger_can_not_say_whose_session_it_is(
    web: Web, monkeypatch: pytest.MonkeyPatch
):
    browser, _ = web.signed_in()

    def away(*_: Any) -> None:
        raise LedgerUnavailable("does not answer")

    monkeypatch.setattr(sessions.Sessions, "_is_ended", away)
    answer = browser.get(f"{web.url}/", headers=BROWSER, timeout=30)
    assert (answer.status_code, "Not available at the moment" in answer.text) == (503, True)


def test_what_is_asked_of_the_provider(web: Web):
    there = web.browser().get(f"{web.url}/signin", allow_redirects=False, timeout=30).headers["Location"]
    query = {name: values[0] for name, values in parse_qs(urlsplit(there).query).items()}
    assert (query["response_type"], query["client_id"], query["code_challenge_method"]) == ("code", "registrar", "S256")
    assert (query["scope"], query["redirect_uri"]) == ("openid email profile", f"{web.url}/signin/callback")
    assert min(len(query[name]) for name in ("state", "nonce", "code_challenge")) >= 43


def test_what_came_back_to_one_browser_is_nothing_in_another(web: Web):
    """Else somebody could sign you in as themselves, and read what you do."""
    back = web.sent_back(web.browser())
    assert failed(web.browser().get(back, timeout=30))
    other = web.browser()
    web.sent_back(other)  # one that has begun, too
    assert failed(other.get(back, timeout=30))


def test_a_state_is_used_once(web: Web):
    browser = web.browser()
    back = web.sent_back(browser)
    cookies = dict(browser.cookies)
    assert browser.get(back, allow_redirects=False, timeout=30).status_code == 303
    replayed = requests.get(back, cookies=cookies, allow_redirects=False, timeout=30)
    assert (failed(replayed), "was used already" in replayed.json()["detail"]) == (True, True)


@pytest.mark.parametrize("change", [("state=", "state=x"), ("code=", "code=x"), ("?", "?iss=https://evil.example&")])
def test_what_came_back_changed_is_nothing(web: Web, change: tuple[str, str]):
    browser = web.browser()
    back = web.sent_back(browser)
    answer = browser.get(back.replace(*change, 1), timeout=30)
    assert failed(answer)
    assert "registrar-session" not in browser.cookies


def test_an_error_of_the_provider_is_a_sentence_of_ours(web: Web):
    browser = web.browser()
    state = parse_qs(urlsplit(web.sent_back(browser)).query)["state"][0]
    answer = browser.get(f"{web.url}/signin/callback?error=<script>&state={state}", timeout=30)
    assert (failed(answer), "script" in answer.text) == (True, False)


@pytest.mark.parametrize(
    "dishonest",
    [
        {"changed": {"nonce": "another"}},
        {"changed": {"nonce": None}},
        {"changed": {"aud": "another"}},
        {"changed": {"aud": None}},
        {"changed": {"aud": ["registrar", "another"]}},
        {"changed": {"azp": "another"}},
        {"changed": {"iss": "https://evil.example"}},
        {"changed": {"exp": 1}},
        {"changed": {"iat": 4102444800}},
        {"changed": {"at_hash": "x"}},
        {"changed": {"email": None}},
        {"changed": {"email": ["ada@example.com"]}},
        {"changed": {"email": "ada@example.com,eve@example.com"}},
        {"verified": False},
        {"verified": None},
        {"algorithm": "HS256"},
        {"algorithm": "none"},
        {"forged": True},
        {"metadata": {"issuer": "https://evil.example"}},
        {"metadata": {"jwks_uri": None}},
    ],
    ids=str,
)
def test_an_id_token_that_proves_nothing_signs_nobody_in(start: Start, dishonest: dict[str, Any]):
    web = start()
    for name, value in dishonest.items():
        setattr(web.provider, name, value)
    browser, end = web.signed_in()
    assert failed(end)
    assert "registrar-session" not in browser.cookies


def test_new_keys_of_the_provider_are_looked_for(web: Web):
    web.signed_in()
    web.provider.rotate()
    assert web.who(web.signed_in()[0])["who"] == "ada"
    assert web.provider.asked.count("/jwks") == 2


def test_a_provider_that_is_down_is_503_and_says_so(web: Web):
    web.provider.down = True
    _, end = web.signed_in()
    assert (end.status_code, end.json()["code"]) == (503, "unavailable")
    web.provider.down = False
    assert web.who(web.signed_in()[0])["who"] == "ada"


def test_another_claim_says_who_it_is(start: Start):
    web = start(access=ACCESS.replace("[ada]", "[bob]").replace("env:OIDC_SECRET", "env:OIDC_SECRET, claim: uid"))
    web.provider.claims["uid"], web.provider.verified = "bob-7", None
    assert web.who(web.signed_in()[0])["who"] == "bob"


def test_who_is_nobody_of_registrar_yml_gets_no_session(web: Web):
    web.provider.claims["email"] = "eve@example.com"
    browser, end = web.signed_in()
    assert (end.status_code, end.json()["code"]) == (403, "not_permitted")
    assert "registrar-session" not in browser.cookies


def test_where_all_may_look_they_are_guests(start: Start):
    web = start(access=ACCESS.replace("operators: [ada]", 'viewers: ["*"]'))
    web.provider.claims |= {"email": "eve@example.com", "name": "Eve"}
    browser, _ = web.signed_in()
    assert web.who(browser)["detail"].startswith("Eve is signed in as viewer")


def test_signed_out_the_cookie_is_worth_nothing_even_to_who_has_it(web: Web):
    browser, _ = web.signed_in()
    stolen = dict(browser.cookies)
    headers = {"X-CSRF-Token": web.who(browser)["csrf"], "Origin": web.url}
    assert browser.post(f"{web.url}/signout", headers=headers, allow_redirects=False, timeout=30).status_code == 303
    assert "registrar-session" not in browser.cookies
    assert requests.get(f"{web.url}/try", cookies=stolen, timeout=30).status_code == 403  # this machine may look only
    another_receiver = create_app(web.site.settings).extensions["access"]
    headers = {"Cookie": f"registrar-session={stolen['registrar-session']}"}
    who = another_receiver.principal(web.site.asked(headers=headers))
    assert who.by == "loopback"


def test_another_site_can_not_sign_you_out(web: Web):
    browser, _ = web.signed_in()
    assert browser.post(f"{web.url}/signout", timeout=30).json()["code"] == "cross_site"
    assert web.who(browser)["who"] == "ada"


def test_a_form_is_bound_to_its_session(web: Web):
    browser, _ = web.signed_in()
    csrf = web.who(browser)["csrf"]
    assert browser.post(f"{web.url}/try", data={"csrf": csrf}, timeout=30).status_code == 200
    again, _ = web.signed_in()
    assert again.post(f"{web.url}/try", data={"csrf": csrf}, timeout=30).json()["code"] == "cross_site"


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[timedelta], None]:
    """Each call lets so much time pass, for sessions and for what signs their cookies; nothing else does."""
    began, passed = now(), [timedelta()]
    monkeypatch.setattr(sessions, "now", lambda: began + passed[0])
    monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda self: int((began + passed[0]).timestamp()))

    def shift(by: timedelta) -> None:
        passed[0] += by

    return shift


def test_a_session_ends_of_being_idle_and_not_while_it_is_used(web: Web, later: Callable[[timedelta], None]):
    browser, _ = web.signed_in()
    idle = dict(browser.cookies)
    later(sessions.IDLE - timedelta(seconds=10))
    assert web.who(browser)["who"] == "ada"
    assert dict(browser.cookies) != idle
    later(timedelta(seconds=20))  # on top of it
    assert requests.get(f"{web.url}/try", cookies=idle, timeout=30).status_code == 403
    assert web.who(browser)["who"] == "ada"


def test_an_open_page_alone_does_not_keep_a_session_from_ending(web: Web, later: Callable[[timedelta], None]):
    browser, _ = web.signed_in()
    idle = dict(browser.cookies)
    later(sessions.IDLE - timedelta(seconds=10))
    poll = {POLL_HEADER: "1"}
    assert browser.get(f"{web.url}/try", headers=poll, timeout=30).json()["who"] == "ada"
    assert dict(browser.cookies) == idle
    later(timedelta(seconds=20))
    assert browser.get(f"{web.url}/try", headers=poll, timeout=30).status_code == 403


def test_a_session_ends_however_much_it_is_used(web: Web, later: Callable[[timedelta], None]):
    browser, _ = web.signed_in()
    for _ in range(13):
        assert web.who(browser).get("who") == "ada"
        later(timedelta(minutes=55))
    later(timedelta(minutes=6))
    assert web.who(browser)["code"] == "not_permitted"


@pytest.mark.parametrize(("ahead", "believed"), [(1, True), (50, True), (90, False)])
def test_a_receiver_whose_clock_is_a_little_behind_believes_what_another_signed(
    web: Web, monkeypatch: pytest.MonkeyPatch, ahead: int, believed: bool
):
    def its_clock() -> datetime:
        return now() + timedelta(seconds=ahead)

    with monkeypatch.context() as other:
        other.setattr(sessions, "now", its_clock)
        other.setattr(TimestampSigner, "get_timestamp", lambda self: int(its_clock().timestamp()))
        browser, _ = web.signed_in()
        csrf = web.who(browser)["csrf"]
    done = browser.post(f"{web.url}/try", data={"csrf": csrf}, timeout=30)
    assert (done.status_code == 200) is believed


def test_a_beginning_ends_too(web: Web, monkeypatch: pytest.MonkeyPatch):
    browser = web.browser()
    back = web.sent_back(browser)
    monkeypatch.setattr(oidc_state, "LASTS", timedelta(seconds=-1))
    assert failed(browser.get(back, timeout=30))


def cookies(name: str, text: str) -> dict[str, str]:
    return {f"registrar-{name}": text}


def test_a_cookie_that_nobody_signed_is_nothing(web: Web):
    browser, _ = web.signed_in()
    text = browser.cookies["registrar-session"]
    payload, when, signature = text.rsplit(".", 2)  # one that is shorter when it is compressed begins with a dot
    key = web.site.settings.secret_key
    said = {**signer(key, "session").loads(text), "id": "0" * 32}
    forged = [
        "",
        "x",
        text[:-1],
        f"{payload}.{when}.{signature[::-1]}",
        f"{payload[:-2]}AA.{when}.{signature}",
        str(signer("another key", "session").dumps(said)),
        str(signer(key, "form").dumps(said)),
        str(signer(key, "session").dumps(["ada@example.com"])),
    ]
    for each in forged:
        answer = requests.get(f"{web.url}/try", cookies=cookies("session", each), timeout=30)
        assert answer.status_code == 403, each
    good = str(signer(key, "session").dumps(said))
    assert requests.get(f"{web.url}/try", cookies=cookies("session", good), timeout=30).json()["who"] == "ada"


def test_while_the_key_is_exchanged_either_is_believed(start: Start):
    web = start()
    browser, _ = web.signed_in()
    old = web.site.settings.secret_key
    both = signer(f"{'n' * 43}=,{old}", "session")
    assert both.loads(browser.cookies["registrar-session"])["account"] == "ada@example.com"
    assert signer("n" * 43 + "=", "session").loads(str(both.dumps({"x": 1}))) == {"x": 1}


@pytest.mark.usefixtures("within_one_minute")
def test_signing_in_is_bounded(web: Web, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(signin, "PACE", "3/minute")
    asked = [requests.get(f"{web.url}/signin", allow_redirects=False, timeout=30).status_code for _ in range(4)]
    assert asked == [303, 303, 303, 429]


@pytest.mark.usefixtures("within_one_minute")
@pytest.mark.parametrize(
    "change",
    [{}, {"cookie": "x"}, {"cookie": ""}, {"state": ""}, {"state": "x"}, {"code": ""}, {"code": "x" * 20_000}],
    ids=lambda change: str(change)[:20],
)
def test_callbacks_that_nobody_began_keep_nobody_else_from_signing_in(
    web: Web, change: dict[str, str], monkeypatch: pytest.MonkeyPatch
):
    """Behind a proxy all may have one address."""
    monkeypatch.setattr(signin, "PACE", "5/minute")
    begun = web.browser()
    back = web.sent_back(begun)
    asked = {"state": "s", "code": "c", **change}
    cookie = {"registrar-signin-" + sha256(b"s").hexdigest()[:16]: change["cookie"]} if "cookie" in change else {}
    statuses = [
        requests.get(f"{web.url}/signin/callback", params=asked, cookies=cookie, timeout=30).status_code
        for _ in range(8)
    ]
    assert set(statuses) == {401}
    assert begun.get(back, allow_redirects=False, timeout=30).status_code == 303
    assert web.who(web.signed_in()[0])["who"] == "ada"


@pytest.mark.usefixtures("within_one_minute")
def test_beginnings_and_ends_have_a_budget_each(web: Web, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(signin, "PACE", "3/minute")
    browser = web.browser()
    backs = [web.sent_back(browser) for _ in range(3)]
    assert web.browser().get(f"{web.url}/signin", timeout=30).status_code == 429
    assert [browser.get(back, allow_redirects=False, timeout=30).status_code for back in backs] == [303] * 3


def test_who_has_to_wait_at_the_end_may_load_the_page_again(web: Web, monkeypatch: pytest.MonkeyPatch):
    browser = web.browser()
    back = web.sent_back(browser)

    def full(*_: Any) -> None:
        raise TooMany("more than 60/minute", retry_after=1)

    with monkeypatch.context() as busy:
        busy.setattr(signin.SignIn, "_count", full)
        assert browser.get(back, allow_redirects=False, timeout=30).status_code == 429
    assert browser.get(back, allow_redirects=False, timeout=30).status_code == 303


@pytest.mark.parametrize(("length", "status"), [(6000, 303), (16_384, 303), (16_385, 401)])
def test_a_providers_code_may_be_long(web: Web, length: int, status: int):
    """Microsoft Entra's are."""
    web.provider.code_length = length
    browser = web.browser()
    assert browser.get(web.sent_back(browser), allow_redirects=False, timeout=30).status_code == status


@pytest.mark.parametrize("claim", ["preferred_username", "upn", "Email", "mail", "nickname"])
def test_a_claim_that_may_be_chosen_reaches_nobodys_email(start: Start, claim: str):
    web = start(access=ACCESS.replace("env:OIDC_SECRET", f"env:OIDC_SECRET, claim: {claim}"))
    web.provider.claims |= {claim: "ada@example.com", "email": "eve@example.com"}
    browser, end = web.signed_in()
    assert (end.status_code, "registrar-session" in browser.cookies) == (403, False)
    assert "is nobody's account in registrar.yml: add `accounts: {web: ada@example.com}`" in end.json()["detail"]


def test_without_a_provider_nobody_signs_in_and_is_told_where(make: Make):
    answer = make().client.get("/signin", base_url="http://127.0.0.1")
    assert (answer.status_code, "docs/how-to/access.md" in answer.json["detail"]) == (404, True)


@pytest.mark.parametrize("url", ["https://[x", "https://[::1", "//[", "https://x]"])
def test_a_public_address_that_is_none_does_not_start(make: Make, url: str):
    with pytest.raises(ValueError, match=r"REGISTRAR_PUBLIC_URL='.*' is no address such as https://registrar"):
        make(public_url=url)


def test_a_secret_that_can_not_be_read_does_not_start(make: Make):
    with pytest.raises(ValueError, match="env:OIDC_SECRET is empty or not set"):
        make(policy=SIGNED_IN + ACCESS.replace("ISSUER", "https://login.example.com"))


@pytest.mark.parametrize(
    "issuer", ["http://login.example.com", "https://", "https://a@b", "https://a/?x", "login.example.com", "ftp://a"]
)
def test_an_issuer_that_is_none_is_complained_about(make: Make, issuer: str):
    with pytest.raises(ValueError, match=r"access\.oidc\.issuer: is no issuer such as"):
        make(policy=SIGNED_IN + ACCESS.replace("ISSUER", f'"{issuer}"'))
