"""A GitHub App instead of a token: it proves itself with its key, and gets a token for an hour."""

import base64
import json
import time
from datetime import UTC, datetime, timedelta

import pytest
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from tests.notifications.samples import ENCRYPTOR, MOVED, notice
from worker.notifications.notifiers import github, github_dispatch
from worker.notifications.transport import github_app
from worker.registry.protocol import PermanentError, RetryableError

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
GIVEN = {"repository": "acme/taxi", "app_id": 12, "installation_id": 34}
TOKENS = "/app/installations/34/access_tokens"


def pem(key=KEY):
    form = serialization.PrivateFormat.TraditionalOpenSSL
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


@pytest.fixture(autouse=True)
def nothing_is_cached(monkeypatch):
    monkeypatch.setattr(github_app, "_cached", {})


@pytest.fixture
def app(listener):
    """A GitHub that gives tokens. app(name, seconds): the next one, and how long it is good for."""

    def gives(name="ghs_one", seconds=3600):
        until = (datetime.now(UTC) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
        listener.at[TOKENS] = (201, json.dumps({"token": name, "expires_at": until}).encode())

    gives()
    return gives


def post(listener, kind=github, **given):
    kind.post(notice(MOVED, url=listener.root, secret=pem(), **{**GIVEN, **given}), requests.Session(), ENCRYPTOR)


def unpacked(part):
    return json.loads(base64.urlsafe_b64decode(part + "=="))


@pytest.mark.parametrize("kind", [github, github_dispatch])
def test_the_installations_token_is_what_is_shown(kind, app, listener):
    post(listener, kind)
    assert listener.paths[0] == TOKENS
    assert listener.got[1][0]["Authorization"] == "Bearer ghs_one"


def test_the_app_proves_itself_by_a_signature_that_ends_within_ten_minutes(app, listener):
    post(listener)
    header, claims, signature = listener.got[0][0]["Authorization"].removeprefix("Bearer ").split(".")
    KEY.public_key().verify(
        base64.urlsafe_b64decode(signature + "=="), f"{header}.{claims}".encode(), PKCS1v15(), SHA256()
    )
    said = unpacked(claims)
    assert unpacked(header) == {"alg": "RS256", "typ": "JWT"}
    assert said["iss"] == "12"
    assert said["iat"] < time.time() < said["exp"] <= time.time() + 600


def test_a_token_is_used_until_shortly_before_its_end(app, listener):
    post(listener)
    post(listener)
    assert listener.paths.count(TOKENS) == 1
    github_app._cached.clear()
    app("ghs_short", seconds=90)
    post(listener)
    app("ghs_next")
    post(listener)
    assert listener.got[-1][0]["Authorization"] == "Bearer ghs_next"


def test_two_apps_and_two_installations_have_tokens_of_their_own(app, listener):
    listener.at["/app/installations/35/access_tokens"] = listener.at[TOKENS]
    post(listener)
    post(listener, installation_id=35)
    post(listener, app_id="Iv1.client")
    assert len([path for path in listener.paths if path.endswith("/access_tokens")]) == 3


def test_a_token_that_was_taken_back_is_replaced(app, listener):
    post(listener)
    listener.answer = (401, {})
    app("ghs_two")
    with pytest.raises(RetryableError, match="gets another one"):
        post(listener)
    listener.answer = (201, {})
    post(listener)
    assert listener.got[-1][0]["Authorization"] == "Bearer ghs_two"


@pytest.mark.parametrize(
    ("status", "sentence"), [(401, "options.app_id"), (403, "options.installation_id"), (404, "no installation")]
)
def test_an_app_that_is_not_known_is_final_and_says_where_to_look(status, sentence, listener):
    listener.at[TOKENS] = (status, b"{}")
    with pytest.raises(PermanentError, match=sentence):
        post(listener)
    assert listener.paths == [TOKENS]


@pytest.mark.parametrize("said", [b"", b"[]", b"{}", b'{"token": "x"}', b'{"token": "x", "expires_at": "soon"}'])
def test_an_answer_without_a_token_is_retryable(said, listener):
    listener.at[TOKENS] = (201, said)
    with pytest.raises(RetryableError, match="no token"):
        post(listener)


@pytest.mark.parametrize("secret", ["hunter2", pem(ec.generate_private_key(ec.SECP256R1())), "-----BEGIN RSA-----"])
def test_what_is_no_private_key_of_an_app_is_final_and_not_told(secret, listener):
    with pytest.raises(PermanentError, match="no RSA private key") as error:
        github.post(notice(MOVED, url=listener.root, secret=secret, **GIVEN), requests.Session(), ENCRYPTOR)
    assert secret not in str(error.value)
    assert listener.got == []
