"""What ends a session, and what a cookie can't be made to say."""

import secrets
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import flask
import pytest
import requests
from itsdangerous import TimestampSigner

from registrar.config.key_generation import new_key
from registrar.ledger import used_nonces
from registrar.ledger.engine import now
from tests.auth.conftest import ACCESS, LOCAL, SIGNED_IN, Make, Site, Start, Web
from tests.auth.provider import CLIENT_SECRET
from webhooks.auth import Principal, sessions
from webhooks.auth.identity import Identity
from webhooks.auth.signing_keys import signer

EVERYBODY = ACCESS.replace("operators: [ada]", 'operators: [ada]\n  viewers: ["*"]')


@pytest.fixture
def restarted(make: Make) -> Callable[..., Site]:
    """The receiver of a site with another registrar.yml, or other settings; it has the ledger and the key still."""

    def started(web: Web, policy: str = SIGNED_IN + ACCESS, **changed: Any) -> Site:
        text = policy.replace("ISSUER", web.provider.issuer)
        kept = {"secret_key": web.site.settings.secret_key, **changed}
        return make(policy=text, secrets={"OIDC_SECRET": CLIENT_SECRET}, **kept)

    return started


def seen(site: Site, browser: requests.Session) -> Principal | None:
    """Whom the receiver takes a request for that comes from elsewhere, with the browser's cookies."""
    cookies = "; ".join(f"__Host-{cookie.name}={cookie.value}" for cookie in browser.cookies)
    asked = site.asked(
        base_url="https://registrar.example.com",
        environ_base={"REMOTE_ADDR": "203.0.113.9"},
        headers={"Cookie": cookies},
    )
    with site.app.app_context():
        return site.access.principal(asked)


def test_another_receiver_with_the_same_registrar_yml_takes_them_for_the_same(web: Web, restarted: Any):
    browser, _ = web.signed_in()
    who = seen(restarted(web), browser)
    assert who is not None
    assert (who.actor.id, who.by) == ("ada", "session")


MOVED = SIGNED_IN.replace("ada@example.com", "ada@new.example").replace("web: bob-7", "email: ada@example.com")


@pytest.mark.parametrize(
    "policy",
    [
        MOVED + ACCESS.replace("[ada]", "[ada, bob]"),
        SIGNED_IN.replace("ada@example.com", "ada@new.example") + EVERYBODY,
        SIGNED_IN.replace("  ada: {name: Ada,", "  eve: {name: Eve,").replace("[ada,", "[eve,")
        + ACCESS.replace("[ada]", "[eve]"),
    ],
    ids=["moved to another person", "taken from them, where all may look", "the person has another name"],
)
def test_a_session_ends_where_its_account_is_not_that_persons_any_more(web: Web, restarted: Any, policy: str):
    browser, _ = web.signed_in()
    assert seen(restarted(web, policy), browser) is None


def test_a_guests_session_ends_where_the_account_becomes_somebodys(start: Start, restarted: Any):
    """It may have been given to somebody else since."""
    web = start(access=EVERYBODY)
    web.provider.claims |= {"email": "eve@example.com", "name": "Eve"}
    browser, _ = web.signed_in()
    assert seen(restarted(web, SIGNED_IN + EVERYBODY), browser) is not None
    theirs = SIGNED_IN.replace("web: bob-7", "email: eve@example.com") + EVERYBODY
    assert seen(restarted(web, theirs), browser) is None


@pytest.mark.parametrize(
    "access",
    [
        ACCESS.replace("ISSUER", "https://login.example.com"),
        ACCESS.replace("client_id: registrar", "client_id: another"),
        ACCESS.replace("env:OIDC_SECRET", "env:OIDC_SECRET, claim: upn"),
        "access: {operators: [ada]}\n",
        "access: {operators: [ada], trusted_proxy: {networks: [10.0.0.5/32], header: Remote-Email}}\n",
    ],
    ids=["issuer", "client", "claim", "none", "a proxy instead"],
)
def test_a_session_ends_with_the_provider_that_it_came_from(web: Web, restarted: Any, access: str):
    browser, _ = web.signed_in()
    assert seen(restarted(web, SIGNED_IN + access), browser) is None


