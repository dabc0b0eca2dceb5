"""A trusted proxy's word counts; the same words from elsewhere are nothing."""

from typing import Any

import pytest

from registrar.policy.load import PolicyError, parse
from tests.auth.conftest import LOCAL, POLICY, Make, Site

PROXIED = POLICY.replace("{name: Ada}", "{name: Ada, accounts: {web: Ada@Example.com}}").replace(
    "{name: Bob}", "{name: Bob, accounts: {email: bob@example.com}}"
)
ACCESS = """
access:
  operators: [bob]
  trusted_proxy: {header: X-Forwarded-Email, networks: [10.0.0.0/24, "fd00::/64"], name_header: X-Forwarded-User}
"""
GUESTS = ACCESS.replace("operators: [bob]", 'viewers: ["*"]')
PROXY = "10.0.0.7"


def asked(site: Site, account: str, *, peer: str = PROXY, **headers: str) -> Any:
    return site.client.get(
        "/try",
        base_url="https://registrar.example.com",
        environ_base={"REMOTE_ADDR": peer},
        headers={"X-Forwarded-Email": account, "X-Forwarded-For": "203.0.113.9", **headers},
    )


def test_a_programs_header_is_no_form_of_whom_a_proxy_names(make: Make):
    answer = make(policy=PROXIED + ACCESS).client.post(
        "/try",
        base_url="https://registrar.example.com",
        environ_base={"REMOTE_ADDR": PROXY},
        headers={"X-Forwarded-Email": "bob@example.com", "X-Requested-By": "registrar"},
    )
    assert (answer.status_code, answer.json["code"]) == (403, "cross_site")


@pytest.mark.parametrize("account", ["bob@example.com", "BOB@example.COM", " bob@example.com "])
@pytest.mark.parametrize("peer", [PROXY, "fd00::1", "::ffff:10.0.0.7"])
def test_whom_the_proxy_names_is_signed_in(make: Make, account: str, peer: str):
    answer = asked(make(policy=PROXIED + ACCESS), account, peer=peer)
    assert (answer.status_code, answer.json["who"], answer.json["by"]) == (200, "bob", "proxy")


@pytest.mark.parametrize("peer", ["10.0.1.7", "203.0.113.9", "127.0.0.1", "::1", "", "fd01::1"])
def test_from_elsewhere_the_header_is_nothing(make: Make, peer: str):
    answer = asked(make(policy=PROXIED + ACCESS, operator="bob"), "bob@example.com", peer=peer)
    assert (answer.status_code, answer.json["code"]) == (401, "not_signed_in")


@pytest.mark.parametrize(
    ("header", "status"),
    [("X-Auth-Request-Email", 200), ("Cf-Access-Authenticated-User-Email", 200), ("Remote-User", 403)],
)
def test_only_a_header_that_says_so_holds_an_email(make: Make, header: str, status: int):
    """A user name may be chosen to look like one."""
    site = make(policy=PROXIED + ACCESS.replace("header: X-Forwarded-Email", f"header: {header}"))
    assert asked(site, "", **{header: "bob@example.com"}).status_code == status


def test_a_user_name_is_an_account_of_the_kind_web(make: Make):
    policy = PROXIED.replace("email: bob@example.com", "web: bob")
    site = make(policy=policy + ACCESS.replace("header: X-Forwarded-Email", "header: Remote-User"))
    assert asked(site, "", **{"Remote-User": "bob"}).json["who"] == "bob"


def test_who_approves_something_is_an_approver_here_too(make: Make):
    answer = asked(make(policy=PROXIED + ACCESS), "ada@example.com")
    assert (answer.status_code, "Ada is signed in as approver" in answer.json["detail"]) == (403, True)


def test_who_is_nobodys_account_is_told_what_to_add(make: Make):
    answer = asked(make(policy=PROXIED + ACCESS), "eve@example.com")
    assert (answer.status_code, answer.json["code"]) == (403, "not_permitted")
    assert "add `accounts: {web: eve@example.com}` to one of `people`" in answer.json["detail"]


def test_a_person_without_a_role_is_told_so(make: Make):
    policy = PROXIED + ACCESS.replace("operators: [bob]", "operators: []")
    assert "add them to `access`" in asked(make(policy=policy), "bob@example.com").json["detail"]


def test_where_all_may_look_a_guest_is_called_as_the_proxy_says(make: Make):
    site = make(policy=PROXIED + GUESTS)
    answer = asked(site, "eve@example.com", **{"X-Forwarded-User": "Eve\u202e"})
    assert answer.status_code == 403
    assert answer.json["detail"].startswith("Eve")
    headers = {"X-Forwarded-Email": "eve@example.com", "X-Forwarded-User": "Eve"}
    who = site.access.principal(site.asked(environ_base={"REMOTE_ADDR": PROXY}, headers=headers))
    assert (who.actor.id, who.actor.name, who.role) == ("web:eve@example.com", "Eve", "viewer")


@pytest.mark.parametrize("shown", ["Bearer eyJhbGciOi.eyJzdWIi.c2ln", "Bearer xrgt_y", "Basic YWRhOnNlY3JldA=="])
def test_what_a_proxy_passes_on_of_its_own_is_no_token_of_ours(make: Make, shown: str):
    """As oauth2-proxy does with --pass-authorization-header."""
    answer = asked(make(policy=PROXIED + ACCESS), "bob@example.com", Authorization=shown)
    assert (answer.status_code, answer.json["by"]) == (200, "proxy")


def test_a_token_of_ours_counts_before_whom_the_proxy_names(make: Make):
    answer = asked(make(policy=PROXIED + ACCESS), "bob@example.com", Authorization=f"Bearer  rgt_{'x' * 43}")
    assert answer.status_code == 401


