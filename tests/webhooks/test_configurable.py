"""Verification as data: what registrar.yml may say, and that each form takes its own and nothing else."""

import base64
import hmac
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from tests.sources.captured import sender
from webhooks.ingress.errors import BadSignature, StaleTimestamp
from webhooks.ingress.source_types import Context, Outgoing, Request
from webhooks.signatures import configurable, verifier
from webhooks.signatures.configurable import Verification
from webhooks.signatures.verifier import WeakSecret

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SECRET, OLD = "a secret with 27 characters", "another, of 25 characters"
TOKEN, OLD_TOKEN = "token-token-token-token", "older-older-older-older"
BODY = b'{"event":"ping"}'
FORMS: TypeAdapter[Any] = TypeAdapter(Verification)


def form(**how: Any) -> Any:
    return FORMS.validate_python(how)


def context(*secrets: str) -> Context:
    found, _ = sender("standard")
    return Context("x", found.context.config, found.context.policy, found.context.encryptor, secrets)


def arriving(headers: dict[str, str], body: bytes = BODY) -> Request:
    return Request(headers, body, "application/json", NOW)


HMACS = [
    {"header": "X-Signature"},
    {"header": "x-signature", "prefix": "sha512=", "digest": "sha512"},
    {"header": "x-signature", "encoding": "base64", "prefix": "HMAC "},
    {"header": "x-signature", "signed": "{timestamp}.{body}", "timestamp_header": "x-time"},
    {"header": "x-signature", "signed": "{id}:{timestamp}:{body}", "timestamp_header": "x-time", "id_header": "x-id"},
    {"header": "x-signature", "signed": "{timestamp}.{body}", "packed": "t={timestamp},v1={signature}"},
    {"header": "x-signature", "separator": ",", "prefix": "v1="},
]


@pytest.mark.parametrize("how", HMACS)
def test_what_is_signed_by_a_form_is_taken_by_it_and_by_either_secret(how: dict[str, Any]):
    made = form(how="hmac", **how)
    for index, secret in enumerate((SECRET, OLD)):
        headers = verifier.sign(made.scheme, secret, body=BODY, id="msg_1", now=NOW)
        verified = configurable.verify(made, arriving(headers), context(SECRET, OLD))
        assert (verified.delivery_id, verified.secret_index) == ("msg_1" if "id_header" in how else None, index)
        with pytest.raises(BadSignature):
            configurable.verify(made, arriving(headers, BODY + b" "), context(SECRET, OLD))
        for name, value in headers.items():
            for changed in ("", value + "," + value, value[:-1], value + "\n", "\u00e9"):
                with pytest.raises(BadSignature):
                    configurable.verify(made, arriving({**headers, name: changed}), context(SECRET, OLD))


@pytest.mark.parametrize("key", ["base64", "hex", "whsec"])
def test_a_key_may_be_encoded(key: str):
    raw = b"0123456789abcdef0123456789abcdef"
    text = {"base64": base64.b64encode(raw).decode(), "hex": raw.hex()}.get(key, "")
    secret = text or "whsec_" + base64.b64encode(raw).decode()
    made = form(how="hmac", header="x", key=key)
    configurable.check(made, [secret])
    headers = {"x": hmac.new(raw, BODY, "sha256").hexdigest()}
    assert configurable.verify(made, arriving(headers), context(secret)).secret_index == 0


def test_a_packed_time_that_is_off_is_stale():
    made = form(how="hmac", header="x", signed="{timestamp}.{body}", packed="t={timestamp},v1={signature}")
    headers = verifier.sign(made.scheme, SECRET, body=BODY, id="", now=datetime(2026, 11, 22, 11, tzinfo=UTC))
    with pytest.raises(StaleTimestamp):
        configurable.verify(made, arriving(headers), context(SECRET))


BASIC = base64.b64encode(b"ada:" + TOKEN.encode()).decode()
SENT = [
    ({"how": "bearer"}, TOKEN, {"authorization": f"Bearer {TOKEN}"}),
    ({"how": "bearer"}, TOKEN, {"authorization": f"bearer {TOKEN}"}),
    ({"how": "basic"}, f"ada:{TOKEN}", {"authorization": f"Basic {BASIC}"}),
    ({"how": "token", "header": "X-Token"}, TOKEN, {"x-token": TOKEN}),
]


