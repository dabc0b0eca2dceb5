"""What a provider says that is broken, foreign or hostile, and what follows."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from registrar.policy.access import Oidc
from registrar.policy.load import parse
from tests.auth.provider import CLIENT_ID, CLIENT_SECRET, OidcProvider, first_key, serving
from webhooks.auth import oidc
from webhooks.auth.identity import Identity
from webhooks.auth.oidc import Provider
from webhooks.auth.oidc_state import OidcState, SignInFailed
from webhooks.ingress.errors import Unavailable

BACK = "http://127.0.0.1/signin/callback"


@pytest.fixture
def provider() -> Iterator[OidcProvider]:
    with serving() as started:
        yield started


def made(provider: OidcProvider) -> Provider:
    config = {"issuer": provider.issuer, "client_id": CLIENT_ID, "client_secret": "env:OIDC_SECRET"}
    return Provider(Oidc.model_validate(config), CLIENT_SECRET)


def signed_in(provider: OidcProvider) -> Identity:
    """Whom we take them for, by a code that the provider gives."""
    ours, beginning = made(provider), OidcState.new()
    there = requests.get(ours.address(beginning, BACK), allow_redirects=False, timeout=30).headers["Location"]
    return ours.identity(beginning, BACK, parse_qs(urlsplit(there).query)["code"][0])


PUBLIC = first_key().as_dict(private=False)
OTHER = RSAKey.generate_key(2048, {"kid": "other"}).as_dict(private=False)
EC = ECKey.generate_key("P-256", {"kid": "first"}).as_dict(private=False)
# Keys of a JWKS that are to be ignored. https://www.rfc-editor.org/rfc/rfc7517#section-5
ODD: list[Any] = [
    {},
    [],
    None,
    5,
    "key",
    {"kty": None},
    {"kty": 5},
    {"kty": ["RSA"]},
    {"kty": "AKP", "alg": "ML-DSA-44", "pub": "AAAA", "kid": "first"},
    {"kty": "RSA", "kid": "first"},
    {"kty": "RSA", "kid": "first", "n": 5, "e": "AQAB"},
    {"kty": "RSA", "kid": "first", "n": "AQAB", "e": "AQAB"},
    {"kty": "RSA", "kid": "first", "n": "!", "e": "é"},
    {"kty": "RSA", "kid": "first", "n": "", "e": ""},
    {"kty": "EC", "kid": "first", "crv": "P-1", "x": "AA", "y": "AA"},
    {"kty": "EC", "kid": "first", "crv": "P-256", "x": "AA", "y": "AA"},
    {"kty": "OKP", "kid": "first", "crv": "X448", "x": "AA"},
    {"kty": "OKP", "crv": "Ed25519", "x": "AA"},
    {**PUBLIC, "use": 5},
    {**PUBLIC, "use": "enc"},
    {**PUBLIC, "key_ops": "verify"},
    {**PUBLIC, "key_ops": ["encrypt"], "use": "enc"},
    {**PUBLIC, "alg": "RSA-OAEP"},
    {**PUBLIC, "alg": 5},
    {**PUBLIC, "x5c": [5]},
    {**OTHER, "kid": None},
    {**OTHER, "kid": 7},
    {**OTHER, "kid": ["first"]},
    EC,
    OKPKey.generate_key("Ed25519", {"kid": "first"}).as_dict(private=False),
    OctKey.import_key(CLIENT_SECRET, {"kid": "first"}).as_dict(private=True),
]


@pytest.mark.parametrize("number", range(len(ODD)))  # no key in the test's name: each process makes its own
def test_a_key_that_is_not_understood_is_ignored(provider: OidcProvider, number: int):
    provider.other_keys = [ODD[number]]
    assert signed_in(provider).account == "ada@example.com"


@pytest.mark.parametrize("named", [True, False])
def test_all_of_them_together_are(provider: OidcProvider, named: bool):
    provider.other_keys, provider.kid = ODD, named
    assert signed_in(provider).account == "ada@example.com"


@pytest.mark.parametrize("keys", [None, {}, [], "keys", 5, [None], [[]]], ids=str)
def test_a_key_set_without_keys_signs_nobody_in(provider: OidcProvider, keys: Any):
    provider.bodies["/jwks"] = json.dumps({"keys": keys}).encode()
    with pytest.raises(SignInFailed):
        signed_in(provider)


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"null", b"5", b'"x"', b"{}", b'{"keys": null}', b'{"keys": {}}', b'{"keys": 5}', b"\xff", b"<html>"],
)
@pytest.mark.parametrize("path", ["/jwks", "/token", "/.well-known/openid-configuration"])
def test_an_answer_that_is_none_is_a_sentence(provider: OidcProvider, path: str, body: bytes):
    provider.bodies[path] = body
    with pytest.raises((SignInFailed, Unavailable)):
        signed_in(provider)


CONFIGURATION = "/.well-known/openid-configuration"


@pytest.mark.parametrize("path", [CONFIGURATION, "/token", "/jwks"])
def test_an_answer_that_drips_is_not_waited_for(provider: OidcProvider, path: str, monkeypatch: pytest.MonkeyPatch):
    """What requests calls a timeout is the time between two pieces."""
    monkeypatch.setattr(oidc, "TIMEOUT", 0.5)
    provider.drips = path
    began = time.monotonic()
    threading.Timer(8, setattr, (provider, "drips", "")).start()
    with pytest.raises(Unavailable, match="does not answer"):
        signed_in(provider)
    assert time.monotonic() - began < 5
    provider.drips = ""


def test_a_provider_that_drips_takes_no_thread_of_other_pages(provider: OidcProvider, monkeypatch: pytest.MonkeyPatch):
    """Anybody can begin a sign-in; a receiver has 32 threads for pages and the API."""
    monkeypatch.setattr(oidc, "AT_ONCE", 2)
    ours = made(provider)
    provider.drips = CONFIGURATION
    waiting = [threading.Thread(target=_begun, args=(ours,), daemon=True) for _ in range(2)]
    for thread in waiting:
        thread.start()
    wait_until(lambda: provider.asked.count(CONFIGURATION) == 2)
    began = time.monotonic()
    with pytest.raises(Unavailable, match="does not answer"):
        ours.address(OidcState.new(), BACK)
    assert (time.monotonic() - began < 2, provider.asked.count(CONFIGURATION)) == (True, 2)
    provider.drips = ""
    for thread in waiting:
        thread.join(30)
    wait_until(lambda: _begun(ours))


def _begun(ours: Provider) -> bool:
    try:
        return bool(ours.address(OidcState.new(), BACK))
    except Unavailable:
        return False


def wait_until(true: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not true():
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.fixture
def eavesdropper() -> Iterator[tuple[str, list[str]]]:
    """Another server of this machine, and what it was sent."""
    heard: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.append(self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode())
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", heard
    server.shutdown()
    server.server_close()


def test_a_token_request_follows_no_redirect_with_code_and_secret(
    provider: OidcProvider, eavesdropper: tuple[str, list[str]]
):
    address, heard = eavesdropper
    provider.moved = f"{address}/token"
    with pytest.raises(SignInFailed):
        signed_in(provider)
    assert heard == []


@pytest.mark.parametrize(
    "claims",
    [
        {"sub": None},
        {"sub": ""},
        {"sub": 5},
        {"sub": "x" * 256},
        {"sub": "a\nb"},
        {"email": "ada@example.com\x00"},
        {"email": "ada@example.com\n"},
        {"email": "\u202eada@example.com"},
        {"email": "ada@example.com\u200b"},
        {"email": {"x": 1}},
        {"email": True},
        {"exp": "never"},
        {"exp": None},
        {"exp": True},
        {"iat": None},
        {"iat": "x"},
        {"nbf": 4102444800},
        {"iss": None},
        {"iss": ["x"]},
        {"aud": []},
        {"aud": ["another"]},
        {"aud": {"registrar": 1}},
        {"azp": "another"},
        {"nonce": ["x"]},
        {"email_verified": "true"},
        {"email_verified": 1},
    ],
    ids=str,
)
def test_odd_claims_sign_nobody_in(provider: OidcProvider, claims: dict[str, Any]):
    provider.changed = claims
    with pytest.raises(SignInFailed):
        signed_in(provider)


@pytest.mark.parametrize(
    "email", [" ada@example.com", "ada@example.com ", "ADA@EXAMPLE.COM\u0130", "\uff41da@example.com"]
)
def test_what_only_looks_like_an_email_is_another(provider: OidcProvider, email: str):
    provider.changed = {"email": email}
    policy = parse("version: 1\npeople: {ada: {name: Ada, accounts: {email: ada@example.com}}}\n")
    identity = signed_in(provider)
    assert policy.signed_in(identity.account, kinds=identity.kinds) is None