@pytest.mark.parametrize("account", ["eve@example.com,bob@example.com", "x" * 251])
def test_what_can_be_nobodys_account_is_401(make: Make, account: str):
    """A header that came twice is joined by a comma: one of the two is not the proxy's."""
    assert asked(make(policy=PROXIED + GUESTS), account).status_code == 401


def test_the_kelvin_sign_is_no_k(make: Make):
    policy = PROXIED.replace("bob@example.com", "kim@example.com") + ACCESS
    assert asked(make(policy=policy), "\u212aim@example.com".encode().decode("latin-1")).status_code != 200


def test_a_proxy_that_names_nobody_signs_nobody_in(make: Make):
    assert asked(make(policy=PROXIED + ACCESS), "").status_code == 401


def test_what_comes_from_the_proxys_own_address_is_nobody_at_this_machine(make: Make):
    """One that adds no header and passes Host on would make the world the local operator."""
    policy = PROXIED + ACCESS.replace("10.0.0.0/24", "127.0.0.1/32")
    site = make(policy=policy, operator="bob")
    assert site.client.get("/try", base_url=LOCAL).status_code == 401
    named = site.client.get("/try", base_url=LOCAL, headers={"X-Forwarded-Email": "bob@example.com"})
    assert named.json["by"] == "proxy"


def test_one_that_signs_nobody_in_is_believed_about_addresses_alone(make: Make):
    site = make(policy=PROXIED + "\naccess:\n  trusted_proxy: {networks: [10.0.0.0/24]}\n")
    assert asked(site, "bob@example.com").status_code == 401
    given = {"environ_base": {"REMOTE_ADDR": PROXY}, "headers": {"X-Forwarded-For": "127.0.0.1, 203.0.113.9"}}
    assert site.access.client_address(site.asked(**given)) == "203.0.113.9"


@pytest.mark.usefixtures("within_one_minute")
def test_each_client_behind_the_proxy_has_a_budget_of_its_own(make: Make):
    """Of wrong tokens: 30 a minute."""
    site = make(policy=PROXIED + ACCESS)
    wrong = {"Authorization": f"Bearer rgt_{'x' * 43}"}
    answers = [asked(site, "", **wrong).status_code for _ in range(31)]
    assert answers == [401] * 30 + [429]
    assert asked(site, "", **{**wrong, "X-Forwarded-For": "203.0.113.9, 203.0.113.10"}).status_code == 401
    assert asked(site, "", **{**wrong, "X-Forwarded-For": "198.51.100.1, 203.0.113.9"}).status_code == 429


def test_elsewhere_a_forwarded_address_is_nobodys_budget(make: Make):
    site = make(policy=PROXIED + ACCESS)
    wrong = {"Authorization": f"Bearer rgt_{'x' * 43}"}
    for number in range(30):
        asked(site, "", peer="192.0.2.7", **{**wrong, "X-Forwarded-For": f"203.0.113.{number}"})
    assert asked(site, "", peer="192.0.2.7", **{**wrong, "X-Forwarded-For": "203.0.113.99"}).status_code == 429


def test_a_form_needs_our_token_here_too(make: Make):
    site = make(policy=PROXIED + ACCESS)
    csrf = asked(site, "bob@example.com").json["csrf"]
    how = {"base_url": "https://registrar.example.com", "environ_base": {"REMOTE_ADDR": PROXY}}
    headers = {"X-Forwarded-Email": "bob@example.com"}
    assert site.client.post("/try", headers=headers, **how).json["code"] == "cross_site"
    assert site.client.post("/try", headers={**headers, "X-CSRF-Token": csrf}, **how).status_code == 200
    hostile = {**headers, "X-CSRF-Token": csrf, "Sec-Fetch-Site": "cross-site"}
    assert site.client.post("/try", headers=hostile, **how).json["code"] == "cross_site"


def test_a_token_goes_before_the_proxy_but_not_one_of_the_proxys_own(make: Make):
    site = make(policy=PROXIED + ACCESS)
    assert asked(site, "bob@example.com", Authorization="Bearer eyJhbGciOi.J9.x").json["by"] == "proxy"
    assert asked(site, "bob@example.com", Authorization=f"Bearer rgt_{'x' * 43}").status_code == 401


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("10.0.0.0/24", "10.0.0.1/24", "trusted_proxy.networks.0: 10.0.0.1/24 has host bits set"),
        ("10.0.0.0/24", "0.0.0.0/0", "is everybody"),
        ("10.0.0.0/24, ", "proxy, ", "'proxy' does not appear to be an IPv4 or IPv6 network"),
        ("X-Forwarded-Email", "X_Forwarded_Email", "trusted_proxy.header: is no name of a header"),
        ("header: X-Forwarded-Email, ", "", "name_header says what to call whom `header` names: give that too"),
        (
            "networks: [10.0.0.0/24, ",
            "networks: [], x: [",
            "trusted_proxy.networks: is empty: it needs one entry at least",
        ),
    ],
)
def test_what_can_not_be_meant_is_complained_about(right: str, wrong: str, said: str):
    assert right in ACCESS
    with pytest.raises(PolicyError) as error:
        parse(PROXIED + ACCESS.replace(right, wrong))
    assert said in str(error.value)


def test_two_people_can_not_have_one_account_to_sign_in_with():
    with pytest.raises(PolicyError, match=r"people\.bob\.accounts\.email: ada@example.com is people.ada's account"):
        parse(PROXIED.replace("bob@", "ada@") + ACCESS)