def test_another_secret_of_the_same_client_ends_nothing(web: Web, make: Make):
    browser, _ = web.signed_in()
    policy = (SIGNED_IN + ACCESS).replace("ISSUER", web.provider.issuer).replace("env:OIDC_SECRET", "env:NEW_SECRET")
    kept = {"secret_key": web.site.settings.secret_key}
    assert seen(make(policy=policy, secrets={"NEW_SECRET": "another"}, **kept), browser) is not None


def forged(key: str, cookie: str, **changed: Any) -> str:
    """The cookie with other content, by who knows a key."""
    said = signer(key, "session").loads(cookie)
    return str(signer(key, "session").dumps({**said, **changed}))


def by_cookie(site: Site, text: str) -> Principal | None:
    browser = requests.Session()
    browser.cookies.set("registrar-session", text)
    return seen(site, browser)


@pytest.mark.parametrize("ahead", [timedelta(minutes=2), timedelta(hours=13), timedelta(days=3650)])
def test_a_session_that_began_in_the_future_is_refused(web: Web, ahead: timedelta):
    """By a key that leaked it would be renewed for years."""
    browser, _ = web.signed_in()
    cookie, key = browser.cookies["registrar-session"], web.site.settings.secret_key
    assert by_cookie(web.site, forged(key, cookie)) is not None
    assert by_cookie(web.site, forged(key, cookie, began=int((now() + ahead).timestamp()))) is None


def test_a_beginning_that_is_no_time_is_refused(web: Web):
    browser, _ = web.signed_in()
    cookie, key = browser.cookies["registrar-session"], web.site.settings.secret_key
    for began in [None, "x", 1e400, float("nan"), -1e18, 10**30, True, [], {}]:
        assert by_cookie(web.site, forged(key, cookie, began=began)) is None, began


def test_a_cookie_that_lacks_a_part_is_nothing(web: Web):
    """As one that an earlier version of Registrar made."""
    browser, _ = web.signed_in()
    key = web.site.settings.secret_key
    said = signer(key, "session").loads(browser.cookies["registrar-session"])
    assert set(said) == {"account", "person", "provider", "sub", "id", "began", "name"}
    for field in said:
        rest = {name: value for name, value in said.items() if name != field}
        assert by_cookie(web.site, str(signer(key, "session").dumps(rest))) is None, field


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[timedelta], None]:
    """Each call lets so much time pass, for sessions and for what signs their cookies."""
    began, passed = now(), [timedelta()]
    monkeypatch.setattr(sessions, "now", lambda: began + passed[0])
    monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda self: int((began + passed[0]).timestamp()))

    def shift(by: timedelta) -> None:
        passed[0] += by

    return shift


def test_what_a_key_signed_that_is_being_exchanged_is_believed_and_never_renewed(
    web: Web, restarted: Any, later: Callable[[timedelta], None]
):
    """Whoever has the old key must not get a cookie by the new one."""
    browser, _ = web.signed_in()
    both = restarted(web, secret_key=f"{new_key()},{web.site.settings.secret_key}")
    later(timedelta(minutes=30))
    assert asked(both, browser) == (200, [])
    status, renewed = asked(restarted(web), browser)
    assert (status, len(renewed)) == (200, 1)
    later(timedelta(minutes=31))
    assert asked(both, browser) == (403, [])


def asked(site: Site, browser: requests.Session) -> tuple[int, list[str]]:
    """The status of a page for operators, and the cookies that came with it."""
    client = site.client
    client.set_cookie("registrar-session", browser.cookies["registrar-session"], domain="127.0.0.1")
    answer = client.get("/try", base_url=LOCAL)
    return answer.status_code, answer.headers.getlist("Set-Cookie")


def test_signing_in_anew_ends_the_session_before_it(web: Web):
    browser, _ = web.signed_in()
    before = browser.cookies["registrar-session"]
    browser.get(f"{web.url}/signin", timeout=30)
    assert web.who(browser)["who"] == "ada"
    assert browser.cookies["registrar-session"] != before
    assert by_cookie(web.site, before) is None


def test_a_sign_in_that_fails_ends_no_session(web: Web):
    browser, _ = web.signed_in()
    web.provider.changed = {"nonce": "another"}
    assert browser.get(f"{web.url}/signin", timeout=30).status_code == 401
    assert web.who(browser)["who"] == "ada"