@pytest.mark.parametrize(("how", "secret", "headers"), SENT)
def test_a_secret_that_is_sent_along_is_taken_whole_and_once(how: dict[str, str], secret: str, headers: dict[str, str]):
    made = form(**how)
    configurable.check(made, [secret])
    assert configurable.verify(made, arriving(headers), context("x" * 20, secret)).secret_index == 1
    [(name, value)] = headers.items()
    assert configurable.sign(made, Outgoing({}, BODY), secret=secret).headers == {
        name: value.replace("bearer", "Bearer")
    }
    hostile = [
        "",
        value[:-1],
        value + " ",
        f"{value},{value}",
        f"{value}, {value}",
        secret,
        "Bearer",
        "Bearer ",
        value.replace(TOKEN, "\t" + TOKEN),
        value.replace(TOKEN, "X" + TOKEN),
        "\udcff",
    ]
    for changed in [*hostile, "Negotiate " + secret, "Bearer \u00e9", value.swapcase()]:
        if changed != value:
            with pytest.raises(BadSignature):
                configurable.verify(made, arriving({name: changed}), context(secret))
    with pytest.raises(BadSignature):
        configurable.verify(made, arriving({}), context(secret))


def test_blanks_before_a_token_are_no_part_of_it():
    arrived = arriving({"authorization": f"Bearer   {TOKEN}"})
    assert configurable.verify(form(how="bearer"), arrived, context(TOKEN)).secret_index == 0


@pytest.mark.parametrize(
    ("how", "secret", "says"),
    [
        ({"how": "bearer"}, "short", "16 to 400 ASCII characters"),
        ({"how": "token", "header": "x"}, "x" * 401, "16 to 400 ASCII characters"),
        ({"how": "basic"}, "no-colon-in-all-of-this", "user:password.* 16 characters"),
    ],
)
def test_a_weak_secrets_refusal_says_what_is_needed(how: dict[str, str], secret: str, says: str):
    with pytest.raises(WeakSecret, match=says):
        configurable.check(form(**how), [secret])


@pytest.mark.parametrize(
    ("how", "secret"),
    [
        ({"how": "bearer"}, ""),
        ({"how": "bearer"}, "short"),
        ({"how": "bearer"}, "a,comma-in-the-middle-of-it"),
        ({"how": "bearer"}, "a blank in the middle of it"),
        ({"how": "bearer"}, TOKEN + "\n"),
        ({"how": "basic"}, TOKEN),
        ({"how": "basic"}, "a-long-enough-user:short"),
        ({"how": "token", "header": "x"}, "\u00e9" * 20),
        ({"how": "hmac", "header": "x"}, "short"),
        ({"how": "hmac", "header": "x", "key": "hex"}, "no hex at all, though long"),
        ({"how": "hmac", "header": "x", "key": "base64"}, "AAAA"),
    ],
)
def test_a_weak_secret_is_refused(how: dict[str, str], secret: str):
    with pytest.raises(WeakSecret) as caught:
        configurable.check(form(**how), [secret])
    assert not secret or secret not in str(caught.value)


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"how": "none"}, "'hmac', 'bearer', 'basic', 'token'"),
        ({"how": "token"}, "header"),
        ({"how": "hmac"}, "header"),
        ({"how": "hmac", "header": "x y"}, "header"),
        ({"how": "hmac", "header": "x", "digest": "sha1"}, "sha256"),
        ({"how": "hmac", "header": "x", "signed": "nothing"}, "needs {body} once"),
        ({"how": "hmac", "header": "x", "signed": "{body}{body}"}, "needs {body} once"),
        ({"how": "hmac", "header": "x", "signed": "{body}{path}"}, "needs {body} once"),
        ({"how": "hmac", "header": "x", "signed": "{body!r}"}, "must be alone"),
        ({"how": "hmac", "header": "x", "signed": "{body"}, "not closed"),
        ({"how": "hmac", "header": "x", "signed": "{timestamp}.{body}"}, "go together"),
        ({"how": "hmac", "header": "x", "timestamp_header": "t"}, "counts only if it is signed"),
        ({"how": "hmac", "header": "x", "id_header": "t"}, "an id counts only if it is signed"),
        ({"how": "hmac", "header": "x", "signed": "{timestamp}{body}", "packed": "{signature}"}, "packed needs"),
        ({"how": "hmac", "header": "x", "separator": ",", "prefix": "v1,"}, "must not contain the separator"),
        ({"how": "bearer", "header": "x"}, "Extra inputs"),
    ],
)
def test_a_form_that_can_not_be_meant_is_refused(how: dict[str, Any], says: str):
    with pytest.raises(ValidationError) as caught:
        FORMS.validate_python(how)
    assert says in str(caught.value)
