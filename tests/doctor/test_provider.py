"""A provider that nobody can sign in with has a line: that people would find out one by one."""

import pytest

from tests.doctor.conftest import NOWHERE, POLICY, Pages, SiteOf, looked, troubles

DISCOVERY = "/.well-known/openid-configuration"


def known(issuer: str) -> str:
    return f"{POLICY}\naccess: {{oidc: {{issuer: '{issuer}', client_id: x, client_secret: env:X}}}}\n"


def test_where_nobody_signs_in_there_is_no_line(site: SiteOf):
    assert looked("provider", site()) == []


def test_one_that_is_what_registrar_yml_says_is_well(site: SiteOf, pages: Pages):
    pages.say(f"/team{DISCOVERY}", {"issuer": f"{pages.root}/team"})
    [found] = looked("provider", site(known(f"{pages.root}/team")))
    assert (found.level, f"people sign in at {pages.root}/team" in found.seen) == ("ok", True)


def test_one_that_does_not_answer_fails(site: SiteOf):
    [(level, seen, do)] = troubles("provider", site(known(NOWHERE)))
    assert (level, "nobody can sign in" in seen, "refuses connections" in seen) == ("FAIL", True, True)
    assert "access.oidc.issuer" in do


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"issuer": "https://login.example.com/"}, "says that it is https://login.example.com/"),
        ("<html>", "does not answer as a provider does (200)"),
        ([], "does not answer as a provider does (200)"),
    ],
)
def test_one_that_is_another_fails(site: SiteOf, pages: Pages, body: object, says: str):
    pages.say(DISCOVERY, body)
    [(level, seen, _)] = troubles("provider", site(known(pages.root)))
    assert (level, says in seen) == ("FAIL", True), seen