def sign_out(url: str, browser: requests.Session, page: str) -> requests.Response:
    """By the button of a page."""
    _, _, rest = page.partition('action="/signout"><input type="hidden" name="csrf" value="')
    csrf = rest.partition('"')[0]
    assert csrf, page
    return browser.post(f"{url}/signout", data={"csrf": csrf}, allow_redirects=False, timeout=30)


BROWSER = {"Accept": "text/html"}


@pytest.mark.parametrize(
    "policy",
    [
        SIGNED_IN.replace("ada@example.com", "ada@new.example") + EVERYBODY,
        SIGNED_IN + ACCESS.replace("client_id: registrar", "client_id: another"),
        SIGNED_IN + "access: {operators: [ada]}\n",
    ],
    ids=["the account is nobody's", "another client", "no provider"],
)
def test_what_was_signed_out_of_stays_so_where_registrar_yml_is_changed_back(web: Web, restarted: Any, policy: str):
    """By the button of a page that was open before registrar.yml was changed."""
    browser, _ = web.signed_in()
    cookie, csrf = browser.cookies["registrar-session"], web.who(browser)["csrf"]
    client = restarted(web, policy).client
    client.set_cookie("registrar-session", cookie, domain="127.0.0.1")
    left = client.post("/signout", base_url=LOCAL, data={"csrf": csrf})
    assert (left.status_code, "registrar-session=; " in left.headers.get("Set-Cookie", "")) == (303, True)
    assert by_cookie(restarted(web), cookie) is None


def test_signing_in_anew_ends_what_registrar_yml_had_ended_too(web: Web, restarted: Any):
    browser, _ = web.signed_in()
    cookie = browser.cookies["registrar-session"]
    moved = restarted(web, SIGNED_IN.replace("ada@example.com", "ada@new.example") + EVERYBODY)
    identity = Identity("eve@example.com", frozenset({"web", "email"}))
    moved.access.sessions.begin(
        identity, moved.asked(headers={"Cookie": f"registrar-session={cookie}"}), flask.Response()
    )
    assert by_cookie(restarted(web), cookie) is None


def test_who_lost_their_role_can_sign_out(web: Web, monkeypatch: pytest.MonkeyPatch):
    browser, _ = web.signed_in()
    cookie = browser.cookies["registrar-session"]
    with monkeypatch.context() as without:
        without.setattr(type(web.site.access.policy), "role", lambda *_, **__: None)
        refused = browser.get(f"{web.url}/", headers=BROWSER, timeout=30)
        assert (refused.status_code, "has no role" in refused.text) == (403, True)
        assert sign_out(web.url, browser, refused.text).status_code == 303
    assert "registrar-session" not in browser.cookies
    assert by_cookie(web.site, cookie) is None


def test_another_sites_page_signs_nobody_out_who_lost_their_role(web: Web, monkeypatch: pytest.MonkeyPatch):
    browser, _ = web.signed_in()
    monkeypatch.setattr(type(web.site.access.policy), "role", lambda *_, **__: None)
    assert browser.post(f"{web.url}/signout", timeout=30).status_code == 403
    assert "registrar-session" in browser.cookies


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "https://[x", "https://evil.example:99999999"])
def test_no_other_origin_signs_anybody_out(web: Web, origin: str):
    browser, _ = web.signed_in()
    csrf = web.who(browser)["csrf"]
    answer = browser.post(f"{web.url}/signout", headers={"Origin": origin}, data={"csrf": csrf}, timeout=30)
    assert (answer.status_code, answer.json()["code"]) == (403, "cross_site")
    assert web.who(browser)["who"] == "ada"


LONG = {"x": "x" * 7000, "wide": "\U0001f600" * 3000, "random": secrets.token_hex(4000)}


@pytest.mark.parametrize("name", LONG.values(), ids=LONG)
def test_a_long_name_makes_no_cookie_that_browsers_drop(start: Start, name: str):
    """https://www.rfc-editor.org/rfc/rfc6265#section-6.1: 4,096 bytes with name and attributes."""
    web = start(access=EVERYBODY)
    account = "".join(chr(0x1F600 + number % 50) for number in range(250))
    web.provider.claims |= {"email": account, "name": name, "sub": secrets.token_hex(127)}
    browser = web.browser()
    end = browser.get(web.sent_back(browser), allow_redirects=False, timeout=30)
    assert end.status_code == 303
    assert max(len(cookie) for cookie in end.raw.headers.getlist("Set-Cookie")) < 4096


