"""Requests that are made to break something, or to learn where secrets are."""

from typing import Any

import pytest

from tests.auth.conftest import Make, Site
from tests.auth.provider import CLIENT_SECRET

SECRETS = """
version: 1
sources:
  ci: {kind: standard, secrets: [env:CI_SECRET, env:OLD_SECRET], may: [{events: [training_run.*], models: ["*"]}]}
  chat: {kind: slack, secrets: [env:SLACK_SECRET]}
people:
  ada: {name: Ada, accounts: {email: ada@example.com}}
groups: {leads: [ada]}
models:
  taxi: {targets: [{stage: Production, approval: {rules: [{group: leads}]}}]}
channels:
  hook: {kind: webhook, url: env:HOOK_URL, secret: env:HOOK_SECRET}
notify: [{outcomes: ["*"], to: [hook]}]
access:
  operators: [ada]
  oidc: {issuer: "https://login.example.com", client_id: registrar, client_secret: env:OIDC_SECRET}
"""
GIVEN = {"OIDC_SECRET": CLIENT_SECRET, "HOOK_URL": "https://hook.example/x", "HOOK_SECRET": "whsec_" + "b2xk" * 8}
LOCAL = {"base_url": "http://127.0.0.1:8080", "environ_overrides": {"REMOTE_ADDR": "127.0.0.1"}}


@pytest.fixture
def site(make: Make) -> Site:
    return make(policy=SECRETS, secrets=GIVEN, operator="ada")


@pytest.mark.parametrize("path", ["/v1/policy", "/v1/policy?model=taxi", "/policy", "/openapi.json", "/"])
def test_nothing_tells_where_a_secret_is(site: Site, path: str):
    answer = site.client.get(path, **LOCAL)
    assert answer.status_code == 200
    references = set(site.access.policy.references())
    assert len(references) == 6
    for place in references:
        assert place not in answer.text
        assert place.partition(":")[2] not in answer.text


def test_what_is_told_of_a_provider_is_what_browsers_learn_anyway(site: Site):
    told = site.client.get("/v1/policy", **LOCAL).json["document"]["access"]["oidc"]
    assert told == {"issuer": "https://login.example.com", "client_id": "registrar"}


ODD = [
    "https://[x",
    "https://\u2100.example".encode().decode("latin-1"),
    "https://x:99999999",
    "\xff\xfe",
    "null",
    ";=;",
    '"',
    "%00%zz",
    "a" * 5000,
    "=?utf-8?q?x?=",
    "W/",
    "-1",
]
HEADERS = [
    "Origin",
    "Host",
    "Referer",
    "Cookie",
    "Accept",
    "Accept-Language",
    "Authorization",
    "Content-Type",
    "If-None-Match",
    "If-Modified-Since",
    "Range",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-CSRF-Token",
    "Sec-Fetch-Site",
    "Idempotency-Key",
    "X-Requested-By",
    "Transfer-Encoding",
]
ROUTES = [("POST", "/v1/commands"), ("GET", "/signin")]


@pytest.mark.parametrize("header", HEADERS)
def test_no_header_is_a_500(site: Site, header: str, caplog: pytest.LogCaptureFixture, monkeypatch: Any):
    monkeypatch.setattr("webhooks.auth.oidc.Provider.address", lambda *_: "https://login.example.com/authorize")
    for value in ODD:
        for method, path in ROUTES:
            answer = site.client.open(path, method=method, headers={header: value}, **LOCAL)
            assert answer.status_code < 500, (header, value, method, path, answer.text)
    assert not [record for record in caplog.records if record.exc_info]


@pytest.mark.parametrize("origin", ["https://[x", "https://[::1", "[", "//[", "http://[v1.x]"])
@pytest.mark.parametrize("path", ["/signout", "/try", "/v1/commands"])
def test_a_malformed_origin_is_another_site(site: Site, origin: str, path: str):
    headers = {"Origin": origin, "X-Requested-By": "me"}
    answer = site.client.post(path, headers=headers, **LOCAL)
    assert answer.status_code in (303, 403)
    if path != "/signout":  # there is no session, so nothing to sign out of
        assert answer.json["code"] == "cross_site"