def test_what_was_signed_out_of_stays_so_where_a_receivers_clock_is_behind(
    web: Web, monkeypatch: pytest.MonkeyPatch, later: Callable[[timedelta], None]
):
    """One clock is a minute ahead, and tidies what it takes for old; the other is right."""
    browser, _ = web.signed_in()
    cookie = browser.cookies["registrar-session"]
    page = browser.get(f"{web.url}/", headers=BROWSER, timeout=30).text
    assert sign_out(web.url, browser, page).status_code == 303
    ahead = now() + sessions.ABSOLUTE + timedelta(seconds=60)
    with web.site.ledger.write() as connection:
        used_nonces.spend(connection, "something else", until=ahead + timedelta(hours=1), at=ahead)
    later(sessions.ABSOLUTE - timedelta(seconds=1))
    key = web.site.settings.secret_key
    kept_alive = str(signer(key, "session").dumps(signer(key, "session").loads(cookie)))
    another = web.site.app.extensions["access"]
    another.sessions._ended._entries.clear()
    assert by_cookie(web.site, kept_alive) is None


ODD_COOKIES = [
    "{name}={good}; {name}={good}",
    "{name}=x; {name}={good}",
    "{name}={good}; {name}=x",
    '{name}="{good}"',
    "{name}={good}x",
    "{name}=.{good}",
    "{name}=\x00{good}",
    "{name}={long}",
    "{name}=\xff\xfe",
    "{name}",
    "={good}",
    ";;;{name}={good}",
    "{name} ={good}",
    "registrar-session={good}",
    "__Secure-registrar-session={good}",
    "__host-registrar-session={good}",
    "__Host-registrar-session-={good}",
    "__Host-registrar-signin-={good}",
]


def test_odd_cookies_are_the_sessions_or_nothing(web: Web):
    """Elsewhere only a cookie counts that the browser takes from no other host: its name begins with __Host-."""
    browser, _ = web.signed_in()
    good = {"name": "__Host-registrar-session", "good": browser.cookies["registrar-session"]}
    elsewhere = {"base_url": "https://registrar.example.com", "environ_base": {"REMOTE_ADDR": "203.0.113.9"}}
    for cookies in ODD_COOKIES:
        header = {"Cookie": cookies.format(**good, long="eyJ" * 20_000)}
        with web.site.app.app_context():
            who = web.site.access.principal(web.site.asked(headers=header, **elsewhere))
        assert who is None or (who.actor.id, "{name}" in cookies) == ("ada", True), cookies


def test_two_tabs_sign_in_side_by_side(web: Web):
    browser = web.browser()
    first, second = web.sent_back(browser), web.sent_back(browser)
    assert browser.get(first, allow_redirects=False, timeout=30).status_code == 303
    assert browser.get(second, allow_redirects=False, timeout=30).status_code == 303


@pytest.mark.parametrize("change", [("state=", "state=x"), ("code=", "code=x"), ("?", "?iss=https://evil.example&")])
def test_a_tab_that_fails_leaves_the_other_tabs_sign_in(web: Web, change: tuple[str, str]):
    browser = web.browser()
    first, second = web.sent_back(browser), web.sent_back(browser)
    assert browser.get(first.replace(*change, 1), allow_redirects=False, timeout=30).status_code == 401
    assert browser.get(second, allow_redirects=False, timeout=30).status_code == 303


def test_tabs_that_began_and_never_ended_leave_few_cookies(web: Web):
    """A request that carries them all must stay smaller than servers and proxies take: some 8 kB."""
    browser = web.browser()
    for _ in range(20):
        browser.get(f"{web.url}/signin?next=/{'x' * 900}", allow_redirects=False, timeout=30)
        assert sum(len(cookie.name) + len(cookie.value or "") for cookie in browser.cookies) < 8000
    assert browser.get(web.sent_back(browser), allow_redirects=False, timeout=30).status_code == 303
